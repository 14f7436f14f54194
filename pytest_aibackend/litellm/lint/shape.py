"""Where a config departs from the schema: one walk over its data, without a validator's machinery.

`jsonschema` takes a second for some hundred deployments and says less; the schemas that are shipped use
few keywords. Null is "not set" for each key, though nothing to be left empty in a list of mappings; a
reference to the environment may stand for any value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.schema import Schema
from pytest_aibackend.sources.references import is_reference

__all__ = ["Departure", "Kind", "departures", "type_name"]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
# Whose entries LiteLLM looks into without asking whether there is something in them, as with items of lists.
_NEVER_EMPTY: Final = (("mcp_servers",), ("policies",))


class Kind(Enum):
    """In what a value departs from the schema."""

    UNKNOWN = "a key that the section does not have"
    KEY_TYPE = "a key that is no text"
    MISSING = "a key that must be there"
    TYPE = "a value of another type"
    VALUE = "a value that is not among those allowed"
    RANGE = "a number outside its bounds"


@dataclass(frozen=True, kw_only=True, slots=True)
class Departure:
    """One place where a config is not as the schema says."""

    kind: Kind
    path: Path  # of the key or value; of a missing key, that of the mapping
    section: str  # name of the innermost section of the schema around it
    on_unknown: str  # what becomes of unknown keys there
    key: Any = None  # UNKNOWN, KEY_TYPE, MISSING
    value: Any = None
    wanted: tuple[str, ...] = ()  # TYPE: JSON types; RANGE: "at least 0"
    allowed: tuple[Any, ...] = ()  # VALUE
    inferred: bool = False  # the type is concluded from the default


def departures(data: Mapping[Any, Any], schema: Schema) -> list[Departure]:
    """Return every departure of a config from the schema, in file order."""
    walk = _Walk(schema)
    walk.value(data, schema.document, (), "", "ignored")
    return walk.found


def type_name(value: Any) -> str:
    """Return what a value is called in JSON and YAML."""
    other = "binary" if isinstance(value, bytes) else "date"
    return next((kind for kind, test in _TESTS.items() if test(value)), other)


_TESTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_BOUNDS: Final[tuple[tuple[str, str, Callable[[Any, Any], bool]], ...]] = (
    ("minimum", "at least", lambda value, bound: value >= bound),
    ("maximum", "at most", lambda value, bound: value <= bound),
    ("exclusiveMinimum", "more than", lambda value, bound: value > bound),
    ("exclusiveMaximum", "less than", lambda value, bound: value < bound),
)


class _Walk:
    def __init__(self, schema: Schema) -> None:
        self.found: list[Departure] = []
        self._schema = schema

    def value(self, value: Any, schema: Mapping[str, Any], path: Path, section: str, on_unknown: str) -> None:
        """Compare one value, and what is in it."""
        if value is None or is_reference(value):
            return
        schema = self._resolved(schema)
        about = schema.get("x-litellm", _NOTHING)
        if "on_unknown" in about:
            section, on_unknown = about["section"], about["on_unknown"]
        branches = [self._resolved(branch) for branch in schema.get("anyOf", ())]
        if branches:
            schema = _choose(value, branches, about)
        departure = _compare(value, schema)
        if departure is not None:
            self._report(path, section, on_unknown, value=value, **departure)
        elif isinstance(value, dict):
            self._mapping(value, schema, path, section, on_unknown)
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            for index, item in enumerate(value):
                self.value(item, schema["items"], (*path, index), section, on_unknown)
                if item is None and "properties" in self._resolved(schema["items"]):
                    self._report_empty((*path, index), section, on_unknown)

    def _mapping(
        self, value: dict[Any, Any], schema: Mapping[str, Any], path: Path, section: str, on_unknown: str
    ) -> None:
        about = schema.get("x-litellm", _NOTHING)  # of the branch that was chosen
        if "on_unknown" in about:
            section, on_unknown = about["section"], about["on_unknown"]
        known = schema.get("properties")
        others = schema.get("additionalProperties", True)
        for key, item in value.items():
            if known is not None and key in known and isinstance(key, str):
                self.value(item, known[key], (*path, key), section, on_unknown)
            elif isinstance(others, dict):
                self.value(item, others, (*path, key), section, on_unknown)
                if item is None and path in _NEVER_EMPTY:
                    self._report_empty((*path, key), section, on_unknown)
            elif known is not None and not isinstance(key, str):
                self._report((*path, key), section, on_unknown, kind=Kind.KEY_TYPE, key=key)
            elif known is not None and not _matches_any(key, schema.get("patternProperties", ())):
                fate = about.get("unknown", _NOTHING).get(key, on_unknown)
                self._report((*path, key), section, fate, kind=Kind.UNKNOWN, key=key, value=item)
        for key in schema.get("required", ()):
            if value.get(key) is None:
                self._report(path, section, on_unknown, kind=Kind.MISSING, key=key)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = schema.get("$ref")
        return schema if reference is None else self._schema.definition(reference)

    def _report_empty(self, path: Path, section: str, on_unknown: str) -> None:
        self._report(path, section, on_unknown, kind=Kind.TYPE, value=None, wanted=("object",))

    def _report(self, path: Path, section: str, on_unknown: str, **about: Any) -> None:
        self.found.append(Departure(path=path, section=section, on_unknown=on_unknown, **about))


def _choose(value: Any, branches: list[Mapping[str, Any]], about: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the branch of an anyOf that a value fits, an open one first; else what all of them allow."""
    fitting = [branch for branch in branches if _compare(value, branch) is None]
    if fitting:
        return next((branch for branch in fitting if "properties" not in branch), fitting[0])
    plain = [branch for branch in branches if "pattern" not in branch] or branches  # no os.environ/NAME
    types = [name for branch in plain for name in _types(branch) if name != "null"]
    allowed = [each for branch in branches for each in branch.get("enum", ()) if each is not None]
    joined: dict[str, Any] = {"x-litellm": {"inferred": about.get("inferred", False)}}
    if allowed and (isinstance(value, str) or not types):
        return joined | {"enum": allowed}
    return joined | {"type": [*dict.fromkeys([*types, *(["string"] if allowed else [])])]}


