"""A LiteLLM config and the files that it includes, put together as LiteLLM does.

LiteLLM 1.106.2, proxy/common_utils/config_includes.py: lists are appended, every other section of an
included file takes the place of the one before it, and a file is read once. A file's own entries come
first, those of the files that it includes after all others.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Final

from pytest_aibackend.findings import Location, Path
from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.suppressions import suppressed_rules

__all__ = ["IncludeProblem", "LintFile", "Merged", "alone", "merge", "read_file", "read_regular_file"]

MAX_FILES: Final = 200
WRITER_MS: Final = 2000  # for somebody to begin to write to a pipe
_INCLUDE: Final = "include"


@dataclass(frozen=True, kw_only=True, eq=False)
class LintFile:
    """One file: what it says, and why not where it cannot be read."""

    display: str  # as it is named in findings
    path: str | None  # where it lies; None: standard input
    raw: bytes = field(repr=False)
    document: yaml_text.Document | None = field(default=None, repr=False)
    problems: tuple[yaml_text.YamlProblem, ...] = ()
    included: bool = False

    @cached_property
    def ignores(self) -> Mapping[int, frozenset[str]]:
        """Return the rule ids that comments silence, by line."""
        return suppressed_rules(self.raw.decode("utf-8-sig", errors="replace"))

    @property
    def data(self) -> dict[Any, Any] | None:
        """Return what the file says, None where it is not a mapping or not YAML."""
        data = self.document.data if self.document else None
        return data if isinstance(data, dict) else None

    def locate(self, path: Path) -> Location:
        """Return where a path of this file's data stands."""
        assert self.document is not None, "a file that is no YAML has no data"
        line, column = self.document.locate(path)
        return Location(file=self.display, line=line, column=column)


@dataclass(frozen=True, kw_only=True, slots=True)
class IncludeProblem:
    """What is wrong with an entry of `include:`, by the rule that reports it."""

    rule: str
    message: str
    hint: str
    location: Location


@dataclass(frozen=True, slots=True)
class _Part:
    """Which file a section, or some items of a list, came from."""

    file: LintFile
    first: int = 0  # index of its first item in the merged list


@dataclass(kw_only=True, slots=True)
class Merged:
    """All files together: the data as LiteLLM has it, and which file each part of it is from."""

    files: list[LintFile]
    data: dict[Any, Any]
    parts: dict[Any, list[_Part]]
    problems: list[IncludeProblem] = field(default_factory=list)

    def locate(self, path: Path) -> Location:
        """Return the place of a path of the merged data, in the file that it comes from."""
        parts = self.parts.get(path[0]) if path else None
        if not parts:
            return self.files[0].locate(path)
        part = parts[0]
        if len(parts) > 1 and len(path) > 1 and isinstance(path[1], int):
            part = next(part for part in reversed(parts) if part.first <= path[1] or part is parts[0])
            path = (path[0], path[1] - part.first, *path[2:])
        return part.file.locate(path)


def read_file(path: str) -> bytes:
    """Return the bytes of a file, one more than are allowed at most; raise OSError.

    A pipe is read like `<(command)` in a shell, but one that nobody writes to is not waited for.
    """
    with open(path, "rb", opener=_open_at_once) as opened:  # Path.open takes no opener
        if stat.S_ISFIFO(os.fstat(opened.fileno()).st_mode):
            _await_writer(opened.fileno())
        os.set_blocking(opened.fileno(), True)
        return opened.read(yaml_text.MAX_BYTES + 1)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _await_writer(pipe: int) -> None:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if poll.poll(WRITER_MS):
        return
    with suppress(BlockingIOError):  # there is a writer, who takes longer
        if not os.read(pipe, 1):
            raise TimeoutError(errno.ETIMEDOUT, "nobody writes to this pipe")


