"""The files of an import: all of them, or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pytest_aibackend.importer.document import UnusablePathError

__all__ = ["refuse_overwriting", "write_all"]


def refuse_overwriting(directory: Path, names: list[str], inputs: tuple[Path, ...], *, force: bool) -> None:
    """Raise UnusablePathError where a file is there already, or is one of those that are imported."""
    if directory.exists() and not directory.is_dir():
        raise UnusablePathError(f"{directory} is not a directory; name one with --output DIR")
    there = [name for name in names if (directory / name).exists() or (directory / name).is_symlink()]
    for name in there:
        if (directory / name).resolve() in {path.resolve() for path in inputs}:
            raise UnusablePathError(
                f"{directory / name} is what is imported; name another directory with --output DIR"
            )
    if there and not force:
        raise UnusablePathError(f"{directory} has {', '.join(there)} already; --force replaces them")


def write_all(directory: Path, texts: Mapping[str, str]) -> None:
    """Write the files by renaming them into their places; what went wrong undoes what was done.

    Raises UnusablePathError; the directory is then as it was.
    """
    made = _missing(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".aibackend-import-", dir=directory) as staging:
            _write(directory, Path(staging), texts)
    except OSError as error:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        raise UnusablePathError(
            f"{directory} cannot be written: {error.strerror}; nothing was written"
        ) from None


def _missing(directory: Path) -> list[Path]:
    """Return the topmost directory that has to be made, if any."""
    found = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    return found[-1:]


def _write(directory: Path, staging: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        with (staging / name).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    done: list[str] = []
    try:
        for name in texts:
            if (directory / name).exists():
                shutil.copy2(directory / name, staging / f"{name}.old")
            (staging / name).replace(directory / name)
            done.append(name)
    except BaseException:
        for name in done:
            old = staging / f"{name}.old"
            if old.exists():
                old.replace(directory / name)
            else:
                (directory / name).unlink()
        raise
