"""The configuration before and after a pull request, read from git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_aibackend.diff.compare import compare
from pytest_aibackend.diff.formats import Comparison
from pytest_aibackend.diff.git import GitError, Repository, Revision
from pytest_aibackend.diff.reading import UnreadableError, read_revision, sources_at
from pytest_aibackend.graph.build import NEEDED, build_graph
from pytest_aibackend.graph.marking import mark_differences
from pytest_aibackend.graph.mermaid import render
from pytest_aibackend.graph.model import Graph

__all__ = ["Range", "Unread", "compare_range", "draw", "find_range"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """What a pull request would add: from where it parted to its newest commit."""

    repository: Repository
    old: Revision
    new: Revision


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """Nothing can be compared, for one side cannot be read."""

    is_new_side: bool
    why: str


def find_range(base: str, head: str, start: Path) -> Range:
    """Find where `head` parted from `base`; raises GitError."""
    repository = Repository(start)
    found = []
    for name in (base, head):
        revision = repository.revision(name)
        if revision is None:
            raise GitError(
                f"{name!r} is no revision of {repository.root}; fetch it, or name --base and --head"
            )
        found.append(revision)
    commit = found[1].commit
    return Range(
        repository=repository,
        old=repository.merge_base(*found),
        new=Revision(repository, commit[:12], commit),
    )


def compare_range(between: Range, config: Path) -> Comparison | Unread:
    """Return what changed in meaning."""
    sides = []
    for revision in (between.new, between.old):
        try:
            sides.append(read_revision(revision, config))
        except UnreadableError as error:
            return Unread(is_new_side=revision is between.new, why=str(error))
    new, old = sides
    return Comparison(
        old=(old.name, old.kind),
        new=(new.name, new.kind),
        changes=tuple(compare(old.meaning, new.meaning)),
        notes=(*old.notes, *new.notes),
    )


def draw(between: Range, config: Path) -> tuple[str | None, str | None]:
    """Return the routing before and after as Mermaid, with marks at what changes.

    None stands where there is nothing to draw.
    """
    before, after = (_graph(revision, config) for revision in (between.old, between.new))
    if before is not None and after is not None:
        before, after = mark_differences(before, after)
    return render(before) if before else None, render(after) if after else None


def _graph(revision: Revision, config: Path) -> Graph | None:
    with sources_at(revision, config) as backend:
        return build_graph(backend) if backend.is_loaded(*NEEDED) else None
