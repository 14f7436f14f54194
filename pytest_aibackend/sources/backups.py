"""The backups of the deployed file: how they are named, what is wrong with one, and which are kept.

Names carry UTC, so the plan does not care for time zones or daylight saving. The plan is a pure function
of names and now. A clock that jumped, forwards or back, makes it keep more, never less.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.models import Retention

__all__ = [
    "CHECKSUM",
    "PREFIX",
    "Backup",
    "BackupTrouble",
    "Kept",
    "backup_time",
    "is_restorable",
    "keep_newest_good",
    "plan_retention",
    "read_backups",
    "read_one",
    "troubles_of",
]

PREFIX: Final = "litellm.yaml.backup-"
CHECKSUM: Final = ".sha256"
REQUIRED_SECTIONS: Final = ("model_list",)
_NAME: Final = re.compile(r"litellm\.yaml\.backup-([0-9]{8})_([0-9]{6})(?:-([0-9]{1,4}))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupTrouble:
    """One thing that is wrong with a backup: the rule's id, the fact and the next act."""

    rule: str
    message: str
    hint: str
    line: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """One file in the backup directory that bears the prefix of a backup."""

    path: Path
    troubles: tuple[BackupTrouble, ...]

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.path.name

    @property
    def is_good(self) -> bool:
        """Say whether it can be restored; one that others can read can."""
        return all(trouble.rule == "backup-exposed" for trouble in self.troubles)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the retention says of one backup: kept for these reasons, or, without one, to be deleted."""

    name: str
    reasons: tuple[str, ...]
    trouble: str = ""  # why it could not be deleted


def backup_time(name: str) -> tuple[dt.datetime, int] | None:
    """Return the time in UTC and the number within its second that a backup's name says, None for others."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    try:
        moment = dt.datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return moment, int(match[3] or 0)


def plan_retention(names: Iterable[str], now: dt.datetime, retention: Retention) -> list[Kept]:
    """Say for each backup, the newest first, why it is kept; files that are no backups are left out.

    Kept are the `recent` newest whatever their age, the newest of each of the last `daily` days, and the
    newest of each of the last `weekly` ISO weeks. `now` must know its time zone. Backups of the future say
    that the clock is wrong now, or was when they were made. So the rule is applied twice, as of the newest
    backup and as of now without them, and what either keeps is kept.
    """
    dated = [(moment, name) for name in names if (moment := backup_time(name)) is not None]
    dated.sort(reverse=True)
    past = [each for each in dated if each[0][0] <= now]
    by_newest = _reasons(dated, max([now, *(made for (made, _), _name in dated[:1])]), retention)
    by_clock = _reasons(past, now, retention)
    return [
        Kept(name=name, reasons=tuple(dict.fromkeys([*reasons, *by_clock.get(name, ())])))
        for name, reasons in by_newest.items()
    ]


def _reasons(
    dated: Sequence[tuple[tuple[dt.datetime, int], str]], now: dt.datetime, retention: Retention
) -> dict[str, list[str]]:
    today = now.astimezone(dt.UTC).date()
    this_week = today - dt.timedelta(days=today.weekday())
    days_seen: set[dt.date] = set()
    weeks_seen: set[dt.date] = set()
    found: dict[str, list[str]] = {}
    for position, ((made, _), name) in enumerate(dated):
        day = made.date()
        week = day - dt.timedelta(days=day.weekday())
        reasons = found[name] = []
        if position < retention.recent:
            reasons.append(f"one of the {retention.recent} newest")
        if day not in days_seen and (today - day).days < retention.daily:
            reasons.append(f"newest of {day.isoformat()}")
        if week not in weeks_seen and (this_week - week).days < 7 * retention.weekly:
            year, number, _weekday = day.isocalendar()
            reasons.append(f"newest of week {year}-W{number:02d}")
        days_seen.add(day)
        weeks_seen.add(week)
    return found


def keep_newest_good(plan: Sequence[Kept], is_good: Callable[[str], bool]) -> list[Kept]:
    """Return the plan with one more kept where it would delete the newest backup that can be restored.

    Only as many backups are asked after as it takes to know, and none where the plan deletes none.
    """
    if all(each.reasons for each in plan):
        return list(plan)
    good = next((each.name for each in plan if is_good(each.name)), None)
    return [
        replace(each, reasons=("newest that can be restored",))
        if each.name == good and not each.reasons
        else each
        for each in plan
    ]


