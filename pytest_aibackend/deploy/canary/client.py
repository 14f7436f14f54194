"""The canary: the real LiteLLM boots a candidate on a loopback port, before anything is touched.

It has the service's own environment, and a private copy of the candidate that can reach neither the
gateway's Redis namespace nor its database, and asks no model anything. LiteLLM is imported once, which takes
it some ten seconds; each candidate then gets a fresh fork of that process, which takes less than one.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pytest_aibackend.deploy.canary.compare import expected_of
from pytest_aibackend.deploy.canary.copy import canary_environment
from pytest_aibackend.deploy.canary.host import Host, HostError
from pytest_aibackend.deploy.canary.trial import Trial, judge, lay_out, text_of
from pytest_aibackend.deploy.canary.words import hide, is_port_taken, secret_values
from pytest_aibackend.sources.yaml_text import parse

__all__ = ["Canary", "CanaryResult", "find_litellm"]

NEEDED: Final = ("litellm", "fastapi", "uvicorn")  # the last two come with litellm[proxy]
FIND_S: Final = 20.0
TRIES: Final = 2  # of ports
DEPLOYMENT_S: Final = 0.03  # LiteLLM takes 0.008 s for each deployment on a quiet machine


@dataclass(frozen=True, kw_only=True, slots=True)
class CanaryResult:
    """What came of one candidate."""

    ok: bool
    problems: tuple[str, ...]
    seconds: float  # all of it, the loading of LiteLLM included
    boot_seconds: float  # from the fork until it was ready; 0 if it never was
    groups: int  # model groups that the candidate defines, aliases included
    deployments: int


class Canary:
    """Boots candidates; a context manager. Nothing is started before the first candidate."""

    def __init__(self, python: str, environment: Mapping[str, str], *, directory: Path | None = None) -> None:
        """Boot with this interpreter and the service's environment.

        LiteLLM looks for callback modules and included files beside its configuration: `directory` is where
        the deployed file lies.
        """
        self._python = python
        self._environment = dict(environment)
        self._directory = directory
        self._host: Host | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def try_out(self, raw: bytes, tell: Callable[[str], None], *, within_s: float = 90.0) -> CanaryResult:
        """Boot these bytes and compare what is served with what they say; what fails is a problem told.

        LiteLLM has `within_s` to be loaded and to boot, and a little more for each deployment.
        """
        began = time.monotonic()
        data, problems = _read(raw)
        patience = within_s + DEPLOYMENT_S * len(expected_of(data, {}).deployments)
        trial = Trial(
            data=data, environment=dict(self._environment), within_s=patience, tell=tell, began=began
        )
        if not problems:
            problems = self._boot_or_say(trial)
        hidden = secret_values(trial.environment, data)
        expected = expected_of(data, trial.environment)
        return CanaryResult(
            ok=not problems,
            problems=tuple(hide(problem, hidden) for problem in problems),
            seconds=time.monotonic() - began,
            boot_seconds=trial.boot_seconds,
            groups=len(expected.groups.names),
            deployments=len(expected.deployments),
        )

    def start(self) -> None:
        """Begin to load LiteLLM, and do not wait for it; what goes wrong is told with the next candidate."""
        with contextlib.suppress(HostError, OSError):
            self._running_host()

    def close(self) -> None:
        """End LiteLLM; another candidate would load it again."""
        host, self._host = self._host, None
        if host is not None:
            host.close()

    def _boot_or_say(self, trial: Trial) -> list[str]:
        try:
            return self._boot(trial)
        except HostError as error:
            self.close()
            return [str(error)]
        except OSError as error:
            self.close()
            return [f"the canary cannot do its work: {error}"]

    def _boot(self, trial: Trial) -> list[str]:
        host = self._ready_host(trial)
        config = lay_out(host.directory, trial, self._directory)
        log = config.with_suffix(".log")
        problems: list[str] = []
        try:
            for _ in range(TRIES):
                log.write_bytes(b"")
                with _reserved_port() as port:
                    try:
                        problems = judge(host, config, port, trial)
                    finally:
                        host.stop()
                if not (problems and is_port_taken(text_of(log))):
                    break
        finally:
            shutil.rmtree(config.parent, ignore_errors=True)
        return problems

    def _ready_host(self, trial: Trial) -> Host:
        host = self._running_host()
        began = time.monotonic()
        try:
            host.wait_ready(
                trial.deadline,
                lambda: trial.tell(f"LiteLLM is loading, {time.monotonic() - began:.0f} s"),
            )
        except BaseException:  # Ctrl-C, too: a host that never got ready must not be taken for one
            self.close()
            raise
        return host

    def _running_host(self) -> Host:
        if self._host is not None and not self._host.is_alive:
            self.close()
        if self._host is None:
            self._host = Host(self._python, canary_environment(self._environment))
        return self._host


def _read(raw: bytes) -> tuple[dict[str, Any], list[str]]:
    document, found = parse(raw)
    if document is None:
        problems = [
            f"the candidate is not what LiteLLM can read: {problem.message}"
            + (f" (line {problem.line}, column {problem.column})" if problem.line else "")
            for problem in found
        ]
        return {}, problems
    if not isinstance(document.data, dict):
        return {}, ["the candidate is no mapping of settings: LiteLLM refuses to start"]
    if not document.data.get("model_list") and not document.data.get("include"):
        return document.data, ["the candidate has no model_list: LiteLLM would start, and serve no model"]
    return document.data, []


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """Give a free loopback port that nobody else is given meanwhile, as far as the system can promise."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        port: int = keeper.getsockname()[1]
        if sys.platform != "linux":  # pragma: no cover - elsewhere LiteLLM could not listen beside it
            keeper.close()
        yield port


def find_litellm(python: str | None) -> str | None:
    """Return the interpreter that can run LiteLLM's proxy, None if it cannot; LiteLLM is not imported."""
    if python is None or python == sys.executable:
        return sys.executable if all(find_spec(name) for name in NEEDED) else None
    code = f"from importlib.util import find_spec as f; exit(not all(map(f, {NEEDED!r})))"
    try:
        found = subprocess.run([python, "-c", code], capture_output=True, timeout=FIND_S, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return python if found.returncode == 0 else None
