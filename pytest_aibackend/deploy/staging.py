"""A private place for the candidate, and the removal of what killed runs left there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["clear_remains", "staging_area"]

_FOLDER: Final = "staging"
# What `write_private` is writing when its process is killed. Only a run of ours writes these, under the lock;
# verified.* is written by the gateway, too, so it is left until it is surely nobody's.
_OURS: Final = (".journal.*", ".approved.json.*")


@contextlib.contextmanager
def staging_area(state: Path) -> Iterator[Path]:
    """Yield an empty directory that nobody else can look into, gone at the end; raises OSError."""
    folder = state / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    area = Path(tempfile.mkdtemp(dir=folder, prefix=f"{os.getpid()}-"))
    try:
        yield area
    finally:
        clear_remains(state)


def clear_remains(state: Path) -> int:
    """Remove every staging area and half-written file; return how many. Call it only with the lock held."""
    folder = state / _FOLDER
    found = [*folder.glob("*")] if folder.is_dir() else []
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
    halves = [path for pattern in _OURS for path in state.glob(pattern)]
    for path in halves:
        with contextlib.suppress(OSError):
            path.unlink()
    return len(found) + len(halves)
