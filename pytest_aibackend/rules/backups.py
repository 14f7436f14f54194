"""Check 10: every backup can be restored, and as many are kept as were promised."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Final

from pytest_aibackend.findings import Finding, Location, Problem, Severity
from pytest_aibackend.rules.registry import Group, declare_group, declare_rule, rule
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.backups import Backup, BackupTrouble, keep_newest_good, plan_retention

__all__ = ["BACKUPS", "RETENTION", "backup_findings"]

_WARNINGS: Final = ("backup-name", "backup-checksum-missing", "backup-exposed")


def _names(backend: Backend) -> list[str]:
    return [] if isinstance(backend.backups, BackupTrouble) else [backup.name for backup in backend.backups]


def _findings(backend: Backend) -> list[Finding]:
    return [] if isinstance(backend.backups, BackupTrouble) else backup_findings(backend.backups)


def backup_findings(backups: Iterable[Backup]) -> list[Finding]:
    """Return what is wrong with some backups."""
    return [
        Finding(
            rule=trouble.rule,
            severity=Severity.WARNING if trouble.rule in _WARNINGS else Severity.ERROR,
            message=trouble.message,
            hint=trouble.hint,
            location=Location(file=str(backup.path), line=trouble.line),
            subject=backup.name,
        )
        for backup in backups
        for trouble in backup.troubles
    ]


BACKUPS = declare_group(
    Group(id="backup", check=10, noun="backup", needs=("gateway",), subjects=_names, built_in=_findings)
)
RETENTION = declare_group(
    Group(
        id="retention",
        check=10,
        noun="backup directory",
        needs=("gateway",),
        subjects=lambda backend: [backend.gateway.deploy.backup_dir],
    )
)

_DOCUMENTED: Final = {
    "backup-name": """
        A file in the backup directory begins like a backup and is not named like one.

        Names are `litellm.yaml.backup-YYYYMMDD_HHMMSS`, in UTC, with `-N` where one second has several.
        Retention neither counts nor deletes such a file. Rename it or move it away.
    """,
    "backup-unreadable": """
        A backup cannot be read, so it cannot be restored.

        Its rights are wrong, or something else than a file has its name. Mend that, or delete it.
    """,
    "backup-exposed": """
        A backup can be read by other users of the machine.

        Gateway files may hold secrets. `chmod 600` it.
    """,
    "backup-checksum-missing": """
        A backup has no checksum beside it, so a damage to it would not be seen.

        The checksum is the file `NAME.sha256`, as `sha256sum` writes it. If the backup is good, write it.
    """,
    "backup-checksum": """
        A backup differs from what was backed up.

        It was edited or damaged. Do not restore it.
    """,
    "backup-not-yaml": """
        A backup is not YAML, or not a mapping: the gateway could not read it.

        Restored, it would keep the gateway from starting. Delete it.
    """,
    "backup-incomplete": """
        A backup lacks a section without which a gateway serves nothing.

        That section is `model_list`. Restored, the gateway would start and refuse every request. Delete it.
    """,
}
for _rule, _text in _DOCUMENTED.items():
    declare_rule(
        _rule, _text, group=BACKUPS.id, severity=Severity.WARNING if _rule in _WARNINGS else Severity.ERROR
    )


def _at_retention(backend: Backend, message: str, hint: str, key: str = "retention") -> Problem:
    return Problem(
        source="gateway",
        path=("deploy", key),
        message=message,
        hint=hint,
        subject=backend.gateway.deploy.backup_dir,
    )


@rule("backup-directory", group=RETENTION.id)
def backup_directory(backend: Backend) -> Iterator[Problem]:
    """The backup directory cannot be read.

    A reload could not back up what it replaces, so it would not begin. Mend its rights, or correct
    `deploy.backup_dir`.
    """
    if isinstance(backend.backups, BackupTrouble):
        yield _at_retention(backend, backend.backups.message, backend.backups.hint, "backup_dir")


@rule("no-backup", group=RETENTION.id, severity=Severity.WARNING)
def no_backup(backend: Backend) -> Iterator[Problem]:
    """There is no backup yet.

    Normal before the first reload; afterwards it means that somebody deletes them, or that
    `deploy.backup_dir` names another directory than the reloads use.
    """
    if not isinstance(backend.backups, BackupTrouble) and not backend.backups:
        yield _at_retention(
            backend,
            f"there is no backup in {backend.gateway.deploy.backup_dir} yet",
            "the first reload makes one; if there were reloads, correct deploy.backup_dir",
            "backup_dir",
        )


@rule("retention-not-kept", group=RETENTION.id, severity=Severity.WARNING)
def retention_not_kept(backend: Backend) -> Iterator[Problem]:
    """Backups lie about that the retention says should be gone.

    Rotation fails or was never run; the directory grows without end. `aibackend backups rotate` deletes them.
    """
    if isinstance(backend.backups, BackupTrouble):
        return
    plan = plan_retention(_names(backend), dt.datetime.now(dt.UTC), backend.gateway.deploy.retention)
    good = {backup.name for backup in backend.backups if backup.is_good}
    plan = keep_newest_good(plan, good.__contains__)
    surplus = sorted(kept.name for kept in plan if not kept.reasons)
    if surplus:
        keep = backend.gateway.deploy.retention
        yield _at_retention(
            backend,
            f"{len(surplus)} of {len(plan)} backups are older than the retention of {keep.recent} recent,"
            f" {keep.daily} daily and {keep.weekly} weekly, the oldest {surplus[0]}",
            "delete them with `aibackend backups rotate`",
        )
