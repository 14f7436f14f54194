"""The deployed file: read, and replaced at once so that a reader sees the old bytes or the new ones."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from pytest_aibackend.litellm.command import write_atomically

__all__ = ["SwapError", "clear_half_written", "read_deployed", "remove_deployed", "swap_in"]

_WHY: Final = {
    errno.ENOSPC: ("the disk is full", "make room"),
    errno.EDQUOT: ("the disk quota is used up", "make room"),
    errno.EROFS: ("the file system is read-only", "mount it for writing, or correct deploy.path"),
    errno.EACCES: ("permission denied", "run this as a user who may read and write there"),
    errno.EPERM: (
        "not permitted: the file is immutable, or its owner cannot be kept",
        "run this as root or as the file's owner; `lsattr` shows whether it is immutable",
    ),
    errno.EBUSY: ("it is a mount point of its own", "mount its directory instead of the file"),
}


class SwapError(Exception):
    """The deployed file cannot be used; it is as it was. The text says why, `hint` what to do."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


def read_deployed(target: Path) -> bytes | None:
    """Return the deployed bytes, None where there is no file yet; raises SwapError."""
    path = _real(target)
    if path.is_dir():
        raise SwapError(f"{target} is a directory", "correct deploy.path in gateway.yaml: it names a file")
    if path.exists() and not path.is_file():
        raise SwapError(f"{target} is not a regular file", "correct deploy.path in gateway.yaml")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise _explain(target, error, "read") from error
    if not path.parent.is_dir():
        raise SwapError(
            f"{target} cannot be written: there is no directory {path.parent}",
            "make it, or correct deploy.path in gateway.yaml",
        )
    return None


def swap_in(target: Path, raw: bytes) -> None:
    """Replace the deployed file at once, owner and mode kept, a symbolic link followed; raises SwapError."""
    path = _real(target)
    try:
        clear_half_written(target)
        write_atomically(path, raw, temporary=_temporary(path))
    except OSError as error:
        raise _explain(target, error, "written") from error


def remove_deployed(target: Path) -> None:
    """Remove the deployed file, where there was none before; raises SwapError."""
    try:
        _real(target).unlink(missing_ok=True)
    except OSError as error:
        raise _explain(target, error, "removed") from error


def clear_half_written(target: Path) -> None:
    """Remove what a killed run was writing beside the deployed file; raises OSError."""
    _temporary(_real(target)).unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.reload.tmp")


def _real(target: Path) -> Path:
    try:
        return target.resolve()
    except (OSError, RuntimeError) as error:
        raise SwapError(f"{target} cannot be followed: {error}", "mend the symbolic link") from error


def _explain(target: Path, error: OSError, verb: str) -> SwapError:
    why, hint = _WHY.get(
        error.errno or 0, (error.strerror or str(error), "look at the file and its directory")
    )
    return SwapError(f"{target} cannot be {verb}: {why}", hint)
