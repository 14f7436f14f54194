"""After the signal: does every worker of the gateway serve what was deployed?

Where the gateway runs under our supervisor, each worker says which bytes it serves, so nothing is left to
chance. Any other LiteLLM is asked so often that every worker has been met. Either way its answers over HTTP
count: alive, ready, the model groups of the candidate, the cache, and one tiny completion if that is wanted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pytest_aibackend.deploy.canary.words import explain_error
from pytest_aibackend.litellm.served import ServedGroups, expected_groups, is_expansion
from pytest_aibackend.serving.state import StateDir, WorkerNote, WorkerState, sha256
from pytest_aibackend.sources import yaml_text

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import GatewayObservation

__all__ = ["Verification", "cache_trouble", "verify"]

POLL_S: Final = 0.05
ASK_WITHIN_S: Final = 10.0
ASKS_NOTED: Final = 4  # each worker has said what it serves; the lists are only to confirm it
ASKS_BLIND: Final = 12
ROUNDS_BLIND: Final = 3  # in a row, without a contradiction


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """Whether the gateway serves what it should."""

    ok: bool
    reasons: tuple[str, ...]  # why not; the last state seen before the time was up
    workers: int  # that were seen to serve it; 0 where the gateway keeps no notes
    seconds: float


def verify(
    *,
    url: str,
    raw: bytes,
    state: StateDir,
    api_key: str | None,
    within_s: float,
    completion: bool,
    tell: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
) -> Verification:
    """Wait until every worker serves these bytes; say why not if that is not so within `within_s` seconds.

    `environment` is the gateway's, for what the file takes from there; `tell` is told what is waited for.
    """
    began = time.monotonic()
    watch = _Watch(url=url, raw=raw, state=state, api_key=api_key, completion=completion, since=began)
    good_rounds = 0
    while True:
        left = within_s - (time.monotonic() - began)
        seen = watch.look(min(ASK_WITHIN_S, max(left, 1.0)))
        good_rounds = good_rounds + 1 if not seen.reasons else 0
        if good_rounds >= (1 if seen.workers else ROUNDS_BLIND):
            break
        if seen.is_final or left <= 0:
            break
        if seen.reasons:
            tell(seen.reasons[0])
            time.sleep(POLL_S)
    reasons = seen.reasons
    if not reasons and environment is not None:
        trouble = cache_trouble(raw, environment)
        reasons = (trouble,) if trouble else ()
    return Verification(
        ok=not reasons, reasons=reasons, workers=seen.workers, seconds=time.monotonic() - began
    )


def cache_trouble(raw: bytes, environment: Mapping[str, str]) -> str | None:
    """Say what is wrong with the Redis that these bytes cache in; None if it answers, or there is none.

    LiteLLM itself starts and reports ready without its Redis (1.106.2, /health/readiness).
    """
    from pytest_aibackend.live import redis_target_of
    from pytest_aibackend.probes.run import run_probes
    from pytest_aibackend.probes.targets import ProbeTargets

    settings = _section(raw, "litellm_settings")
    target = redis_target_of(settings, environment)
    if target is None:
        return None
    target = replace(target, write_probe=False, scan_limit=0)
    seen = run_probes(ProbeTargets(redis=(target,)), timeout_s=ASK_WITHIN_S).redis[0]
    if seen.state.is_healthy:
        return None
    return f"the gateway's cache, redis at {seen.address}: {seen.detail or seen.state}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    reasons: tuple[str, ...]
    workers: int = 0
    is_final: bool = False  # waiting longer is of no use


@dataclass(frozen=True, kw_only=True, slots=True)
class _Watch:
    """What is looked at again and again."""

    url: str
    raw: bytes
    state: StateDir
    api_key: str | None
    completion: bool
    since: float  # of the monotonic clock: earlier failures are not ours

    def look(self, timeout_s: float) -> _Seen:
        """Look once: at the notes, and if they are good, over HTTP."""
        gateway = self.state.gateway_note()
        if gateway is None:
            return _Seen(reasons=self._ask(ASKS_BLIND, timeout_s))
        digest = sha256(self.raw)
        if gateway.refused_sha256 == digest:
            return _Seen(reasons=(f"the gateway refused the file: {gateway.refused_reason}",), is_final=True)
        failed = [note for note in self.state.failed_notes() if self._is_new(note, digest)]
        if failed:
            why = explain_error(failed[-1].reason, _parsed(self.raw))
            return _Seen(reasons=(f"a worker could not start on it: {why}",), is_final=True)
        waiting = _waits_for(self.state.worker_notes(), digest, gateway.workers)
        if waiting:
            trouble = f"; {gateway.last_trouble}" if gateway.master is None else ""
            return _Seen(reasons=(waiting + trouble,))
        return _Seen(reasons=self._ask(ASKS_NOTED, timeout_s), workers=gateway.workers)

    def _is_new(self, note: WorkerNote, digest: str) -> bool:
        return note.sha256 == digest and note.started > self.since - 1.0

    def _ask(self, asks: int, timeout_s: float) -> tuple[str, ...]:
        from pytest_aibackend.probes.run import run_probes
        from pytest_aibackend.probes.targets import GatewayTarget, ProbeTargets

        groups = expected_groups(_parsed(self.raw))
        target = GatewayTarget(
            url=self.url,
            api_key=self.api_key,
            expected_groups=groups.names if groups else None,
            asks=asks,
            completions=self.completion,
            completion_groups=groups.chat[:1] if groups else None,
        )
        seen = run_probes(ProbeTargets(gateways=(target,)), timeout_s=timeout_s).gateways[0]
        return tuple(_troubles(seen, groups))


def _waits_for(notes: list[WorkerNote], digest: str, workers: int) -> str:
    """Say what is still missing until all workers serve these bytes; "" when nothing is."""
    ready = [note for note in notes if note.state is WorkerState.READY]
    new = [note for note in ready if note.sha256 == digest]
    if len(new) < workers:
        return f"{len(new)} of {workers} workers serve it"
    old = len([note for note in notes if note.serves]) - len(new)
    if old:
        return f"{old} old worker{'s' if old > 1 else ''} still answer{'' if old > 1 else 's'}"
    return ""


def _troubles(seen: GatewayObservation, groups: ServedGroups | None) -> list[str]:
    """Return what is wrong with a gateway's answers."""
    troubles = [
        f"{answer.endpoint or seen.url}: {answer.detail}"
        for answer in (seen.liveness, seen.readiness, seen.models)
        if not answer.state.is_healthy
    ]
    if troubles or groups is None:
        return troubles
    if seen.missing_groups:
        troubles.append(f"it does not serve {_listed(seen.missing_groups)}")
    ghosts = [name for name in seen.ghost_groups if not is_expansion(name, groups.wildcards)]
    if ghosts:
        troubles.append(f"it serves {_listed(ghosts)}, which the file does not name")
    troubles += [
        f"a completion of {each.group!r} fails: {each.detail}"
        for each in seen.completions
        if not each.state.is_healthy
    ]
    return troubles


def _listed(names: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _parsed(raw: bytes) -> Any:
    document, _ = yaml_text.parse(raw)
    return document.data if document is not None else None


def _section(raw: bytes, name: str) -> Mapping[str, Any]:
    data = _parsed(raw)
    section = data.get(name) if isinstance(data, dict) else None
    return section if isinstance(section, dict) else {}
