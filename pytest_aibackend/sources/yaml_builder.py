"""One pass over the parser's events: plain data, and where each key and item stands.

What came by an alias or a merge key stands where its anchor is. Nothing recurses, so hostile nesting ends in
a finding and not in a crash; an alias counts as what it expands to, so a "billion laughs" ends there too.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from pytest_aibackend.findings import Path
from pytest_aibackend.sources.secrets import is_secret_key
from pytest_aibackend.sources.yaml_anchors import Anchors
from pytest_aibackend.sources.yaml_problems import Place, RefusedError, YamlProblem, problem_at, unknown_tag
from pytest_aibackend.sources.yaml_scalars import MERGE, TEXT, VALUE, Scalars

__all__ = ["MAX_DEPTH", "MAX_VALUES", "Builder", "Document"]

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 2_000_000  # scalars, lists and mappings, aliases counted as what they stand for

_CONTAINER_TAGS: Final = {
    "tag:yaml.org,2002:map": MappingStartEvent,
    "tag:yaml.org,2002:seq": SequenceStartEvent,
}

Marks = dict[int, dict[Any, Place]]  # by the identity of a list or mapping: where its items or keys stand


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where it says it."""

    data: Any
    start: Place
    marks: Marks = field(repr=False)
    aliased: set[int] = field(repr=False)  # identities of the lists and mappings that aliases name

    def locate(self, path: Path) -> Place:
        """Return line and column, from 1, of the key or item at `path`, or of its nearest parent."""
        place, value = self.start, self.data
        for step in path:
            found = self.marks.get(id(value), {}).get(step)
            if found is None:
                break
            place, value = found, value[step]
        return place


@dataclass(slots=True)
class _Frame:
    """One list or mapping that is being filled."""

    container: Any
    marks: dict[Any, Place]
    size: int = 1
    anchor: str | None = None
    key: Any = None
    has_key: bool = False
    key_is_merge: bool = False
    merges: list[tuple[Any, Any]] = field(default_factory=list)
    first_lines: dict[Any, int] = field(default_factory=dict)  # of keys that stand here more than once


