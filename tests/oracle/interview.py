"""Asks a gateway that has booted: what it lists, what it answers, what reaches the providers behind it."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.fakes.server import Received
from tests.oracle.cases import Case
from tests.oracle.reading import Name, master_key
from tests.oracle.standins import StandIns

__all__ = ["ANSWER_S", "Observed", "interview"]

ANSWER_S: Final = 30.0
STORED_S: Final = 0.3  # what is cached is written after the answer
TRIES: Final = 12  # of a group with several deployments: one that is ever chosen is met
STORED_ANSWER: Final = re.compile(r"(^|:)[0-9a-f]{64}$")
BODIES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "embedding": ("/v1/embeddings", {"input": ["hi"]}),
    "rerank": ("/v1/rerank", {"query": "hi", "documents": ["a", "b"]}),
    "completion": ("/v1/completions", {"prompt": "hi"}),
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of the requests for one name."""

    status: int
    requests: int | None  # that reached providers; of several deployments it is chance
    asked: tuple[str, ...]  # with what, once each


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a booted gateway does."""

    listed: list[str]
    groups: list[str]  # of the deployments that it kept, one for each
    answers: dict[str, Answer]
    failures: dict[str, str]  # by name: what it said
    open_to_all: bool
    stored: bool  # an answer is in Redis
    credentials: str  # all that providers were given, for a secret to be found in
    state: dict[str, Any] = field(repr=False)

    @property
    def effect(self) -> Any:
        """Return what two configs must have in common that mean the same."""
        # Callbacks are lists of names: that a name is in one is no effect.
        settings = {
            section: {name: value for name, value in self.state[section].items() if "callback" not in name}
            for section in ("router", "litellm", "proxy")
        }
        return self.behaviour, self.groups, settings

    @property
    def behaviour(self) -> Any:
        """Return what a client and a provider see."""
        return self.listed, self.answers, self.open_to_all, self.stored


def interview(client: httpx.Client, named: Mapping[str, Name], case: Case, standins: StandIns) -> Observed:
    """Ask for each name, and look at what else is to be seen; the client must bring no key."""
    open_to_all = client.get("/v1/models").status_code == 200
    key = master_key(case)
    client.headers["Authorization"] = f"Bearer {key}"
    deployments = _data_at(client, "/model/info")
    listed = _data_at(client, "/v1/models")
    answers: dict[str, Answer] = {}
    failures: dict[str, str] = {}
    for name, what in named.items():
        answers[name], said = _ask_for(name, what, case, client, standins)
        if said:
            failures[name] = f"{answers[name].status} {said}"
    if "embed" in case.text and not failures:
        failures = _unhealthy(client)
    state = client.get("/oracle/state").json()
    headers = [value for asked in standins.received for value in asked.headers.values()]
    return Observed(
        listed=sorted(model["id"] for model in listed),
        groups=sorted(str(deployment["model_name"]) for deployment in deployments),
        answers=answers,
        failures=_with_outside(failures, state.pop("reached"), case.told("cloud")),
        open_to_all=open_to_all,
        stored=any(STORED_ANSWER.search(name) for name in standins.stored()),
        credentials="\n".join([*headers, key]),
        state=state,
    )


def _data_at(client: httpx.Client, path: str) -> list[dict[str, Any]]:
    answer = client.get(path)
    data: list[dict[str, Any]] = answer.json()["data"] if answer.status_code == 200 else []
    return data


def _ask_for(
    name: str, what: Name, case: Case, client: httpx.Client, standins: StandIns
) -> tuple[Answer, str]:
    """Return what came of it, and what was said if it failed."""
    before = len(standins.received)
    cached = "cache" in case.text
    tries = TRIES if what.deployments > 1 else 1 + cached
    answer = _ask(client, name, what.kind, case)
    while answer.status_code == 200 and (tries := tries - 1):
        time.sleep(STORED_S * cached)
        answer = _ask(client, name, what.kind, case)
    received = standins.received[before:]
    outcome = Answer(
        status=answer.status_code,
        requests=None if what.deployments > 1 else len(received),
        asked=tuple(sorted({_essence(request) for request in received})),
    )
    return outcome, "" if answer.status_code == 200 else _message(answer)


def _ask(client: httpx.Client, name: str, kind: str, case: Case) -> httpx.Response:
    words = " ".join(case.told("say")) or "hi"
    chat = ("/v1/chat/completions", {"messages": [{"role": "user", "content": words}]})
    path, body = BODIES.get(kind, chat)
    with contextlib.suppress(httpx.TimeoutException):
        return client.post(path, json={"model": name, **body})
    return httpx.Response(599, text=f"no answer within {ANSWER_S:.0f} s")


def _essence(request: Received) -> str:
    return f"{request.path} {json.dumps(request.body, sort_keys=True)}"


def _unhealthy(client: httpx.Client) -> dict[str, str]:
    health = client.get("/health").json()
    said = "; ".join(str(endpoint.get("error"))[:150] for endpoint in health.get("unhealthy_endpoints", ()))
    return {"/health": said} if health.get("unhealthy_count") else {}


def _with_outside(failures: dict[str, str], reached: list[str], clouds: list[str]) -> dict[str, str]:
    """Return the failures with the first place reached that is no cloud of the case's."""
    outside = [place for place in reached if place not in clouds]
    if outside:
        return {f"reaches {outside[0]}": "a place that the config does not name"} | failures
    return {} if clouds and all(cloud in reached for cloud in clouds) else failures


def _message(answer: httpx.Response) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(answer.json()["error"]["message"])[:300]
    return answer.text[:300]
