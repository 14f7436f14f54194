"""The journal: what a run is about to do, written before each act, so that a killed run can be undone.

    STATE/journal.json   who, since when, which step was reached, and three SHA-256
    STATE/journal.old    the bytes to return to; absent where there were none
    STATE/journal.new    the bytes being deployed

The step says how far the run had come, the hash of the deployed file what had really happened: a run may be
killed between the act and the next word in the journal.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from dataclasses import asdict, dataclass, replace
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.deploy.lock import user_name
from pytest_aibackend.serving.state import sha256, write_private

__all__ = ["Action", "Entry", "Journal", "Reached", "plan_recovery"]

SCHEMA_VERSION: Final = 1


class Reached(IntEnum):
    """How far a run has come."""

    INTENDED = 1  # nothing has been touched
    BACKED_UP = 2
    SWAPPED = 3  # the candidate is the deployed file; from here on the gateway may take it up
    SIGNALLED = 4  # or about to be: written before the signal
    VERIFIED = 5  # only tidying up is left

    @property
    def word(self) -> str:
        """Return it as people say it."""
        return self.name.lower().replace("_", " ")


class Action(StrEnum):
    """What is to be done about a run that did not end."""

    NOTHING = "nothing"  # it had touched nothing
    UNDO = "undo"  # put the old bytes back, and have the gateway take them up
    SIGNAL = "signal"  # the old bytes are back already, but the gateway may not know
    FINISH = "finish"  # the candidate was verified
    KEEP = "keep"  # somebody else has changed the deployed file since


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What the journal says. A SHA-256 that is None stands for "no file"."""

    pid: int
    user: str
    started: str  # ISO 8601, UTC
    reached: Reached
    target: str  # the deployed file
    before_sha256: str | None  # the deployed file, when the run began
    old_sha256: str | None  # what to return to
    new_sha256: str
    approved_before: str  # what the gateway was allowed to load, when the run began; "" for nothing
    backup: str | None = None
    trouble: str = ""  # why it could not be undone; "" for a run that was killed

    def describe(self) -> str:
        """Return who it was and how far it came."""
        who = f"a reload of pid {self.pid} by {self.user}"
        end = f"could not be undone ({self.trouble})" if self.trouble else "was killed"
        return f"{who}, begun {self.started}, {end} after {self.reached.word!r}"


def plan_recovery(entry: Entry, deployed_sha256: str | None) -> Action:
    """Say what to do about a run that did not end, from its journal and what is deployed now."""
    if entry.reached >= Reached.VERIFIED:
        return Action.FINISH
    is_in_place = entry.reached >= Reached.SWAPPED
    if deployed_sha256 == entry.new_sha256 and (is_in_place or entry.before_sha256 != entry.new_sha256):
        return Action.UNDO
    if deployed_sha256 == entry.before_sha256 and not is_in_place:
        return Action.NOTHING
    if deployed_sha256 == entry.old_sha256:
        return Action.SIGNAL
    return Action.KEEP


class Journal:
    """The journal of one state directory; used only by the holder of its lock."""

    def __init__(self, state: Path) -> None:
        """Name the places; nothing is read or written yet."""
        self._note = state / "journal.json"
        self._old = state / "journal.old"
        self._new = state / "journal.new"
        self.entry: Entry | None = None

    def begin(
        self, *, target: Path, before: bytes | None, old: bytes | None, new: bytes, approved_before: str
    ) -> None:
        """Write down what is intended, and keep the bytes that it takes to undo it; raises OSError."""
        if old is not None:
            write_private(self._old, old)
        write_private(self._new, new)
        entry = Entry(
            pid=os.getpid(),
            user=user_name(),
            started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            reached=Reached.INTENDED,
            target=str(target),
            before_sha256=_hash(before),
            old_sha256=_hash(old),
            new_sha256=sha256(new),
            approved_before=approved_before,
        )
        self._write(entry)

    def reach(self, reached: Reached, *, backup: str | None = None) -> None:
        """Note that a step is done; raises OSError."""
        assert self.entry is not None
        self._write(replace(self.entry, reached=reached, backup=backup or self.entry.backup))

    def note_trouble(self, text: str) -> None:
        """Note why the run could not be undone; raises OSError."""
        assert self.entry is not None
        self._write(replace(self.entry, trouble=text))

    def load(self) -> Entry | None:
        """Return what a run left that did not end; None where all is well.

        Raises ValueError for a journal that cannot be understood.
        """
        try:
            raw = self._note.read_bytes()
        except FileNotFoundError:
            return None
        try:
            plain: dict[str, Any] = json.loads(raw)
            assert plain.pop("schema_version") == SCHEMA_VERSION
            self.entry = Entry(**{**plain, "reached": Reached[plain["reached"]]})
        except (ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
            raise ValueError(f"{self._note} cannot be understood") from error
        return self.entry

    @property
    def old(self) -> bytes | None:
        """Return the bytes to return to; None where there were none, or where they are damaged."""
        return _read_whole(self._old, self.entry.old_sha256 if self.entry else None)

    @property
    def new(self) -> bytes | None:
        """Return the bytes that were being deployed; None where they are damaged."""
        return _read_whole(self._new, self.entry.new_sha256 if self.entry else None)

    def forget(self) -> None:
        """Remove the journal: the run has ended; raises OSError."""
        # The note first: copies without a note mean nothing, a note without copies promises too much.
        self._note.unlink(missing_ok=True)
        self.entry = None
        self.clear_copies()

    def clear_copies(self) -> None:
        """Remove copies that no note speaks of, as a run leaves them that was killed in between."""
        for path in (self._old, self._new):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def _write(self, entry: Entry) -> None:
        plain = {"schema_version": SCHEMA_VERSION, **asdict(entry), "reached": entry.reached.name}
        write_private(self._note, (json.dumps(plain, indent=1) + "\n").encode())
        # The name, too, has to be on disk before the act: the act itself will be.
        folder = os.open(self._note.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.entry = entry


def _hash(raw: bytes | None) -> str | None:
    return None if raw is None else sha256(raw)


def _read_whole(path: Path, expected: str | None) -> bytes | None:
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    return raw if sha256(raw) == expected else None
