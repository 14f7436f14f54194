"""The history: one line of JSON for each run, in a log that rotates.

A line is appended in one write, so that runs which are refused by the lock may write at any time; only the
holder of the lock rotates. A line that was cut off, as by a full disk, spoils no other.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pytest_aibackend import __version__
from pytest_aibackend.deploy.lock import user_name
from pytest_aibackend.deploy.report import Report
from pytest_aibackend.sources.secrets import redact_text

__all__ = ["History", "record_of"]

SCHEMA_VERSION: Final = 1
MAX_BYTES: Final = 1024 * 1024
KEPT: Final = 5


class History:
    """The log of one state directory."""

    def __init__(self, state: Path, *, max_bytes: int = MAX_BYTES, kept: int = KEPT) -> None:
        """Name the places; nothing is read or written yet."""
        self._file = state / "history.jsonl"
        self._max_bytes = max_bytes
        self._kept = kept

    def append(self, record: dict[str, Any], *, rotate: bool) -> None:
        """Add one record; `rotate` only with the lock held. Raises OSError."""
        if rotate:
            self._rotate()
        line = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
        descriptor = os.open(self._file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, b"\n" + line if is_torn else line)
        finally:
            os.close(descriptor)

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the records, the oldest first; what is no record is left out. Raises OSError."""
        for path in (*reversed(self._older()), self._file):
            try:
                raw = path.read_bytes()
            except FileNotFoundError:
                continue
            for line in raw.splitlines():
                with contextlib.suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict):
                        yield record

    def _older(self) -> list[Path]:
        return [self._file.with_name(f"{self._file.name}.{number}") for number in range(1, self._kept + 1)]

    def _rotate(self) -> None:
        try:
            if self._file.stat().st_size < self._max_bytes:
                return
        except FileNotFoundError:
            return
        names = [self._file, *self._older()]
        for newer, older in reversed([*itertools.pairwise(names)]):
            if newer.exists():
                newer.replace(older)


def record_of(report: Report, began: dt.datetime) -> dict[str, Any]:
    """Return the record of a run: no finding, no text of the configuration, only what became of it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "when": began.isoformat(timespec="seconds"),
        "tool_version": __version__,
        "command": report.command,
        "config": report.config,
        "target": report.target,
        "user": user_name(),
        "sudo_user": os.environ.get("SUDO_USER"),
        "uid": os.getuid(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "outcome": str(report.outcome),
        "exit": report.exit,
        "reason": redact_text(report.reason),
        "old_sha256": report.old_sha256,
        "new_sha256": report.new_sha256,
        "backup": report.backup,
        "diff": {"added": report.added, "removed": report.removed},
        "gate": {name: report.gate[name] for name in ("open", "checks", "skipped", "warnings", "errors")}
        if report.gate
        else None,
        "canary": {name: report.canary[name] for name in ("ok", "seconds")} if report.canary else None,
        "seconds": _seconds(report),
        "recovered": [redact_text(text) for text in report.recovered],
    }


def _seconds(report: Report) -> dict[str, float]:
    """Return what each phase took; one that was done twice, as in a rollback, with its sum."""
    taken: dict[str, float] = {}
    for step in report.steps:
        taken[step.name] = round(taken.get(step.name, 0.0) + step.seconds, 3)
    return taken
