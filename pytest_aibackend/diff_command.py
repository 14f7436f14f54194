"""`aibackend diff`: two configurations in, what their difference means out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from pytest_aibackend.diff.changes import ChangeClass
from pytest_aibackend.diff.compare import compare
from pytest_aibackend.diff.formats import Comparison, as_json, as_markdown, print_text
from pytest_aibackend.diff.git import GitError, Repository, Revision
from pytest_aibackend.diff.reading import Side, UnreadableError, read_bytes, read_path, read_revision
from pytest_aibackend.sources.yaml_text import MAX_BYTES

__all__ = ["DiffOptions", "run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffOptions:
    """What the command line asks for."""

    old: str
    new: str | None = None
    config: Path = Path("config")
    format: str = "text"
    fail_on: tuple[str, ...] = ()


class _UsageError(Exception):
    """What was asked for cannot be compared; the text says why."""


def run(options: DiffOptions) -> int:
    """Compare and print; return the exit status."""
    try:
        old, new = _sides(options)
        comparison = _compared(old, new)
    except (_UsageError, UnreadableError, GitError) as error:
        for line in str(error).splitlines():
            print(f"aibackend diff: {line}", file=sys.stderr)
        return 2
    _print(comparison, options.format)
    return int(any(comparison.has(ChangeClass(one)) for one in options.fail_on))


def _compared(old: Side, new: Side) -> Comparison:
    notes = (*old.notes, *new.notes)
    if old.kind != new.kind:
        file = old if old.kind == "file" else new
        notes += (
            f"{file.name} is LiteLLM's file: providers, ports and what else only sources say is left out",
        )
    return Comparison(
        old=(old.name, old.kind),
        new=(new.name, new.kind),
        changes=tuple(compare(old.meaning, new.meaning)),
        notes=notes,
    )


def _print(comparison: Comparison, how: str) -> None:
    if how == "json":
        sys.stdout.write(as_json(comparison))
    elif how == "markdown":
        sys.stdout.write(as_markdown(comparison))
    else:
        from rich.console import Console

        width = None if sys.stdout.isatty() else 120
        print_text(comparison, Console(markup=False, highlight=False, emoji=False, width=width))


def _sides(options: DiffOptions) -> tuple[Side, Side]:
    given = (options.old, options.new)
    if "" in given:
        raise _UsageError("an argument is empty; name a directory, a file or a git revision")
    if given == ("-", "-"):
        raise _UsageError("standard input can be read once; name another side")
    if options.new is not None:
        return _side(options.old, options), _side(options.new, options)
    for dots in ("...", ".."):
        first, found, second = options.old.partition(dots)
        if found and not Path(options.old).exists():
            old, new = _revision(first or "HEAD", options), _revision(second or "HEAD", options)
            if dots == "...":
                old = old.repository.merge_base(old, new)
            return read_revision(old, options.config), read_revision(new, options.config)
    if _found(options.old, options) is None and Path(options.old).exists():
        text = f"{options.old} is one configuration; name another one to compare it with, or a git revision"
        raise _UsageError(text)
    if not options.config.exists():
        raise _UsageError(f"there is no {options.config} in the working tree; name another with --config DIR")
    return _side(options.old, options), read_path(options.config)


def _side(text: str, options: DiffOptions) -> Side:
    """Read what one argument names: a path, `-`, REVISION:PATH or a revision."""
    if text == "-":
        return read_bytes(_standard_input(), "<stdin>")
    path = Path(text)
    if path.exists():
        if not text.startswith((".", "/")) and "/" not in text and _found(text, options) is not None:
            raise _UsageError(
                f"{text!r} is a path and a revision: write ./{text}, or {text}:{options.config}"
            )
        return read_path(path)
    name, colon, inside = text.partition(":")
    if colon:
        revision = _revision(name or "HEAD", options)
        is_from_here = inside.startswith(("./", "../"))  # as git has it; anything else is from the root
        there = Path(inside) if is_from_here else revision.repository.root / inside
        return read_revision(revision, there if inside else options.config)
    return read_revision(_revision(text, options), options.config)


def _standard_input() -> bytes:
    if sys.stdin is None:  # as with `<&-`
        raise _UsageError("standard input is closed; name another side")
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise _UsageError(f"standard input cannot be read: {error.strerror}") from error


def _found(text: str, options: DiffOptions) -> Revision | None:
    try:
        return Repository(options.config).revision(text)
    except GitError:
        return None


def _revision(name: str, options: DiffOptions) -> Revision:
    try:
        repository = Repository(options.config)
    except GitError as error:
        raise _UsageError(f"{name!r} is no path, and {error}") from error
    found = repository.revision(name)
    if found is None:
        hint = "; the clone is shallow: fetch the whole history" if repository.is_shallow else ""
        raise _UsageError(f"{name!r} is neither a path nor a revision of {repository.root}{hint}")
    return found