def read_backups(directory: Path) -> list[Backup] | BackupTrouble:
    """Return the backups of a directory, checked one by one; an unreadable directory is a trouble.

    A directory that does not exist has no backups. Files of other names are nobody's business here.
    """
    try:
        entries = sorted(path for path in directory.iterdir() if path.name.startswith(PREFIX))
    except FileNotFoundError:
        return []
    except OSError as error:
        return BackupTrouble(
            rule="backup-directory",
            message=f"the backup directory {directory} cannot be read: {error.strerror}",
            hint="mend its rights, or correct deploy.backup_dir",
        )
    return [
        read_one(path)
        for path in entries
        if not path.name.endswith(CHECKSUM) or backup_time(path.name.removesuffix(CHECKSUM)) is None
    ]


def read_one(path: Path) -> Backup:
    """Return one backup, checked."""
    return Backup(path=path, troubles=_inspect(path))


def _inspect(path: Path) -> tuple[BackupTrouble, ...]:
    if backup_time(path.name) is None:
        return (
            BackupTrouble(
                rule="backup-name",
                message=f"{path.name} is not named {PREFIX}YYYYMMDD_HHMMSS",
                hint="rename it to the time it was made (UTC), or move it away: retention does not see it",
            ),
        )
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return (_unreadable(path, "Not a file"),)  # a pipe would keep us waiting
        raw = path.read_bytes()
    except OSError as error:
        return (_unreadable(path, error.strerror),)
    troubles = troubles_of(path, raw)
    if stat.S_IMODE(mode) & 0o077:
        troubles.append(
            BackupTrouble(
                rule="backup-exposed",
                message=f"{path.name} has mode {stat.S_IMODE(mode):04o}; others can read what it holds",
                hint=f"chmod 600 {path}",
            )
        )
    return tuple(troubles)


def _unreadable(path: Path, why: str | None) -> BackupTrouble:
    return BackupTrouble(
        rule="backup-unreadable",
        message=f"{path.name} cannot be read: {why}",
        hint="mend its rights, or delete it; it cannot be restored",
    )


def troubles_of(path: Path, raw: bytes) -> list[BackupTrouble]:
    """Return why a backup with these bytes should not be restored."""
    return [*_checksum(path, raw), *_content(path, raw)]


def is_restorable(raw: bytes) -> bool:
    """Say whether these bytes are a configuration that a gateway could serve something from."""
    return not _content(Path(), raw)


def _checksum(path: Path, raw: bytes) -> list[BackupTrouble]:
    sidecar = path.with_name(path.name + CHECKSUM)
    try:
        expected = sidecar.read_text(encoding="ascii").split()[0].lower()
    except (FileNotFoundError, IndexError, UnicodeDecodeError, OSError):
        return [
            BackupTrouble(
                rule="backup-checksum-missing",
                message=f"{path.name} has no readable checksum beside it ({sidecar.name})",
                hint=f"if it is good: sha256sum {path.name} > {sidecar.name}",
            )
        ]
    if hashlib.sha256(raw).hexdigest() != expected:
        return [
            BackupTrouble(
                rule="backup-checksum",
                message=f"{path.name} is not what was backed up: its SHA-256 differs from {sidecar.name}",
                hint="do not restore it; delete it and its checksum, or find out who changed it",
            )
        ]
    return []


def _content(path: Path, raw: bytes) -> list[BackupTrouble]:
    document, problems = yaml_text.parse(raw)
    if document is None or not isinstance(document.data, dict):
        why = problems[0].message if problems else "it is not a mapping"
        line = problems[0].line if problems else None
        return [
            BackupTrouble(
                rule="backup-not-yaml",
                message=f"{path.name} is not a gateway configuration: {why}",
                hint="do not restore it; delete it",
                line=line,
            )
        ]
    missing = [section for section in REQUIRED_SECTIONS if not document.data.get(section)]
    if missing:
        return [
            BackupTrouble(
                rule="backup-incomplete",
                message=f"{path.name} has no {', '.join(missing)}: restored, the gateway would serve nothing",
                hint="do not restore it; delete it",
            )
        ]
    return []
