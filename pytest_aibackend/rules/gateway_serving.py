"""Check 8: every worker of the gateway serves the deployed file, as its own notes say.

Only a gateway that runs under `aibackend serve` keeps such notes; of another one these rules say nothing.
`aibackend status` shows the same troubles.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.gateway_health import ENDPOINTS
from pytest_aibackend.rules.registry import LiveBackend, rule
from pytest_aibackend.serving.state import WorkerState

if TYPE_CHECKING:
    from pytest_aibackend.probes.serving import ServingObservation

__all__ = ["SERVING_RULES", "SHORT", "describe_served"]

SHORT: Final = 12  # digits of a SHA-256, as people are shown it
SERVING_RULES: Final = (
    "gateway-serves-other-file",
    "gateway-file-not-loaded",
    "gateway-workers-mixed",
    "gateway-worker-failed",
    "gateway-workers-missing",
)


def _seen(live: LiveBackend) -> Iterator[ServingObservation]:
    """Yield what the notes of a running gateway say."""
    seen: ServingObservation | None = live.observations.observations.serving
    if seen is not None and seen.gateway is not None and not seen.gateway.stopping:
        yield seen


def _problem(message: str, hint: str, severity: Severity | None = None) -> Problem:
    return Problem(
        source="deployed", path=(), message=message, hint=hint, subject="workers", severity=severity
    )


def describe_served(seen: ServingObservation, digest: str) -> str:
    """Return in words what bytes are: the deployed file, the last verified configuration, something else."""
    short = digest[:SHORT]
    if digest == seen.deployed_sha256:
        return f"the deployed file ({short})"
    if seen.verified is not None and digest == seen.verified.sha256:
        when = dt.datetime.fromtimestamp(seen.verified.at, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"the last verified configuration ({short}, {when})"
    return f"another configuration ({short})"


def _deployed(seen: ServingObservation) -> str:
    if seen.deployed_sha256 is None:
        return f"{Path(seen.file).name}, which cannot be read"
    return f"{Path(seen.file).name} ({seen.deployed_sha256[:SHORT]})"


def _served_alone(seen: ServingObservation) -> str | None:
    """Return what all workers serve, where it is one thing and not the deployed file."""
    served = seen.served_sha256
    return served[0] if len(served) == 1 and served[0] != seen.deployed_sha256 else None


def _is_approved(seen: ServingObservation) -> bool:
    """Say whether the gateway may load the deployed file."""
    known = {seen.approved_sha256, seen.verified.sha256 if seen.verified else ""}
    return seen.deployed_sha256 in known


@rule("gateway-serves-other-file", group=ENDPOINTS.id)
def gateway_serves_other_file(live: LiveBackend) -> Iterator[Problem]:
    """The gateway serves another configuration than the deployed file, which nobody has verified.

    Somebody changed that file past `aibackend reload`. The gateway does not load it, also not at its next
    start: it stays with the last verified configuration. `aibackend reload` deploys what the sources give;
    in its own gate this is a warning, for it is what is about to be mended.
    """
    severity = Severity.WARNING if live.backend.is_candidate else None
    for seen in _seen(live):
        served = _served_alone(seen)
        if served is not None and not _is_approved(seen):
            yield _problem(
                f"the gateway serves {describe_served(seen, served)}, not {_deployed(seen)}: {_why(seen)}",
                "make the change in the sources and run `aibackend reload`",
                severity,
            )


def _why(seen: ServingObservation) -> str:
    gateway = seen.gateway
    assert gateway is not None
    is_told = gateway.refused_reason and gateway.refused_sha256 == (seen.deployed_sha256 or "")
    reason = gateway.refused_reason if is_told else next((note.reason for note in seen.serving), "")
    return reason or "it was changed past `aibackend reload`, and the gateway will not load it"


@rule("gateway-file-not-loaded", group=ENDPOINTS.id, severity=Severity.WARNING)
def gateway_file_not_loaded(live: LiveBackend) -> Iterator[Problem]:
    """The deployed file passed the gate, and the gateway has not loaded it yet.

    A reload is under way, or nobody has told the gateway. It loads the file at its next start in any case.
    """
    for seen in _seen(live):
        served = _served_alone(seen)
        if served is not None and _is_approved(seen):
            assert seen.gateway is not None
            yield _problem(
                f"the gateway serves {describe_served(seen, served)}; {_deployed(seen)} is approved and not"
                " loaded yet",
                "if no reload is under way, run `aibackend reload`, or, where it has no service to signal,"
                f" kill -HUP {seen.gateway.pid}",
            )


@rule("gateway-workers-mixed", group=ENDPOINTS.id)
def gateway_workers_mixed(live: LiveBackend) -> Iterator[Problem]:
    """The gateway's workers serve different configurations.

    During a reload that is so for a second or two, and only a warning. Otherwise some workers did not take it
    up: whoever asks twice gets two answers.
    """
    for seen in _seen(live):
        if len(seen.served_sha256) < 2:
            continue
        counts = [
            f"{sum(note.sha256 == digest for note in seen.serving)} serve {describe_served(seen, digest)}"
            for digest in seen.served_sha256
        ]
        is_reload = any(note.state is WorkerState.LEAVING for note in seen.serving)
        yield _problem(
            f"of the gateway's {len(seen.serving)} workers {', '.join(counts)}",
            "wait for the reload to end; if it lasts, run `aibackend reload`",
            Severity.WARNING if is_reload else None,
        )


@rule("gateway-worker-failed", group=ENDPOINTS.id)
def gateway_worker_failed(live: LiveBackend) -> Iterator[Problem]:
    """A worker of the gateway could not start.

    As long as enough others serve it is a warning: they go on, and gunicorn tries again and again.
    """
    for seen in _seen(live):
        assert seen.gateway is not None
        enough = len(seen.serving) >= seen.gateway.workers
        # The newest of each reason: a worker that is started again and again fails each time.
        for note in {(note.sha256, note.reason): note for note in seen.failed}.values():
            yield _problem(
                f"a worker could not start on {describe_served(seen, note.sha256)}: {note.reason}",
                "mend the sources and run `aibackend reload`",
                Severity.WARNING if enough else None,
            )


@rule("gateway-workers-missing", group=ENDPOINTS.id)
def gateway_workers_missing(live: LiveBackend) -> Iterator[Problem]:
    """Fewer workers of the gateway serve than it was told to run.

    They are starting, or cannot start; the gateway's log says why. As long as one serves it is a warning.
    """
    for seen in _seen(live):
        assert seen.gateway is not None
        missing = seen.gateway.workers - len(seen.serving)
        if missing > 0:
            starting = sum(note.state is WorkerState.STARTING for note in seen.workers)
            more = f", {starting} more start" if starting else ""
            trouble = f"; {seen.gateway.last_trouble}" if seen.gateway.last_trouble else ""
            yield _problem(
                f"{len(seen.serving)} of the gateway's {seen.gateway.workers} workers serve{more}{trouble}",
                "wait a moment; if it stays so, look into the gateway's log",
                Severity.WARNING if seen.serving else None,
            )
