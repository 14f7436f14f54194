"""The backups of the deployed file: how they are named, what is wrong with one, and which are kept.

Names carry UTC, so the plan does not care for time zones or daylight saving. The plan is a pure function
of names and now; a clock that jumped back cannot make it delete the newest.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.models import Retention

__all__ = ["Backup", "BackupTrouble", "Kept", "backup_time", "plan_retention", "read_backups"]

PREFIX: Final = "litellm.yaml.backup-"
CHECKSUM: Final = ".sha256"
REQUIRED_SECTIONS: Final = ("model_list",)
_NAME: Final = re.compile(r"litellm\.yaml\.backup-(\d{8})_(\d{6})(?:-(\d{1,4}))?")


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What the retention says of one backup: kept for these reasons, or, without one, to be deleted."""

    name: str
    reasons: tuple[str, ...]


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
    newest of each of the last `weekly` ISO weeks. `now` must know its time zone; where the newest backup
    is younger than that, its own time counts, for the clock has jumped.
    """
    dated = [(moment, name) for name in names if (moment := backup_time(name)) is not None]
    dated.sort(reverse=True)
    if not dated:
        return []
    today = max(now.astimezone(dt.UTC), dated[0][0][0]).date()
    this_week = today - dt.timedelta(days=today.weekday())
    days_seen: set[dt.date] = set()
    weeks_seen: set[dt.date] = set()
    plan = []
    for position, ((made, _), name) in enumerate(dated):
        day = made.date()
        week = day - dt.timedelta(days=day.weekday())
        reasons = []
        if position < retention.recent:
            reasons.append(f"one of the {retention.recent} newest")
        if day not in days_seen and (today - day).days < retention.daily:
            reasons.append(f"newest of {day.isoformat()}")
        if week not in weeks_seen and (this_week - week).days < 7 * retention.weekly:
            year, number, _weekday = day.isocalendar()
            reasons.append(f"newest of week {year}-W{number:02d}")
        days_seen.add(day)
        weeks_seen.add(week)
        plan.append(Kept(name=name, reasons=tuple(reasons)))
    return plan


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
        Backup(path=path, troubles=tuple(_inspect(path)))
        for path in entries
        if not path.name.endswith(CHECKSUM) or backup_time(path.name.removesuffix(CHECKSUM)) is None
    ]


def _inspect(path: Path) -> Sequence[BackupTrouble]:
    if backup_time(path.name) is None:
        return [
            BackupTrouble(
                rule="backup-name",
                message=f"{path.name} is not named {PREFIX}YYYYMMDD_HHMMSS",
                hint="rename it to the time it was made (UTC), or move it away: retention does not see it",
            )
        ]
    try:
        mode = path.stat().st_mode
        raw = path.read_bytes()
    except OSError as error:
        return [
            BackupTrouble(
                rule="backup-unreadable",
                message=f"{path.name} cannot be read: {error.strerror}",
                hint="mend its rights, or delete it; it cannot be restored",
            )
        ]
    troubles = [*_checksum(path, raw), *_content(path, raw)]
    if stat.S_IMODE(mode) & 0o077:
        troubles.append(
            BackupTrouble(
                rule="backup-exposed",
                message=f"{path.name} has mode {stat.S_IMODE(mode):04o}; others can read what it holds",
                hint=f"chmod 600 {path}",
            )
        )
    return troubles


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
