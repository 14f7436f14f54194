"""Ask the LiteLLM proxy: alive, ready, which model groups each worker serves, and whose key it takes.

Never `/health`: it calls every deployment, which costs time and money (litellm 1.106,
proxy/health_endpoints/_health_endpoints.py).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pytest_aibackend.probes.completions import complete_all
from pytest_aibackend.probes.http import Answer, Budget, HttpAsker, get_json, quote_body
from pytest_aibackend.probes.identify import LIVELINESS, guess_service, model_ids
from pytest_aibackend.probes.observations import (
    CompletionObservation,
    EndpointAnswer,
    GatewayObservation,
    GroupsAnswer,
    State,
)
from pytest_aibackend.probes.redact import clean_text, redact_url
from pytest_aibackend.probes.targets import GatewayTarget
from pytest_aibackend.probes.urls import BadUrlError, BaseUrl, parse_base_url

__all__ = ["probe_gateway", "probe_liveness"]

READINESS = "/health/readiness"
DETAILS = "/health/readiness/details"  # wants a key; has the version and the cache's type
# With the parameter, a wildcard group is listed under its own name beside what it expands to
# (litellm 1.106, proxy/auth/model_checks.py: _get_wildcard_models).
MODELS = "/v1/models?return_wildcard_routes=true"

_WORST_FIRST = [
    State.BAD_URL,
    State.DNS_ERROR,
    State.TLS_ERROR,
    State.DOWN,
    State.WRONG_SERVICE,
    State.REDIRECTED,
    State.TIMEOUT,
    State.BAD_RESPONSE,
    State.UNAUTHORISED,
    State.RATE_LIMITED,
    State.LOADING,
    State.SLOW,
    State.OK,
]


async def probe_gateway(target: GatewayTarget, budget: Budget) -> GatewayObservation:
    """Probe one gateway within the budget. Every network trouble is an observation, none is raised."""
    try:
        base = parse_base_url(target.url)
        key_headers = _key_headers(target.api_key)
    except BadUrlError as error:
        return _unasked(target, str(error))
    # A connection for each request: one that is kept would always meet the same worker.
    async with HttpAsker(base, budget, headers={}, keep=False) as asker:
        root = base.root
        wrong = _key_headers(f"sk-aibackend-probe-{secrets.token_hex(12)}")
        alive, ready, details, no_key, wrong_key, *lists = await asyncio.gather(
            asker.ask(root + LIVELINESS),
            asker.ask(root + READINESS),
            asker.ask(root + DETAILS, headers=key_headers),
            asker.ask(root + MODELS),
            asker.ask(root + MODELS, headers=wrong),
            *(asker.ask(root + MODELS, headers=key_headers) for _ in range(max(1, target.asks))),
        )
        completions: tuple[CompletionObservation, ...] = ()
        if target.completions and any(answer.is_ok for answer in lists):
            completions = await complete_all(asker, base, target, key_headers, budget)
    observed = _Asked(target=target, base=base, budget=budget, lists=lists)
    about = _details(ready, details)
    groups = observed.groups()
    endpoints = (_judge_liveness(alive), _judge_readiness(ready), observed.judge_lists())
    worst = min(endpoints, key=lambda each: _WORST_FIRST.index(each.state))
    answers = [alive, ready, *lists]
    if worst.state is State.WRONG_SERVICE and (guess := guess_service(answers)) is not None:
        worst = EndpointAnswer(
            endpoint=worst.endpoint,
            state=worst.state,
            detail=f"it does not answer as a LiteLLM proxy: it seems to be {guess}",
        )
    latency = max(answer.latency_s for answer in answers)
    state, detail = worst.state, worst.detail
    if state is State.OK and budget.is_slow(latency):
        state, detail = State.SLOW, f"it answers, but took {latency:.1f} s of {budget.timeout_s:g} s"
    missing, ghosts = _compare(target.expected_groups, [each.groups for each in groups])
    return GatewayObservation(
        name=target.name,
        url=base.shown,
        state=state,
        detail=detail,
        liveness=endpoints[0],
        readiness=endpoints[1],
        models=endpoints[2],
        latency_s=latency,
        version=about.get("litellm_version") or _version_header(answers),
        database=about.get("db"),
        cache=about.get("cache"),
        asks=len(lists),
        answered=sum(each.count for each in groups),
        served_groups=tuple(sorted({name for each in groups for name in each.groups})) if groups else None,
        answers=groups,
        missing_groups=missing,
        ghost_groups=ghosts,
        key_given=bool(target.api_key),
        key_accepted=_is_accepted(lists) if target.api_key else None,
        wrong_key_refused=None if wrong_key.status is None else not wrong_key.is_ok,
        wrong_key_status=wrong_key.status,
        no_key_refused=None if no_key.status is None else not no_key.is_ok,
        no_key_status=no_key.status,
        completions=completions,
    )


async def probe_liveness(url: str, timeout_s: float) -> EndpointAnswer:
    """Ask only whether the gateway lives, which takes no key and leaves nothing in its log."""
    try:
        base = parse_base_url(url)
    except BadUrlError as error:
        return EndpointAnswer(endpoint="", state=State.BAD_URL, detail=str(error))
    async with HttpAsker(base, Budget(timeout_s), headers={}, keep=False) as asker:
        return _judge_liveness(await asker.ask(base.root + LIVELINESS))


def _key_headers(key: str | None) -> dict[str, str]:
    if not key:
        return {}
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise BadUrlError("the gateway's key holds characters that cannot be sent in a header")
    return {"Authorization": f"Bearer {key}"}


def _unasked(target: GatewayTarget, why: str) -> GatewayObservation:
    nothing = EndpointAnswer(endpoint="", state=State.BAD_URL, detail=why)
    return GatewayObservation(
        name=target.name,
        url=redact_url(target.url),
        state=State.BAD_URL,
        detail=why,
        liveness=nothing,
        readiness=nothing,
        models=nothing,
        key_given=bool(target.api_key),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """The answers to /v1/models with the key."""

    target: GatewayTarget
    base: BaseUrl
    budget: Budget
    lists: Sequence[Answer]

    def groups(self) -> tuple[GroupsAnswer, ...]:
        """Return the distinct lists, the most frequent first."""
        found: Counter[tuple[str, ...]] = Counter()
        for answer in self.lists:
            ids = model_ids(get_json(answer)) if answer.is_ok else None
            if ids is not None:
                found[tuple(sorted({clean_text(each, longest=300) for each in ids}))] += 1
        ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return tuple(GroupsAnswer(groups=names, count=count) for names, count in ordered)

    def judge_lists(self) -> EndpointAnswer:
        """Return the worst of the answers."""
        judged = [
            _as_refusal(answer, has_key=bool(self.target.api_key))
            or _as_endpoint(
                answer, is_right=model_ids(get_json(answer)) is not None, wanted="a list of models"
            )
            for answer in self.lists
        ]
        return min(judged, key=lambda each: _WORST_FIRST.index(each.state))


def _as_endpoint(answer: Answer, *, is_right: bool, wanted: str) -> EndpointAnswer:
    state, detail = answer.state, answer.detail
    if answer.is_ok and not is_right:
        state, detail = State.WRONG_SERVICE, f"{answer.path} does not give {wanted}"
    elif answer.status in (404, 405):
        state, detail = State.WRONG_SERVICE, f"{answer.path} gives {answer.status}: not a LiteLLM proxy"
    elif not answer.is_ok and answer.status is not None:
        said = quote_body(answer)
        detail = f"{answer.path}: {answer.detail}" + (f" ({said})" if said else "")
    return EndpointAnswer(
        endpoint=answer.path.partition("?")[0],
        state=state,
        detail=detail,
        status_code=answer.status,
        latency_s=answer.latency_s if answer.status is not None else None,
    )


def _as_refusal(answer: Answer, *, has_key: bool) -> EndpointAnswer | None:
    """Return the answer as a refused key, if it is one.

    LiteLLM 1.106 without a database says 400 "No connected db." to a wrong key and 500 to none at all.
    """
    if answer.status is None or answer.is_ok or answer.status in (404, 405) or 300 <= answer.status < 400:
        return None
    plain = get_json(answer)
    error = plain.get("error") if isinstance(plain, dict) else None
    kind = str(error.get("type")) if isinstance(error, dict) else ""
    is_about_keys = answer.status in (401, 403) or kind in (
        "no_db_connection",
        "auth_error",
        "token_not_found",
    )
    if has_key and not is_about_keys:
        return None
    said = quote_body(answer)
    detail = "it refuses the key" if has_key else "it wants a key, and none was given"
    return EndpointAnswer(
        endpoint=answer.path.partition("?")[0],
        state=State.UNAUTHORISED,
        detail=f"{detail} ({answer.status}{': ' + said if said else ''})",
        status_code=answer.status,
        latency_s=answer.latency_s,
    )


def _judge_liveness(answer: Answer) -> EndpointAnswer:
    return _as_endpoint(answer, is_right=b"alive" in answer.body[:200], wanted='"I\'m alive!"')


def _judge_readiness(answer: Answer) -> EndpointAnswer:
    plain = get_json(answer)
    is_right = isinstance(plain, dict) and isinstance(plain.get("status"), str)
    return _as_endpoint(answer, is_right=is_right, wanted="a status in JSON")


def _details(*answers: Answer) -> dict[str, str]:
    about: dict[str, str] = {}
    for answer in answers:
        plain: Any = get_json(answer) if answer.status is not None else None
        if isinstance(plain, dict):
            about |= {
                name: clean_text(plain[name], longest=60)
                for name in ("litellm_version", "db", "cache")
                if isinstance(plain.get(name), str)
            }
    return about


def _version_header(answers: Sequence[Answer]) -> str | None:
    for answer in answers:
        if version := answer.headers.get("x-litellm-version"):
            return clean_text(version, longest=60)
    return None


def _is_accepted(lists: Sequence[Answer]) -> bool | None:
    if any(_as_refusal(answer, has_key=True) for answer in lists):
        return False
    return True if any(answer.is_ok for answer in lists) else None


def _compare(
    expected: Sequence[str] | None, lists: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the groups missing from at least one list, and those that no expected group explains."""
    if expected is None or not lists:
        return (), ()
    missing = sorted({name for groups in lists for name in set(expected) - set(groups)})
    wildcards = [name for name in expected if "*" in name]
    ghosts = sorted(
        name
        for name in {name for groups in lists for name in groups} - set(expected)
        if not any(fnmatchcase(name, pattern) for pattern in wildcards)
    )
    return tuple(missing), tuple(ghosts)