def read_regular_file(path: str) -> bytes:
    """Return the bytes of a file that a config names; a device or a pipe is no config. Raise OSError."""
    mode = FilePath(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(21, "Is a directory")
    if not stat.S_ISREG(mode):
        raise OSError(22, "Not a regular file")
    return read_file(path)


def merge(raw: bytes, display: str, path: str | None, read: Callable[[str], bytes]) -> Merged:
    """Read a config and all that it includes. Raises nothing: what is wrong is in the problems."""
    root = _load(raw, display, path)
    merged = Merged(files=[root], data={}, parts={})
    if root.data is not None:
        _append(merged, root)
        _follow(merged, root, read)
    return merged


def _load(raw: bytes, display: str, path: str | None, *, included: bool = False) -> LintFile:
    document, problems = yaml_text.parse(raw, keep_last=True)
    return LintFile(
        display=display,
        path=path,
        raw=raw,
        document=document,
        problems=tuple(problems),
        included=included,
    )


def _append(merged: Merged, file: LintFile) -> None:
    """Add a file's sections to what is there."""
    for section, value in (file.data or {}).items():
        if section == _INCLUDE and file.included:
            continue
        before = merged.data.get(section)
        if section in merged.data and isinstance(before, list) and isinstance(value, list):
            merged.parts[section].append(_Part(file, len(before)))
            merged.data[section] = [*before, *value]
            continue
        if section in merged.data:
            merged.problems.append(_overrides(merged, file, section))
        merged.data[section], merged.parts[section] = value, [_Part(file)]


def _overrides(merged: Merged, file: LintFile, section: Any) -> IncludeProblem:
    before = merged.locate((section,))
    return IncludeProblem(
        rule="include-overrides",
        message=f"{section} takes the place of all of {section} in {before}; LiteLLM joins lists only",
        hint=f"keep {section} in one of the files",
        location=file.locate((section,)),
    )


def _follow(merged: Merged, root: LintFile, read: Callable[[str], bytes]) -> None:
    """Read what is included, in LiteLLM's order: all of one file's entries before those that they name."""
    base = root.path or os.path.join(os.getcwd(), "config.yaml")  # noqa: PTH109, PTH118
    loaded = {_absolute(base)}
    pending = [(entry, root, base, index) for index, entry in enumerate(_entries(merged, root))]
    while pending:
        entry, declaring, declared_in, index = pending.pop(0)
        place = declaring.locate((_INCLUDE, index))
        path = _resolve(entry, declared_in, base)
        if path in loaded:
            merged.problems.append(_repeated(entry, place))
            continue
        if len(loaded) > MAX_FILES:
            merged.problems.append(_too_many(entry, place))
            return
        loaded.add(path)
        try:
            raw = read(path)
        except OSError as error:
            merged.problems.append(_unreadable(entry, error, place))
            continue
        display = _display(path, root, base)
        file = _load(raw, display, path, included=True)
        merged.files.append(file)
        _append(merged, file)
        pending += [(each, file, path, number) for number, each in enumerate(_entries(merged, file))]


def _repeated(entry: str, place: Location) -> IncludeProblem:
    return IncludeProblem(
        rule="include-repeated",
        message=f"{entry!r} is read already: LiteLLM passes over it",
        hint="remove the entry",
        location=place,
    )


def _too_many(entry: str, place: Location) -> IncludeProblem:
    return IncludeProblem(
        rule="include-unreadable",
        message=f"{entry!r} and what follows is not read here: more than {MAX_FILES} files are included",
        hint="put several of them into one file",
        location=place,
    )


def _unreadable(entry: str, error: OSError, place: Location) -> IncludeProblem:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return IncludeProblem(
            rule="include-missing",
            message=f"the included file {entry!r} does not exist: LiteLLM refuses to start",
            hint="name a file beside the one that includes it, or an absolute path",
            location=place,
        )
    reason = (error.strerror or type(error).__name__).lower()
    return IncludeProblem(
        rule="include-unreadable",
        message=f"the included file {entry!r} cannot be read ({reason}): LiteLLM refuses to start",
        hint="let the entry name a file that the gateway's user can read",
        location=place,
    )


def _entries(merged: Merged, file: LintFile) -> list[str]:
    """Return a file's entries of `include:`, reporting what is none."""
    data = file.data or {}
    if _INCLUDE not in data:
        return []
    listed = data[_INCLUDE]
    usable = isinstance(listed, list) and all(
        isinstance(entry, str) and "\0" not in entry for entry in listed
    )
    if not usable:
        merged.problems.append(
            IncludeProblem(
                rule="include-shape",
                message="include is not a list of file names: LiteLLM refuses to start",
                hint="write include: [models.yaml]",
                location=file.locate((_INCLUDE,)),
            )
        )
    return listed if usable and isinstance(listed, list) else []


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 # as LiteLLM: links are not followed


def _resolve(entry: str, declared_in: str, root: str) -> str:
    """Return the file that an entry names: beside the one that says so, or else beside the first one."""
    beside, beside_root = _beside(declared_in, entry), _beside(root, entry)
    return beside_root if not os.path.exists(beside) and os.path.exists(beside_root) else beside  # noqa: PTH110


def _beside(file: str, entry: str) -> str:
    return _absolute(os.path.join(os.path.dirname(file), entry))  # noqa: PTH118, PTH120


def _display(path: str, root: LintFile, base: str) -> str:
    """Return an included file's name as the first file's was given: relative to the same directory."""
    relative = os.path.relpath(path, os.path.dirname(_absolute(base)))  # noqa: PTH120
    directory = os.path.dirname(root.display) if root.path else ""  # noqa: PTH120
    return os.path.normpath(os.path.join(directory, relative))  # noqa: PTH118


def alone(document: yaml_text.Document, display: str) -> Merged:
    """Return a file that is parsed already as it is, without what it includes."""
    merged = Merged(
        files=[LintFile(display=display, path=None, raw=b"", document=document)], data={}, parts={}
    )
    _append(merged, merged.files[0])
    return merged
