"""The files of an import: all of them, or none, and nothing that was there is lost.

A directory that is new appears by one rename. In one that is there the old files are moved into a directory
that tells its time, and the new ones are renamed into their places. providers.yaml, without which nothing is
checked, generated or reloaded, is the first to go and the last source to come: whatever stops an import half
way, old and new sources are never taken for one configuration. The generated file, which a gateway may
serve, is there all the time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pytest_aibackend.importer.document import HalfDoneError, UnusablePathError
from pytest_aibackend.sources.backend import FILES

__all__ = ["refuse_overwriting", "write_all"]

STAGING: Final = ".aibackend-import"
KEPT: Final = "before-import"
_FIRST: Final = FILES["providers"]
_SERVED: Final = FILES["generated"]
_ANOTHER: Final = "another one with --output DIR"


def refuse_overwriting(directory: Path, inputs: tuple[Path, ...], *, force: bool) -> None:
    """Raise UnusablePathError where a file is there already, or is one of those that are imported."""
    nearest = next((path for path in (directory, *directory.parents) if os.path.lexists(path)), directory)
    if os.path.lexists(nearest) and not nearest.is_dir():
        raise UnusablePathError(f"{nearest} is not a directory; name {_ANOTHER}")
    there = [name for name in FILES.values() if os.path.lexists(directory / name)]
    for path in (directory / name for name in there):
        if path.is_symlink() or not path.is_file():
            what = "a link" if path.is_symlink() else "no regular file"
            raise UnusablePathError(f"{path} is {what}; move it away, or name {_ANOTHER}")
        if path.resolve() in {each.resolve() for each in inputs}:
            raise UnusablePathError(f"{path} is what is imported; name {_ANOTHER}")
    if there and not force:
        raise UnusablePathError(
            f"{directory} has {', '.join(there)} already; --force moves them into {KEPT}-... there"
        )
    for staging in (directory / STAGING, _beside(directory)):
        if os.path.lexists(staging) and not force:
            raise UnusablePathError(
                f"{staging} is left from an import that was stopped, or one is running; --force removes it"
            )


def write_all(directory: Path, texts: Mapping[str, str]) -> Path | None:
    """Write the files; return where those are that were there before, None where there were none.

    Raises UnusablePathError; the directory is then as it was.
    """
    try:
        if directory.exists():
            return _fill(directory, texts)
        _make(directory, texts)
    except OSError as error:
        raise UnusablePathError(f"{directory} cannot be written: {error.strerror}") from None
    return None


def _make(directory: Path, texts: Mapping[str, str]) -> None:
    parents = [folder for folder in directory.parents if not folder.exists()]
    staging = _beside(directory)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _stage(staging, texts)
        staging.rename(directory)
        _sync(directory.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        for folder in parents:  # the deepest first
            with suppress(OSError):
                folder.rmdir()
        raise


def _fill(directory: Path, texts: Mapping[str, str]) -> Path | None:
    staging = directory / STAGING
    exchange = _Exchange(directory)
    try:
        _stage(staging, texts)
        exchange.keep([name for name in texts if (directory / name).exists()])
        for name in sorted(texts, key=lambda name: (name == _SERVED, name == _FIRST)):
            exchange.put(staging / name)
        _sync(directory)
    except BaseException:
        try:
            exchange.undo()
        except OSError as error:
            raise HalfDoneError(
                f"{directory} cannot be put in order again: {error.strerror}; what was there is in it, or in"
                f" {exchange.kept}: move it back"
            ) from None
        shutil.rmtree(staging, ignore_errors=True)
        raise
    shutil.rmtree(staging, ignore_errors=True)
    return exchange.kept


def _beside(directory: Path) -> Path:
    return directory.parent / f"{STAGING}-{directory.name}"


def _stage(staging: Path, texts: Mapping[str, str]) -> None:
    """Write the files in a directory where nobody looks for them."""
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    for name, text in texts.items():
        with (staging / name).open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    _sync(staging)


@dataclass(slots=True)
class _Exchange:
    """Old files out, new ones in, and back again if something fails."""

    directory: Path
    kept: Path | None = None
    _moved: list[str] = field(default_factory=list)
    _put: list[str] = field(default_factory=list)

    def keep(self, names: list[str]) -> None:
        """Move old files away; the generated one is linked: it stays until the new one takes its place."""
        if not names:
            return
        self.kept = _new_directory(self.directory)
        for name in sorted(names, key=lambda name: (name != _SERVED, name != _FIRST)):
            self._moved.append(name)
            if name == _SERVED:
                _link(self.directory / name, self.kept / name)
            else:
                (self.directory / name).rename(self.kept / name)
        _sync(self.kept)
        _sync(self.directory)

    def put(self, new: Path) -> None:
        """Rename a new file into its place."""
        self._put.append(new.name)
        if new.name in self._moved and self.kept is not None:
            shutil.copymode(self.kept / new.name, new)
        new.replace(self.directory / new.name)

    def undo(self) -> None:
        """Put the old files back; needs no space."""
        for name in reversed(self._put):
            if name not in self._moved:
                (self.directory / name).unlink(missing_ok=True)
        if self.kept is None:
            return
        for name in reversed(self._moved):
            with suppress(FileNotFoundError):  # it was not moved yet
                (self.kept / name).replace(self.directory / name)
                (self.kept / name).unlink()  # still there where both are links to one file
        self.kept.rmdir()


def _new_directory(directory: Path) -> Path:
    stem, number = f"{KEPT}-{datetime.now(UTC):%Y%m%d_%H%M%S}", 0
    while True:
        kept = directory / (f"{stem}-{number}" if number else stem)
        try:
            kept.mkdir()
        except FileExistsError:
            number += 1
        else:
            return kept


def _link(path: Path, kept: Path) -> None:
    try:
        kept.hardlink_to(path)
    except OSError:  # a file system without hard links
        shutil.copy2(path, kept)


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