class Builder:
    """Takes the events of a text, one after the other; then has its document, and what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[YamlProblem] = []
        self._root: Any = None
        self._started = False
        self._start: Place = (1, 1)
        self._marks: Marks = {}
        self._aliased: set[int] = set()
        self._stack: list[_Frame] = []
        self._anchors = Anchors()
        self._values = 0
        self._scalars = Scalars()

    @property
    def document(self) -> Document | None:
        """Return what was read, None where there was nothing."""
        if not self._started:
            return None
        return Document(self._root, self._start, self._marks, self._aliased)

    def take(self, event: Any) -> None:
        """Take one event. Raises RefusedError where reading on makes no sense."""
        kind = type(event)
        if kind is ScalarEvent:
            self._scalar(event)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            self._open(event, {} if kind is MappingStartEvent else [])
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._close(event)
        elif kind is AliasEvent:
            self._alias(event)
        elif kind is DocumentStartEvent:
            if self._started:
                raise RefusedError(
                    problem_at(
                        event,
                        "several-documents",
                        "a second document begins here; a configuration is one document",
                        "remove the line with ---, or move what follows into its own file",
                    )
                )
            self._started = True

    def _scalar(self, event: Any) -> None:
        self._count(event, 1)
        frame = self._stack[-1] if self._stack else None
        tag = self._scalars.tag_of(event)
        if frame is not None and not frame.has_key and isinstance(frame.container, dict):
            if tag == MERGE:
                frame.key, frame.has_key, frame.key_is_merge = "<<", True, True
                return
            if tag == VALUE:
                tag = TEXT
        value = event.value
        if tag != TEXT:
            value = self._scalars.construct(tag, event, is_secret=self._is_secret_place)
        if event.anchor:
            self._anchors.define(event, value)
        self._put(value, event, 1)

    def _open(self, event: Any, container: Any) -> None:
        if event.tag not in (None, "!") and _CONTAINER_TAGS.get(event.tag) is not type(event):
            raise RefusedError(unknown_tag(event.tag, event, is_shown=not self._is_secret_place()))
        if len(self._stack) >= MAX_DEPTH:
            raise RefusedError(
                problem_at(
                    event,
                    "too-deep",
                    f"values are nested more than {MAX_DEPTH} deep here",
                    "a configuration is a few levels deep: look for brackets or indentation that never close",
                )
            )
        self._count(event, 1)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and not frame.has_key:
            raise RefusedError(
                problem_at(
                    event,
                    "unusable-key",
                    "a list or mapping stands where a key must be text",
                    "quote the key, or look for a missing space or quote around { } or [ ]",
                )
            )
        self._note(frame, event)
        if event.anchor:
            self._anchors.open(event)
        marks = self._marks[id(container)] = {}
        self._stack.append(_Frame(container, marks, anchor=event.anchor))

    def _close(self, event: Any) -> None:
        frame = self._stack.pop()
        for value, mark_event in reversed(frame.merges):  # of several << the last wins
            self._merge(frame, value, mark_event)
        if frame.anchor:
            self._anchors.close(frame.anchor, frame.container, frame.size)
        self._put(frame.container, event, frame.size, placed=True)

    def _alias(self, event: Any) -> None:
        value, size = self._anchors.value_of(event, is_secret=self._is_secret_place)
        self._aliased.add(id(value))
        self._count(event, size)
        self._put(value, event, size)

    def _is_secret_place(self) -> bool:
        """Say whether what is being read stands below a key of secrets."""
        return any(frame.has_key and is_secret_key(frame.key) for frame in self._stack)

    def _merge(self, frame: _Frame, value: Any, event: Any) -> None:
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if not isinstance(part, dict):
                raise RefusedError(
                    problem_at(
                        event,
                        "unusable-merge",
                        f"<< merges mappings, and this is a {type(part).__name__}",
                        "let << name an anchor of a mapping, or a list of such",
                    )
                )
            for key, item in part.items():
                if key not in frame.container:
                    frame.container[key] = item
                    frame.marks[key] = self._marks[id(part)][key]

    def _note(self, frame: _Frame | None, event: Any) -> None:
        """Note where the document, or an item of a list, begins; keys are noted when they are read."""
        if frame is None:
            self._start = _place(event)
        elif isinstance(frame.container, list):
            frame.marks[len(frame.container)] = _place(event)

    def _put(self, value: Any, event: Any, size: int, *, placed: bool = False) -> None:
        """Store a finished value in its parent; `placed` says that its place is noted already."""
        if not self._stack:
            if not placed:
                self._note(None, event)
            self._root = value
            return
        frame = self._stack[-1]
        frame.size += size
        if isinstance(frame.container, list):
            if not placed:
                self._note(frame, event)
            frame.container.append(value)
        elif not frame.has_key:
            self._key(frame, value, event)
        else:
            if frame.key_is_merge:
                frame.merges.append((value, event))
            else:
                frame.container[frame.key] = value
            frame.has_key = frame.key_is_merge = False

    def _key(self, frame: _Frame, key: Any, event: Any) -> None:
        if not isinstance(key, Hashable):
            raise RefusedError(
                problem_at(
                    event,
                    "unusable-key",
                    "an alias of a list or mapping stands where a key must be text",
                    "write the key out",
                )
            )
        if key in frame.container:
            first = frame.first_lines.setdefault(key, frame.marks[key][0])
            line = event.start_mark.line + 1
            self.problems.append(
                problem_at(
                    event,
                    "duplicate-key",
                    f"key {key!r} stands twice in one mapping: in line {first} and here;"
                    " YAML readers keep the last one and drop the first without a word",
                    f"keep one of lines {first} and {line}" if line != first else "keep one of them",
                )
            )
        frame.marks[key] = _place(event)
        frame.key, frame.has_key = key, True

    def _count(self, event: Any, size: int) -> None:
        self._values += size
        if self._values > MAX_VALUES:
            raise RefusedError(
                problem_at(
                    event,
                    "too-many-values",
                    f"the file stands for more than {MAX_VALUES:,} values here,"
                    " counting what its aliases expand to",
                    "write it without nested aliases, or split it",
                )
            )


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1
