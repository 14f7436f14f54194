"""Gives a config to the real LiteLLM and says what came of it: the verdict.

refuses        it does not boot
insecure       it answers without a key, or with one that anybody guesses, or has a credential in its file
broken-route   it boots, and a model group or an alias does not answer a tiny request
ignored        all of that is well, and what the case points at has no effect: without it all is the same
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import httpx
import yaml

from tests.oracle.cases import CORPUS, MASTER_KEY, Case, fill_in
from tests.oracle.standins import StandIns

__all__ = ["Host", "Oracle", "Verdict"]

BOOT_S: Final = 60.0
ANSWER_S: Final = 30.0
STORED_S: Final = 0.3  # what is cached is written after the answer
POINTER: Final = re.compile(r"\s+# <- (no effect|overruled)$")
SECRET: Final = re.compile(r":\s*[\"']?([^\s\"']+)[\"']?\s+# <- secret$")
GUESSABLE: Final = frozenset(
    {"changeme", "password", "test", "litellm", "admin", "secret", "sk-test", "sk-123", "sk-1234"}
)
FORGOTTEN: Final = ("LITELLM_", "OPENAI_", "REDIS_", "ANTHROPIC_", "AWS_", "AZURE_", "DATABASE_")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gateway said of one case."""

    verdict: str
    detail: str
    validate_config: str = ""  # passes or refuses

    def as_dict(self, version: str) -> dict[str, str]:
        """Return it as it is recorded."""
        return {
            "litellm_version": version,
            "verdict": self.verdict,
            "detail": self.detail,
            "validate_config": self.validate_config,
        }


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a booted gateway does."""

    listed: list[str]
    groups: list[str]  # of the deployments that it kept, one for each
    answers: dict[str, tuple[int, int]]  # by name: status, and how many requests reached providers
    failures: dict[str, str]  # by name: what it said
    open_to_all: bool
    credentials: str  # all that providers were given, for a secret to be found in
    state: dict[str, Any] = field(repr=False)

    @property
    def effect(self) -> Any:
        """Return what two configs must have in common that mean the same."""
        # Callbacks are lists of names: that a name is in one is no effect.
        settings = {
            section: {name: value for name, value in self.state[section].items() if "callback" not in name}
            for section in ("router", "litellm")
        }
        return self.behaviour, self.groups, settings

    @property
    def behaviour(self) -> Any:
        """Return what a client and a provider see."""
        return self.listed, self.answers, self.open_to_all


class RefusedError(Exception):
    """LiteLLM did not boot; the text is the last thing it said."""


class Host:
    """The process that has LiteLLM imported, see host.py; a context manager."""

    version: str

    def __enter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.oracle.host"],
            cwd=CORPUS.parents[2],
            env=environment,
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
        verdict, detail = self._judge(here.text, here)
        return Verdict(verdict=verdict, detail=_anonymous(detail), validate_config=validation)

    def _judge(self, text: str, case: Case) -> tuple[str, str]:
        named = _named(_without_pointed(text))
        try:
            observed = self._observe(text, case, named)
        except RefusedError as error:
            return "refuses", str(error)
        except httpx.HTTPError as error:
            return "broken-route", f"it does not answer: {type(error).__name__}"
        if insecure := _insecure(text, case, observed):
            return "insecure", insecure
        if observed.failures:
            name, said = next(iter(observed.failures.items()))
            return "broken-route", f"{name}: {said}"
        if not observed.answers:
            return "broken-route", "no model is served"
        without = _without_pointed(text)
        if without == text:
            return "works", f"{len(observed.answers)} answered"
        twin = self._observe(without, case, named)
        if twin.effect == observed.effect:
            return "ignored", "without what is pointed at all is the same"
        if "# <- overruled" in text and twin.behaviour == observed.behaviour:
            return "ignored", "without what is pointed at the same requests get the same answers"
        return "works", "what is pointed at has an effect"

    def _validate(self, case: Case) -> str:
        with self._laid_out(case.text) as config:
            self._host.ask(
                do="validate", config=str(config), log=f"{config}.log", environment=_environment(case)
            )
            return "refuses" if self._wait_for_end(BOOT_S) else "passes"

    def _wait_for_end(self, within_s: float) -> int:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            status = self._host.ask(do="status")["status"]
            if status is not None:
                return int(status)
            time.sleep(0.02)
        self._host.ask(do="stop")
        return -1

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

    def _observe(self, text: str, case: Case, named: Mapping[str, str]) -> Observed:
        self._standins.reset()
        with self._laid_out(text) as config, _free_port() as port:
            log = Path(f"{config}.log")
            self._host.ask(
                do="boot", config=str(config), port=port, log=str(log), environment=_environment(case)
            )
            try:
                with httpx.Client(
                    base_url=f"http://127.0.0.1:{port}", timeout=ANSWER_S, trust_env=False
                ) as client:
                    self._wait_until_ready(client, log)
                    return self._interview(client, _master_key(text, case), named, case)
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

    def _interview(self, client: httpx.Client, key: str, named: Mapping[str, str], case: Case) -> Observed:
        bearer = {"Authorization": f"Bearer {key}"}
        info = client.get("/model/info", headers=bearer)
        deployments = info.json()["data"] if info.status_code == 200 else []
        listed = client.get("/v1/models", headers=bearer)
        answers: dict[str, tuple[int, int]] = {}
        failures: dict[str, str] = {}
        clouds = case.told("cloud")
        for name, kind in named.items():
            before = len(self._standins.received)
            answer = _ask(client, bearer, name, kind)
            if "cache" in case.text and answer.status_code == 200:
                time.sleep(STORED_S)
                answer = _ask(client, bearer, name, kind)
            answers[name] = (answer.status_code, len(self._standins.received) - before)
            if answer.status_code != 200:
                failures[name] = f"{answer.status_code} {_message(answer)}"
        if "embed" in case.text and not failures:
            health = client.get("/health", headers=bearer).json()
            failures = {"/health": _unhealthy(health)} if health.get("unhealthy_count") else {}
        open_to_all = client.get("/v1/models").status_code == 200
        state = client.get("/oracle/state").json()
        reached = state.pop("reached")
        if outside := [place for place in reached if place not in clouds]:
            failures.setdefault(f"reaches {outside[0]}", "a place that the config does not name")
        if clouds and all(cloud in reached for cloud in clouds):
            failures = {}
        headers = [value for asked in self._standins.received for value in asked.headers.values()]
        return Observed(
            listed=sorted(model["id"] for model in listed.json()["data"])
            if listed.status_code == 200
            else [],
            groups=sorted(deployment["model_name"] for deployment in deployments),
            answers=answers,
            failures=failures,
            open_to_all=open_to_all,
            credentials="\n".join([*headers, key]),
            state=state,
        )


def _unhealthy(health: Mapping[str, Any]) -> str:
    return "; ".join(str(endpoint.get("error"))[:150] for endpoint in health["unhealthy_endpoints"])


def _ask(client: httpx.Client, bearer: dict[str, str], name: str, kind: str) -> httpx.Response:
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        "embedding": ("/v1/embeddings", {"input": ["hi"]}),
        "rerank": ("/v1/rerank", {"query": "hi", "documents": ["a", "b"]}),
        "completion": ("/v1/completions", {"prompt": "hi"}),
    }
    chat = ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]})
    path, body = bodies.get(kind, chat)
    with contextlib.suppress(httpx.TimeoutException):
        return client.post(path, headers=bearer, json={"model": name, **body})
    return httpx.Response(599, text=f"no answer within {ANSWER_S:.0f} s")


def _named(text: str) -> dict[str, str]:
    """Return the names that a client may use, each with the kind of request it takes."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    data = data if isinstance(data, dict) else {}
    named: dict[str, str] = {}
    for path in data["include"] if isinstance(data.get("include"), list) else ():
        part = CORPUS.parent / "included" / str(path)
        named |= _named(part.read_text(encoding="utf-8")) if part.exists() else {}
    listed = data.get("model_list")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("model_name"), str):
            named.setdefault(entry["model_name"].replace("*", "some-model"), _kind(entry))
    settings = data.get("router_settings")
    aliases = settings.get("model_group_alias") if isinstance(settings, dict) else None
    for alias, target in aliases.items() if isinstance(aliases, dict) else ():
        name = target.get("model") if isinstance(target, dict) else target
        named[str(alias)] = named.get(name, "chat") if isinstance(name, str) else "chat"
    return named


