"""Safe, bounded YAML: bytes in, plain data with the place of every value out.

One pass over the parser's events builds the data and notes where each key and item stands; what came
by an alias or a merge key stands where its anchor is. Nothing recurses, so hostile nesting ends in a
finding and not in a crash; aliases are counted as what they expand to, so a "billion laughs" ends there
too. Scalars get the meaning that PyYAML's safe loader gives them, because that is what LiteLLM reads its
file with (1.106.2, proxy/proxy_server.py).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.resolver import Resolver

from pytest_aibackend.findings import Path, suggest
from pytest_aibackend.sources.secrets import is_secret_key, show_value

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_VALUES", "Document", "YamlProblem", "parse"]

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 2_000_000  # scalars, lists and mappings, aliases counted as what they stand for

_REMEMBERED: Final = 10_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STR_TAG: Final = "tag:yaml.org,2002:str"
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"
_VALUE_TAG: Final = "tag:yaml.org,2002:value"
_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "binary", "merge", "value")
)
_CONTAINER_TAGS: Final = {
    "tag:yaml.org,2002:map": MappingStartEvent,
    "tag:yaml.org,2002:seq": SequenceStartEvent,
}


Place = tuple[int, int]  # line and column, from 1
Marks = dict[int, dict[Any, Place]]  # by the identity of a list or mapping: where its items or keys stand


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlProblem:
    """Why a text is not the YAML we read: rule id, place and remedy."""

    rule: str
    message: str
    hint: str
    line: int | None = None
    column: int | None = None


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


class _Scalars(SafeConstructor, Resolver):
    """PyYAML's own reading of a scalar, without its loader."""

    def __init__(self) -> None:
        SafeConstructor.__init__(self)
        Resolver.__init__(self)


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


