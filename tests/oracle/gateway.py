"""Gives a config to the real LiteLLM and says what came of it: the verdict.

refuses        it does not boot
insecure       it answers without a key, or with one that anybody guesses, or has a credential in its file
broken-route   it boots, and a model group or an alias does not answer a tiny request
ignored        all of that is well, and what the case points at has no effect: without it all is the same;
               or answers are to be kept in Redis, and none is
works          all is well
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import httpx

from tests.oracle.cases import CORPUS, Case, fill_in
from tests.oracle.interview import ANSWER_S, Observed, interview
from tests.oracle.reading import (
    Name,
    master_key,
    names_of,
    overruled,
    secrets_of,
    stores_in_redis,
    without_pointed,
)
from tests.oracle.standins import StandIns

__all__ = ["Host", "Oracle", "Verdict"]

BOOT_S: Final = 60.0
# Words that are tried first, and names of variables in the place of their values.
GUESSABLE: Final = re.compile(
    r"^(changeme|password|test|litellm|admin|secret|sk-(test|123|1234)|\$\{?\w+\}?)$"
)
# What the gateway has beside the case's own: its words, and no look for prices and tokenizers outside.
QUIET: Final = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "HF_HUB_OFFLINE": "1",
}
FORGOTTEN: Final = ("LITELLM_", "OPENAI_", "REDIS_", "ANTHROPIC_", "AWS_", "AZURE_", "DATABASE_")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gateway said of one case."""

    verdict: str
    detail: str
    validate_config: str = ""  # passes, refuses or hangs

    def as_dict(self, version: str) -> dict[str, str]:
        """Return it as it is recorded."""
        return {
            "litellm_version": version,
            "verdict": self.verdict,
            "detail": self.detail,
            "validate_config": self.validate_config,
        }


class RefusedError(Exception):
    """LiteLLM did not boot; the text is the last thing it said."""


class Host:
    """The process that has LiteLLM imported, see host.py; a context manager."""

    version: str

    def __enter__(self) -> Self:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.oracle.host"],
            cwd=CORPUS.parents[2],
            env=kept | QUIET,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.version = self._read()["ready"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Give it a request and return its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the oracle's host is gone"
        answer: dict[str, Any] = json.loads(line)
        return answer


class Oracle:
    """Judges cases with one host and one set of stand-ins."""

    def __init__(self, host: Host, standins: StandIns) -> None:
        self._host = host
        self._standins = standins

    def judge(self, case: Case, *, validate: bool = True) -> Verdict:
        """Say what the real gateway makes of a case; without `validate` its own validation is not asked."""
        here = case.at(self._standins.ports)
        validation = self._validate(here) if validate else ""
        verdict, detail = self._judge(here)
        return Verdict(verdict=verdict, detail=_anonymous(detail), validate_config=validation)

    def _judge(self, case: Case) -> tuple[str, str]:
        twin = replace(case, text=without_pointed(case.text))
        whole = names_of(case.text)
        named = {name: whole.get(name, what) for name, what in names_of(twin.text).items()}
        try:
            observed = self._observe(case, named)
        except RefusedError as error:
            return "refuses", str(error)
        except httpx.HTTPError as error:
            return "broken-route", f"it does not answer: {type(error).__name__}"
        if insecure := _insecure(case, observed):
            return "insecure", insecure
        if observed.failures:
            name, said = next(iter(observed.failures.items()))
            return "broken-route", f"{name}: {said}"
        if not observed.answers:
            return "broken-route", "no model is served"
        if stores_in_redis(case.text) and not observed.stored:
            return "ignored", "no answer is stored in Redis"
        if twin == case:
            return "works", f"{len(observed.answers)} answered"
        return self._compare(case, observed, twin, named)

    def _compare(
        self, case: Case, observed: Observed, twin: Case, named: Mapping[str, Name]
    ) -> tuple[str, str]:
        """Say whether what the case points at has an effect."""
        try:
            without = self._observe(twin, named)
        except RefusedError as error:
            return "works", f"without what is pointed at it does not boot: {error}"
        if without.effect == observed.effect:
            return "ignored", "without what is pointed at all is the same"
        if overruled(case.text) and without.behaviour == observed.behaviour:
            return "ignored", "without what is pointed at the same requests get the same answers"
        return "works", "what is pointed at has an effect"

    def _validate(self, case: Case) -> str:
        with self._laid_out(case.text) as config:
            self._host.ask(
                do="validate", config=str(config), log=f"{config}.log", environment=_environment(case)
            )
            return self._wait_for_end(BOOT_S)

    def _wait_for_end(self, within_s: float) -> str:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            status = self._host.ask(do="status")["status"]
            if status is not None:
                return "refuses" if status else "passes"
            time.sleep(0.02)
        self._host.ask(do="stop")
        return "hangs"

    @contextlib.contextmanager
    def _laid_out(self, text: str) -> Iterator[Path]:
        """Give the config a directory of its own, with the files that others include."""
        with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
            for part in (CORPUS.parent / "included").glob("*.*"):
                copy = fill_in(part.read_text(encoding="utf-8"), self._standins.ports)
                Path(folder, part.name).write_text(copy, encoding="utf-8")
            config = Path(folder, "config.yaml")
            config.write_text(text, encoding="utf-8")
            yield config

    def _observe(self, case: Case, named: Mapping[str, Name]) -> Observed:
        self._standins.reset()
        with self._laid_out(case.text) as config, _free_port() as port:
            log = Path(f"{config}.log")
            self._host.ask(
                do="boot", config=str(config), port=port, log=str(log), environment=_environment(case)
            )
            try:
                address = f"http://127.0.0.1:{port}"
                with httpx.Client(base_url=address, timeout=ANSWER_S, trust_env=False) as client:
                    self._wait_until_ready(client, log)
                    return interview(client, named, case, self._standins)
            finally:
                self._host.ask(do="stop")

    def _wait_until_ready(self, client: httpx.Client, log: Path) -> None:
        deadline = time.monotonic() + BOOT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/health/liveliness").status_code == 200:
                    return
            if self._host.ask(do="status")["status"] is not None:
                raise RefusedError(_last_words(log))
            time.sleep(0.03)
        raise RefusedError(f"not ready after {BOOT_S:.0f} s: {_last_words(log)}")


def _insecure(case: Case, observed: Observed) -> str:
    if observed.open_to_all:
        return "answers without a key"
    if GUESSABLE.match(master_key(case)) and any(one.status == 200 for one in observed.answers.values()):
        return "anybody guesses its key"
    for name, value in secrets_of(case.text):
        if value in observed.credentials:
            return f"what is written at {name} is a credential that works"
    return ""


def _environment(case: Case) -> dict[str, str]:
    base = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**base, **QUIET, **case.environment}


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Exit)\b", line)]
    return (errors or lines or ["nothing was said"])[-1][:300]


def _anonymous(text: str) -> str:
    """Return a text without what differs from run to run: ports, folders, addresses in memory."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"\S*oracle-\w+/", "", text)
    text = re.sub(r"0x[0-9a-f]+", "0x...", text)
    return " ".join(text.split())[:200]


@contextlib.contextmanager
def _free_port() -> Iterator[int]:
    """Give a free loopback port that nobody else is given meanwhile."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        yield keeper.getsockname()[1]
