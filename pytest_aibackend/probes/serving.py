"""What the gateway's own notes say: which bytes each worker serves, and which it ought to serve.

A gateway that runs under `aibackend serve` writes them into the state directory; of any other nothing is
known here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_aibackend.probes.plain import PlainData
from pytest_aibackend.serving.state import GatewayNote, StateDir, VerifiedNote, WorkerNote, sha256
from pytest_aibackend.sources.secrets import redact_line

__all__ = ["ServingObservation", "look_at_serving"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingObservation(PlainData):
    """The notes of one gateway, and the hash of the file that is deployed for it."""

    file: str  # the deployed one
    deployed_sha256: str | None  # None: there is none, or it cannot be read
    verified: VerifiedNote | None = None
    approved_sha256: str = ""  # bytes that it may load although nobody has verified them yet
    gateway: GatewayNote | None = None  # None: no gateway of ours runs
    workers: tuple[WorkerNote, ...] = ()  # those that are alive
    failed: tuple[WorkerNote, ...] = ()  # those that could not start

    @property
    def serving(self) -> tuple[WorkerNote, ...]:
        """Return the workers that take new requests."""
        return tuple(note for note in self.workers if note.serves)

    @property
    def served_sha256(self) -> tuple[str, ...]:
        """Return which bytes are served; more than one during a reload, or when something is wrong."""
        return tuple(sorted({note.sha256 for note in self.serving}))


def look_at_serving(state: StateDir, file: Path) -> ServingObservation:
    """Read the notes of the gateway of this state directory, whose deployed file is `file`."""
    gateway = state.gateway_note()
    return ServingObservation(
        file=str(file),
        deployed_sha256=_hash_of(file),
        verified=state.verified(),
        approved_sha256=state.approved(),
        gateway=None if gateway is None else _without_secrets(gateway),
        workers=() if gateway is None else tuple(_of_workers(state.worker_notes())),
        failed=() if gateway is None else tuple(_of_workers(state.failed_notes())),
    )


def _hash_of(file: Path) -> str | None:
    with contextlib.suppress(OSError):
        if file.is_file():
            return sha256(file.read_bytes())
    return None


def _without_secrets(note: GatewayNote) -> GatewayNote:
    """Return a note without what may be a secret: reasons are what LiteLLM said last."""
    return replace(
        note,
        refused_reason=redact_line(note.refused_reason),
        last_trouble=redact_line(note.last_trouble),
    )


def _of_workers(notes: list[WorkerNote]) -> Iterator[WorkerNote]:
    return (replace(note, reason=redact_line(note.reason)) for note in notes)
