"""Backups of the deployed file: made whole or not at all, rotated, read back only when they are intact.

A backup is two files, `NAME` and `NAME.sha256`. The checksum is written first and takes the name for us; the
bytes follow under a hidden name and are renamed when they are on disk. Whoever is killed in between leaves a
checksum or a hidden file without a backup, never half a backup; the next rotation sweeps them away.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from pytest_aibackend.sources.backups import (
    CHECKSUM,
    PREFIX,
    Kept,
    backup_time,
    keep_newest_good,
    plan_retention,
    read_one,
    troubles_of,
)
from pytest_aibackend.sources.models import Retention

__all__ = ["BackupError", "make_backup", "read_backup", "rotate"]

_DRAFT: Final = ".draft"
_MOST_IN_A_SECOND: Final = 10_000
_IN_THE_MAKING: Final = dt.timedelta(hours=1)  # leftovers younger than this may be somebody's work
_REMEDIES: Final = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "move the file away that is in its place"),
}


class BackupError(Exception):
    """A backup could not be made, found or trusted; says which, why and what to do."""


def make_backup(raw: bytes, directory: Path, now: dt.datetime) -> Path:
    """Keep these bytes as a backup of `now`, which must know its time zone; return its path.

    Both files are on disk, readable for their owner alone, when this returns; raises BackupError, and leaves
    nothing, when that cannot be. The directory is made if it is missing.
    """
    try:
        _make_directory(directory)
        stem = f"{PREFIX}{now.astimezone(dt.UTC):%Y%m%d_%H%M%S}"
        for number in range(_next_number(directory, stem), _MOST_IN_A_SECOND):
            # Another one may take the number between our look and our try.
            with contextlib.suppress(FileExistsError):
                return _make(raw, directory / (f"{stem}-{number}" if number else stem))
    except OSError as error:
        act = _REMEDIES.get(error.errno or 0, "mend its rights")
        raise BackupError(
            f"no backup could be made in {directory}: {error.strerror}; {act}, or correct deploy.backup_dir"
        ) from error
    raise BackupError(
        f"{directory} already has {_MOST_IN_A_SECOND} backups of this second; wait for the next"
    )


def rotate(directory: Path, retention: Retention, now: dt.datetime, *, dry_run: bool) -> list[Kept]:
    """Delete what the retention does not keep; return what it says of each backup, the newest first.

    The newest backup stays, and the newest that can be restored, however many damaged ones are newer. Files
    that are no backups are not touched. A backup that could not be deleted says why in `trouble`, and the
    others go all the same. Raises BackupError where the directory cannot be read.
    """
    entries = _entries(directory)
    plan = plan_retention(entries, now, retention)
    plan = keep_newest_good(plan, lambda name: read_one(directory / name).is_good)
    if dry_run or not entries:
        return plan
    done = [each if each.reasons else _delete(directory, each) for each in plan]
    _sweep(directory, entries, now)
    _sync(directory)
    return done


def read_backup(directory: Path, name: str) -> bytes:
    """Return the bytes of a backup; raises BackupError if there is none, or it is not what was backed up."""
    if backup_time(name) is None:
        raise BackupError(f"{name!r} is not the name of a backup, {PREFIX}YYYYMMDD_HHMMSS")
    path = directory / name
    try:
        if not path.is_file():
            raise BackupError(f"there is no backup {name} in {directory}")
        raw = path.read_bytes()
    except OSError as error:
        raise BackupError(f"{name} cannot be read: {error.strerror}; mend its rights") from error
    for trouble in troubles_of(path, raw):
        raise BackupError(f"{trouble.message}; {trouble.hint}")
    return raw


def _make_directory(directory: Path) -> None:
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)  # mkdir's own mode is subject to the umask
        _sync(directory.parent)


def _next_number(directory: Path, stem: str) -> int:
    """Return a number above those of this second, so that the newest stays it when others are gone."""
    names = (path.name.removesuffix(CHECKSUM) for path in directory.iterdir() if path.name.startswith(stem))
    taken = [moment[1] for name in names if (moment := backup_time(name)) is not None]
    return max(taken, default=-1) + 1


def _make(raw: bytes, path: Path) -> Path:
    checksum, draft = _checksum_of(path), path.with_name(f".{path.name}{_DRAFT}")
    with contextlib.ExitStack() as undo:
        _write_new(checksum, f"{hashlib.sha256(raw).hexdigest()}  {path.name}\n".encode())
        undo.callback(_forget, checksum)
        _write_new(draft, raw)
        undo.callback(_forget, draft)
        draft.rename(path)
        undo.callback(_forget, path)
        _sync(path.parent)
        undo.pop_all()
    return path


def _write_new(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(raw)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        _forget(path)
        raise


def _delete(directory: Path, surplus: Kept) -> Kept:
    path = directory / surplus.name
    try:
        # The checksum last: without its backup it is swept away by the next rotation.
        path.unlink(missing_ok=True)
        _checksum_of(path).unlink(missing_ok=True)
    except OSError as error:
        return replace(surplus, trouble=error.strerror or str(error))
    return surplus


def _sweep(directory: Path, entries: Iterable[str], now: dt.datetime) -> None:
    """Remove what somebody who was killed left behind: checksums without a backup, and drafts."""
    for entry in entries:
        is_draft = entry.startswith(".") and entry.endswith(_DRAFT)
        name = entry[1:].removesuffix(_DRAFT) if is_draft else entry.removesuffix(CHECKSUM)
        moment = backup_time(name)
        if name == entry or moment is None or abs(now - moment[0]) < _IN_THE_MAKING:
            continue
        if is_draft or not os.path.lexists(directory / name):
            _forget(directory / entry)


def _entries(directory: Path) -> list[str]:
    try:
        return sorted(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BackupError(
            f"the backup directory {directory} cannot be read: {error.strerror}; correct deploy.backup_dir"
        ) from error


def _checksum_of(path: Path) -> Path:
    return path.with_name(path.name + CHECKSUM)


def _forget(path: Path) -> None:
    # What stays is harmless, and the reason why we are here is the one to be told.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    """Make the names in a directory last over a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