def _compare(value: Any, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return how a value departs from a schema in itself, None where it does not."""
    types = _types(schema)
    if types and not any(_TESTS[kind](value) for kind in types):
        return _wrong_type(value, types, schema)
    if isinstance(value, str) and "pattern" in schema and not _pattern(schema["pattern"]).search(value):
        wanted = tuple(kind for kind in types if kind not in ("null", "string")) or ("string",)
        return _wrong_type(value, wanted, schema)
    if "enum" in schema and not any(value == each and type(value) is type(each) for each in schema["enum"]):
        return {"kind": Kind.VALUE, "allowed": tuple(each for each in schema["enum"] if each is not None)}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        for keyword, words, holds in _BOUNDS:
            if keyword in schema and not holds(value, schema[keyword]):
                return {"kind": Kind.RANGE, "wanted": (f"{words} {schema[keyword]}",)}
    return None


def _wrong_type(value: Any, types: Iterable[str], schema: Mapping[str, Any]) -> dict[str, Any] | None:
    wanted = tuple(kind for kind in types if kind != "null")
    if "pattern" in schema and len(wanted) > 1:
        wanted = tuple(kind for kind in wanted if kind != "string")  # text stands for one of the others
    if "boolean" in wanted and not isinstance(value, bool) and value in (0, 1):
        return None  # as good as true and false, to pydantic and to `if`
    inferred = bool(schema.get("x-litellm", _NOTHING).get("inferred"))
    return {"kind": Kind.TYPE, "wanted": wanted, "inferred": inferred}


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    given = schema.get("type", ())
    return (given,) if isinstance(given, str) else tuple(given)


def _matches_any(key: str, patterns: Iterable[str]) -> bool:
    return any(_pattern(pattern).search(key) for pattern in patterns)


@lru_cache(maxsize=64)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
