"""A private place for the candidate, and the removal of what killed runs left there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from pytest_aibackend.serving.state import StateDir

__all__ = ["clear_staging", "make_staging_area"]

_FOLDER: Final = "staging"
# What `write_private` leaves when its process is killed over it.
_HALF_WRITTEN: Final = (".journal.*", ".approved.json.*")
_HALF_VERIFIED: Final = ".verified.*"


def make_staging_area(state: StateDir) -> Path:
    """Return an empty directory that nobody else can look into; raises OSError."""
    folder = state.path / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return Path(tempfile.mkdtemp(dir=folder, prefix=f"{os.getpid()}-"))


def clear_staging(state: StateDir) -> None:
    """Remove every staging area and half-written file. Call it with the lock held: none is in use."""
    shutil.rmtree(state.path / _FOLDER, ignore_errors=True)
    patterns = [*_HALF_WRITTEN]
    if state.verified() is not None:
        patterns.append(_HALF_VERIFIED)  # else the gateway, which takes no lock, may be writing it just now
    for pattern in patterns:
        for path in state.path.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()