class _RefusedError(Exception):
    """Ends the reading; carries the problem."""

    def __init__(self, problem: YamlProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def parse(raw: bytes, *, keep_last: bool = False) -> tuple[Document | None, list[YamlProblem]]:
    """Read one YAML document; return it, or None and why not, with every duplicate key named.

    With `keep_last` duplicate keys are problems, too, but the last of each is kept, as LiteLLM does.
    Raises nothing: whatever is wrong with the bytes is in the problems.
    """
    try:
        text = _decode(raw)
        return _build(text, keep_last=keep_last)
    except _RefusedError as refused:
        return None, [refused.problem]


def _decode(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise _RefusedError(
            YamlProblem(
                rule="file-too-large",
                message=f"the file has more than {MAX_BYTES:,} bytes, and is not read",
                hint="split it, or remove what does not belong in a configuration",
            )
        )
    try:
        # utf-8-sig: a byte order mark is no part of the first key.
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        looks = "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding, such as Latin-1"
        raise _RefusedError(
            YamlProblem(
                rule="not-utf8",
                message=f"byte 0x{raw[error.start]:02x} is not UTF-8; the file looks like {looks}",
                hint="save the file as UTF-8",
                line=line,
                column=column,
            )
        ) from None


def _build(text: str, *, keep_last: bool) -> tuple[Document | None, list[YamlProblem]]:
    builder = _Builder()
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise _RefusedError(_syntax(error, text)) from None
    try:
        while loader.check_event():
            builder.take(loader.get_event())
    except yaml.YAMLError as error:
        raise _RefusedError(_syntax(error, text)) from None
    finally:
        loader.dispose()
    if builder.problems and not keep_last:
        return None, builder.problems
    if not builder.started:
        raise _RefusedError(
            YamlProblem(
                rule="empty-file",
                message="the file holds no YAML: it is empty or has only comments",
                hint="write the settings, or restore the file from version control",
                line=1,
                column=1,
            )
        )
    return Document(builder.root, builder.start, builder.marks, builder.aliased), builder.problems


class _Builder:
    def __init__(self) -> None:
        self.root: Any = None
        self.started = False
        self.start: Place = (1, 1)
        self.marks: Marks = {}
        self.aliased: set[int] = set()
        self.problems: list[YamlProblem] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open_anchors: set[str] = set()
        self._values = 0
        self._scalars = _Scalars()
        self._resolver: Any = self._scalars.resolve
        self._tags: dict[str, str] = {}

    def take(self, event: Any) -> None:
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
            if self.started:
                raise _RefusedError(
                    _at(
                        event,
                        "several-documents",
                        "a second document begins here; a configuration is one document",
                        "remove the line with ---, or move what follows into its own file",
                    )
                )
            self.started = True

    def _scalar(self, event: Any) -> None:
        self._count(event, 1)
        frame = self._stack[-1] if self._stack else None
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._tag(event.value) if tag is None and event.implicit[0] else _STR_TAG
        is_key = frame is not None and isinstance(frame.container, dict) and not frame.has_key
        if is_key and tag == _VALUE_TAG:
            tag = _STR_TAG
        if frame is not None and is_key and tag == _MERGE_TAG:
            frame.key, frame.has_key, frame.key_is_merge = "<<", True, True
            return
        value = event.value if tag == _STR_TAG else self._construct(tag, event)
        if event.anchor:
            self._check_anchor(event)
            self._anchors[event.anchor] = (value, 1)
        self._put(value, event, 1)

    def _tag(self, text: str) -> str:
        """Return what a plain scalar is, remembered: keys and many values recur."""
        tag = self._tags.get(text)
        if tag is None:
            tag = str(self._resolver(yaml.ScalarNode, text, (True, False)))
            if len(self._tags) < _REMEMBERED:
                self._tags[text] = tag
        return tag

    def _construct(self, tag: str, event: Any) -> Any:
        if tag not in _PLAIN_TAGS:
            raise _RefusedError(_unknown_tag(tag, event, is_shown=not self._is_secret_place()))
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            return self._scalars.construct_object(node)
        except (ValueError, ConstructorError, KeyError, IndexError, OverflowError) as error:
            key = self._stack[-1].key if self._stack else None
            reason = "" if is_secret_key(key) else f" ({str(error).splitlines()[0][:100]})"
            raise _RefusedError(
                _at(
                    event,
                    "unreadable-value",
                    f"{show_value(key, event.value)} looks like a YAML {tag.rpartition(':')[2]}"
                    f" but is none{reason}",
                    "put it in quotes if it is meant as text",
                )
            ) from None

    def _open(self, event: Any, container: Any) -> None:
        if event.tag not in (None, "!") and _CONTAINER_TAGS.get(event.tag) is not type(event):
            raise _RefusedError(_unknown_tag(event.tag, event, is_shown=not self._is_secret_place()))
        if len(self._stack) >= MAX_DEPTH:
            raise _RefusedError(
                _at(
                    event,
                    "too-deep",
                    f"values are nested more than {MAX_DEPTH} deep here",
                    "a configuration is a few levels deep: look for brackets or indentation that never close",
                )
            )
        self._count(event, 1)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and isinstance(frame.container, dict) and not frame.has_key:
            raise _RefusedError(
                _at(
                    event,
                    "unusable-key",
                    "a list or mapping stands where a key must be text",
                    "quote the key, or look for a missing space or quote around { } or [ ]",
                )
            )
        self._note(frame, event)
        if event.anchor:
            self._check_anchor(event)
            self._open_anchors.add(event.anchor)
        marks = self.marks[id(container)] = {}
        self._stack.append(_Frame(container, marks, anchor=event.anchor))

    def _close(self, event: Any) -> None:
        frame = self._stack.pop()
        for value, mark_event in reversed(frame.merges):  # of several << the last wins
            self._merge(frame, value, mark_event)
        if frame.anchor:
            self._open_anchors.discard(frame.anchor)
            self._anchors[frame.anchor] = (frame.container, frame.size)
        self._put(frame.container, event, frame.size, placed=True)

    def _alias(self, event: Any) -> None:
        if event.anchor in self._open_anchors:
            raise _RefusedError(
                _at(
                    event,
                    "endless-alias",
                    f"alias *{event.anchor} stands inside the very value that it names",
                    "write the value out, or move the anchor",
                )
            )
        if event.anchor not in self._anchors and self._is_secret_place():
            raise _RefusedError(
                _at(
                    event,
                    "unknown-alias",
                    "an alias (not shown) has no anchor before it",
                    "quote the text if * is meant, or define the anchor first",
                )
            )
        if event.anchor not in self._anchors:
            near = suggest(event.anchor, self._anchors)
            raise _RefusedError(
                _at(
                    event,
                    "unknown-alias",
                    f"alias *{event.anchor} has no anchor &{event.anchor} before it",
                    f"did you mean *{near}?"
                    if near
                    else "define the anchor first, or quote the text if * is meant",
                )
            )
        value, size = self._anchors[event.anchor]
        self.aliased.add(id(value))
        self._count(event, size)
        self._put(value, event, size)

    def _is_secret_place(self) -> bool:
        """Say whether the value that is being read stands under a key of secrets."""
        return bool(self._stack) and is_secret_key(self._stack[-1].key)

    def _merge(self, frame: _Frame, value: Any, event: Any) -> None:
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if not isinstance(part, dict):
                raise _RefusedError(
                    _at(
                        event,
                        "unusable-merge",
                        f"<< merges mappings, and this is a {type(part).__name__}",
                        "let << name an anchor of a mapping, or a list of such",
                    )
                )
            for key, item in part.items():
                if key not in frame.container:
                    frame.container[key] = item
                    frame.marks[key] = self.marks[id(part)][key]

    def _check_anchor(self, event: Any) -> None:
        if event.anchor in self._anchors or event.anchor in self._open_anchors:
            raise _RefusedError(
                _at(
                    event,
                    "duplicate-anchor",
                    f"anchor &{event.anchor} is given a second time here, which PyYAML does not read",
                    "give one of them another name",
                )
            )

    def _note(self, frame: _Frame | None, event: Any) -> None:
        """Note where the document, or an item of a list, begins; keys are noted when they are read."""
        if frame is None:
            self.start = _place(event)
        elif isinstance(frame.container, list):
            frame.marks[len(frame.container)] = _place(event)

    def _put(self, value: Any, event: Any, size: int, *, placed: bool = False) -> None:
        """Store a finished value in its parent; `placed` says that its place is noted already."""
        if not self._stack:
            if not placed:
                self._note(None, event)
            self.root = value
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
            raise _RefusedError(
                _at(
                    event,
                    "unusable-key",
                    "a list or mapping stands where a key must be text",
                    "quote the key",
                )
            )
        if key in frame.container:
            first = frame.first_lines.setdefault(key, frame.marks[key][0])
            line = event.start_mark.line + 1
            self.problems.append(
                _at(
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
            raise _RefusedError(
                _at(
                    event,
                    "too-many-values",
                    f"the file stands for more than {MAX_VALUES:,} values here,"
                    " counting what its aliases expand to",
                    "write it without nested aliases, or split it",
                )
            )


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _at(event: Any, rule: str, message: str, hint: str) -> YamlProblem:
    mark = event.start_mark
    return YamlProblem(rule=rule, message=message, hint=hint, line=mark.line + 1, column=mark.column + 1)


def _unknown_tag(tag: str, event: Any, *, is_shown: bool) -> YamlProblem:
    shown = tag.replace("tag:yaml.org,2002:", "!!") if is_shown else "(not shown)"
    unsafe = "python/" in tag
    return _at(
        event,
        "unknown-tag",
        f"tag {shown} would run code or build objects when read"
        if unsafe
        else f"tag {shown} is not known here",
        "remove the tag; a configuration holds plain text, numbers, lists and mappings",
    )


def _syntax(error: yaml.YAMLError, text: str) -> YamlProblem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if "quoted scalar" in (getattr(error, "context", None) or ""):
        mark = error.context_mark  # type: ignore[attr-defined] # where the quote opens, not where the file ends
    if mark is None:  # the reader's own errors: characters that YAML does not allow
        position = getattr(error, "position", None)
        character = getattr(error, "character", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
        shown = f"U+{character:04X}" if isinstance(character, int) else "a character"
        if line is None:
            line, shown = _control_character(text)
        return YamlProblem(
            rule="yaml-syntax",
            message=f"{shown} is a control character that YAML does not allow",
            hint="remove it; an editor that shows invisible characters helps",
            line=line,
            column=1 if line else None,
        )
    line, column = mark.line + 1, mark.column + 1
    problem = getattr(error, "problem", None) or "this cannot be read as YAML"
    context = getattr(error, "context", None)
    lines = text.splitlines()
    content = lines[mark.line] if mark.line < len(lines) else ""
    hint = "check indentation, colons, quotes and brackets here and in the line above"
    tabbed = next(
        (n for n in (mark.line, mark.line - 1) if 0 <= n < len(lines) and _is_tabbed(lines[n])), None
    )
    if tabbed is not None:
        line, column = tabbed + 1, lines[tabbed].index("\t") + 1
        return YamlProblem(
            rule="tab-indentation",
            message="the line is indented with a tab, which YAML does not allow",
            hint="indent with spaces",
            line=line,
            column=column,
        )
    if "mapping values are not allowed" in problem:
        hint = "quote a value that holds ': ', or check the indentation of this line"
    elif content.strip().startswith(("@", "`", "%")):
        hint = "quote a value that begins with @, ` or %"
    where = f" ({context})" if context and context not in problem else ""
    return YamlProblem(rule="yaml-syntax", message=f"{problem}{where}", hint=hint, line=line, column=column)


def _control_character(text: str) -> tuple[int | None, str]:
    for number, line in enumerate(text.split("\n"), start=1):
        for character in line:
            if (ord(character) < 32 and character not in "\t\r") or ord(character) == 127:
                return number, f"U+{ord(character):04X}"
    return None, "a character"


def _is_tabbed(line: str) -> bool:
    indentation = line[: len(line) - len(line.lstrip(" \t"))]
    return "\t" in indentation