def _kind(entry: Mapping[str, Any]) -> str:
    info, params = entry.get("model_info"), entry.get("litellm_params")
    mode = info.get("mode") if isinstance(info, dict) else None
    model = str(params.get("model")) if isinstance(params, dict) else ""
    return str(mode) if isinstance(mode, str) else "embedding" if "embed" in model else "chat"


def _without_pointed(text: str) -> str:
    """Return a config without what its comments point at."""
    kept: list[str] = []
    depth: int | None = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if depth is not None and (not line.strip() or indent > depth):
            continue
        depth = indent if POINTER.search(line) else None
        if depth is None:
            kept.append(line)
    return text if len(kept) == len(text.splitlines()) else "\n".join(kept) + "\n"


def _insecure(text: str, case: Case, observed: Observed) -> str:
    if observed.open_to_all:
        return "answers without a key"
    key = _master_key(text, case)
    if key in GUESSABLE and any(status == 200 for status, _ in observed.answers.values()):
        return "anybody guesses its key"
    for line in text.splitlines():
        found = SECRET.search(line)
        if found and found[1] in observed.credentials:
            return f"what is written at {line.split(':')[0].strip(' -')} is a credential that works"
    return ""


def _master_key(text: str, case: Case) -> str:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        data = None
    settings = data.get("general_settings") if isinstance(data, dict) else None
    given = settings.get("master_key") if isinstance(settings, dict) else None
    if isinstance(given, str) and given.startswith("os.environ/"):
        return case.environment.get(given.removeprefix("os.environ/"), "")
    return str(given) if given else case.environment.get("LITELLM_MASTER_KEY", MASTER_KEY)


def _environment(case: Case) -> dict[str, str]:
    base = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**base, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", **case.environment}


def _message(answer: httpx.Response) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(answer.json()["error"]["message"])[:300]
    return answer.text[:300]


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
