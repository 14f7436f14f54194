"""A rehearsal of the rotation: twenty backups spread over a month, in a directory of its own."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pytest_aibackend.deploy.backups.files import BackupError, make_backup, read_backup, rotate
from pytest_aibackend.deploy.backups.view import print_plan
from pytest_aibackend.sources.backups import CHECKSUM, Kept
from pytest_aibackend.sources.models import Retention

__all__ = ["rehearse"]

# Two a day for six days, then one every three days: the newest, the daily and the weekly ones differ.
AGES: Final = tuple(dt.timedelta(hours=12 * n) for n in range(12)) + tuple(
    dt.timedelta(days=6 + 3 * n) for n in range(8)
)
_CONTENT: Final = b"model_list:\n  - model_name: rehearsal\n    litellm_params: {model: openai/none}\n"
_FOREIGN: Final = "notes.txt"

Rotation = Callable[..., list[Kept]]  # as `files.rotate`


def rehearse(retention: Retention, rotation: Rotation = rotate) -> int:
    """Make twenty backups, rotate them, show it and look at what is left; return 0 if that is right, or 1."""
    now = dt.datetime.now(dt.UTC)
    with tempfile.TemporaryDirectory(prefix="aibackend-rotation-") as scratch:
        directory = Path(scratch)
        (directory / _FOREIGN).write_text("not a backup\n", encoding="ascii")
        for age in AGES:
            make_backup(_CONTENT, directory, now - age)
        plan = rotation(directory, retention, now, dry_run=False)
        print_plan(plan, directory, retention)
        wrong = list(_broken_promises(plan, rotation, directory, retention, now))
    for each in wrong:
        print(f"FAILED: {each}")
    if not wrong:
        print("OK: the newest is kept, what is left can be restored, rotating again deletes nothing")
    return 1 if wrong else 0


def _broken_promises(
    plan: Sequence[Kept], rotation: Rotation, directory: Path, retention: Retention, now: dt.datetime
) -> Iterator[str]:
    kept = [each.name for each in plan if each.reasons]
    left = {path.name for path in directory.iterdir()}
    if len(plan) != len(AGES):
        yield f"rotation saw {len(plan)} of {len(AGES)} backups"
    if kept[:1] != [each.name for each in plan][:1]:
        yield "the newest was deleted"
    if left != {_FOREIGN, *kept, *(name + CHECKSUM for name in kept)}:
        yield f"the directory holds other files than those that were to be kept: {', '.join(sorted(left))}"
    if any(not each.reasons for each in rotation(directory, retention, now, dry_run=False)):
        yield "rotating again deleted more"
    for name in kept:
        try:
            read_backup(directory, name)
        except BackupError as error:
            yield str(error)
