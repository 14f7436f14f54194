"""The canary: the real LiteLLM boots a candidate on a loopback port, before anything is touched.

It has the service's own environment, and a private copy of the candidate that can reach neither the
gateway's Redis namespace nor its database, and asks no model anything. LiteLLM is imported once, which takes
it some ten seconds; each candidate then gets a fresh fork of that process, which takes less than one.
"""

from __future__ import annotations

import contextlib
import secrets
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

from pytest_aibackend.deploy.canary_ask import AskError, ask, wait_ready
from pytest_aibackend.deploy.canary_compare import differences, expected_of
from pytest_aibackend.deploy.canary_copy import (
    REDIS_PREFIX,
    REFERENCE,
    canary_environment,
    canary_namespace,
    has_namespaced_redis,
    named_variables,
    private_copy,
    show_path,
)
from pytest_aibackend.deploy.canary_host import Host, HostError
from pytest_aibackend.deploy.canary_words import (
    drop_reasons,
    explain_exit,
    hide,
    is_port_taken,
    last_error,
    redact,
    secret_values,
)
from pytest_aibackend.sources.yaml_text import parse

__all__ = ["Canary", "CanaryResult", "find_litellm"]

NEEDED: Final = ("litellm", "fastapi", "uvicorn")  # the last two come with litellm[proxy]
FIND_S: Final = 20.0
TRIES: Final = 2  # of ports
MASTER_KEY: Final = "LITELLM_MASTER_KEY"
SAID: Final = 3  # places of one variable
_KEY_PATH: Final = ("general_settings", "master_key")
_SECRET_MANAGERS: Final = ("key_management_system", "use_google_kms", "use_azure_key_vault")


@dataclass(frozen=True, kw_only=True, slots=True)
class CanaryResult:
    """What came of one candidate."""

    ok: bool
    problems: tuple[str, ...]
    seconds: float  # all of it, the loading of LiteLLM included
    boot_seconds: float  # from the fork until it was ready; 0 if it never was
    groups: int  # model groups that the candidate defines, aliases included
    deployments: int


@dataclass(kw_only=True, slots=True)
class _Trial:
    """One candidate on its way through."""

    data: dict[str, Any]
    environment: dict[str, str]  # as LiteLLM sees it, once that is known
    within_s: float
    tell: Callable[[str], None]
    began: float
    boot_seconds: float = 0.0

    @property
    def deadline(self) -> float:
        return self.began + self.within_s


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
        """Boot these bytes and compare what is served with what they say; what fails is a problem told."""
        began = time.monotonic()
        data, problems = _read(raw)
        trial = _Trial(
            data=data, environment=dict(self._environment), within_s=within_s, tell=tell, began=began
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

    def close(self) -> None:
        """End LiteLLM; another candidate would load it again."""
        host, self._host = self._host, None
        if host is not None:
            host.close()

    def _boot_or_say(self, trial: _Trial) -> list[str]:
        try:
            return self._boot(trial)
        except HostError as error:
            self.close()
            return [str(error)]
        except OSError as error:
            self.close()
            return [f"the canary cannot do its work: {error}"]

    def _boot(self, trial: _Trial) -> list[str]:
        host = self._ready_host(trial)
        config = _lay_out(host.directory, trial, self._directory)
        log = config.with_suffix(".log")
        problems: list[str] = []
        for _ in range(TRIES):
            log.write_bytes(b"")
            with _reserved_port() as port:
                try:
                    problems = _judge(host, config, port, trial)
                finally:
                    host.stop()
            if not (problems and is_port_taken(_text_of(log))):
                break
        return problems

    def _ready_host(self, trial: _Trial) -> Host:
        if self._host is not None and not self._host.is_alive:
            self.close()
        if self._host is None:
            host = self._host = Host(self._python, canary_environment(self._environment))
            began = time.monotonic()
            host.wait_ready(
                trial.deadline, lambda: trial.tell(f"LiteLLM is loading, {time.monotonic() - began:.0f} s")
            )
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


def _lay_out(directory: Path, trial: _Trial, beside: Path | None) -> Path:
    """Write the private copy into a directory of its own, with links to what lies beside the original."""
    import yaml

    token = secrets.token_hex(8)
    folder = directory / token
    folder.mkdir(mode=0o700)
    with contextlib.suppress(OSError):
        for entry in beside.iterdir() if beside is not None else ():
            if not entry.name.startswith((".", "__pycache__")):
                (folder / entry.name).symlink_to(entry.resolve())
    config = folder / f"candidate-{token}.yaml"
    config.touch(0o600)
    copied = private_copy(trial.data, canary_namespace(token), trial.environment)
    config.write_text(yaml.safe_dump(copied, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return config


def _judge(host: Host, config: Path, port: int, trial: _Trial) -> list[str]:
    log = config.with_suffix(".log")
    began = time.monotonic()
    names = [*named_variables(trial.data), MASTER_KEY]
    without = () if has_namespaced_redis(trial.data) else (REDIS_PREFIX,)
    values = host.boot(config, port, log, names=names, without=without)
    trial.environment |= {name: value for name, value in values.items() if value is not None}
    problems = _missing_variables(trial)
    try:
        status = wait_ready(host, port, trial.deadline, trial.tell)
    except TimeoutError:
        last = last_error(_text_of(log))
        said = f"; the last it said: {redact(last)[:200]}" if last else ""
        return [*problems, f"LiteLLM did not become ready within {trial.within_s:g} s{said}"]
    if status is not None:
        text = _text_of(log)
        is_told = any("master_key" in problem for problem in problems) and "master key" in last_error(text)
        return problems if is_told else [*problems, explain_exit(text, status, trial.data)]
    trial.boot_seconds = time.monotonic() - began
    return problems + _compare(port, trial, log)


def _missing_variables(trial: _Trial) -> list[str]:
    general = trial.data.get("general_settings")
    if isinstance(general, dict) and any(general.get(name) for name in _SECRET_MANAGERS):
        return []  # they may stand there
    problems = []
    for name, paths in named_variables(trial.data).items():
        if name not in trial.environment:
            places = ", ".join(show_path(path) for path in paths[:SAID])
            more = f" and {len(paths) - SAID} more" if len(paths) > SAID else ""
            verb = "names" if len(paths) == 1 else "name"
            problems.append(f"{places}{more} {verb} {REFERENCE}{name}, which the service's environment lacks")
    return problems


def _compare(port: int, trial: _Trial, log: Path) -> list[str]:
    try:
        answers = ask(port, _master_key(trial))
    except AskError as error:
        general = trial.data.get("general_settings")
        if error.is_refusal and isinstance(general, dict) and general.get("custom_auth"):
            trial.tell("what is served was not compared: custom_auth does not accept the master key")
            return []
        return [redact(str(error))]
    expected = expected_of(trial.data, trial.environment)
    return differences(expected, answers.models, answers.info, drop_reasons(_text_of(log)))


def _master_key(trial: _Trial) -> str:
    general = trial.data.get("general_settings")
    given = general.get("master_key") if isinstance(general, dict) else None
    if given is None:
        return trial.environment.get(MASTER_KEY, "")
    if str(given).startswith(REFERENCE):
        return trial.environment.get(str(given).removeprefix(REFERENCE), "")
    return str(given)


def _text_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """Give a free loopback port that nobody else is given meanwhile, as far as the system can promise."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        port: int = keeper.getsockname()[1]
        if sys.platform != "linux":
            keeper.close()  # elsewhere LiteLLM could not listen beside it
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
