"""A Python type as a JSON Schema, as far as YAML can hold a value of that type."""

from __future__ import annotations

import collections.abc
import datetime as dt
import enum
import math
import re
import types
import typing
from typing import Any, Final

from pytest_aibackend.litellm.schema.patterns import LAX, REFERENCE

__all__ = ["Types", "json_value"]

_SCALARS: Final[dict[Any, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    bytes: "string",
    None: "null",
    types.NoneType: "null",
    dt.datetime: "string",
    dt.date: "string",
    dt.time: "string",
    re.Pattern: "string",
}
_ARRAYS: Final[tuple[type, ...]] = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Set,
)
_OBJECTS: Final[tuple[type, ...]] = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_BOUNDS: Final = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
_OWN: Final = "litellm"  # what other packages define is their concern
_ANYTHING: Final[dict[str, Any]] = {}


class Types:
    """Turns types into schemas; classes with fields become definitions, referred to by their name."""

    def __init__(self) -> None:
        """Begin without definitions; `records` fills with the classes met."""
        self.records: dict[str, type] = {}

    def schema(self, annotation: Any, *, lax: bool = False) -> dict[str, Any]:
        """Return the schema of values for this annotation, references to the environment among them.

        Args:
            annotation: the type, evaluated.
            lax: whether pydantic converts text to numbers and booleans here.
        """
        return _accept_text(self._of(annotation), lax=lax)

    def _of(self, annotation: Any) -> dict[str, Any]:
        origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
        if annotation in _SCALARS if _hashable(annotation) else False:
            return {"type": _SCALARS[annotation]}
        if origin is typing.Annotated:
            return {**self._of(arguments[0]), **bounds(arguments[1:])}
        if origin in (
            typing.Required,
            typing.NotRequired,
            typing.Final,
            typing.ClassVar,
        ) or "ReadOnly" in str(origin):
            return self._of(arguments[0])
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments)
        if origin is typing.Literal:
            return {"enum": [json_value(value) for value in arguments]}
        if _is_any(annotation, origin, _ARRAYS):
            item = self._of(arguments[0]) if arguments else {}
            return {"type": "array", **({"items": item} if item else {})}
        if _is_any(annotation, origin, _OBJECTS):
            value = self._of(arguments[1]) if len(arguments) > 1 else {}
            return {"type": "object", **({"additionalProperties": value} if value else {})}
        if isinstance(annotation, type):
            return self._class(annotation)
        return dict(_ANYTHING)

    def _class(self, owner: type) -> dict[str, Any]:
        if issubclass(owner, enum.Enum):
            return {"enum": [json_value(member.value) for member in owner]}
        if is_record(owner) and not owner.__module__.startswith(_OWN):
            return {"type": "object"}
        if is_record(owner):
            self.records.setdefault(owner.__name__, owner)
            return {"$ref": f"#/$defs/{owner.__name__}"}
        return dict(_ANYTHING)

    def _union(self, members: tuple[Any, ...]) -> dict[str, Any]:
        given = [member for member in members if not _is_instance_only(member)]
        schemas = [self._of(member) for member in given]
        nothing_else = len(given) < len(members) and schemas == [{"type": "null"}]
        if not schemas or nothing_else or any(not schema for schema in schemas):
            return dict(_ANYTHING)
        simple = [schema for schema in schemas if set(schema) == {"type"}]
        others = [schema for schema in schemas if schema not in simple]
        names = sorted({schema["type"] for schema in simple})
        merged: dict[str, Any] = {"type": names[0] if len(names) == 1 else names}
        if not others:
            return merged
        if names == ["null"] and len(others) == 1 and isinstance(others[0].get("type"), str):
            return {**others[0], "type": [others[0]["type"], "null"]}
        if not {"enum"}.symmetric_difference(*others[:1]) and len(others) == 1 and names == ["null"]:
            return {"enum": [*others[0]["enum"], None]}
        unique = [schema for index, schema in enumerate(others) if schema not in others[:index]]
        return {"anyOf": [*unique, *([merged] if names else [])]}


def is_record(owner: Any) -> bool:
    """Whether a class is a pydantic model or a TypedDict: a mapping with known keys."""
    from pydantic import BaseModel

    return isinstance(owner, type) and (issubclass(owner, BaseModel) or is_typed_dict(owner))


def is_typed_dict(owner: Any) -> bool:
    """Whether a class is a TypedDict, of typing or of typing_extensions."""
    return isinstance(owner, type) and hasattr(owner, "__total__") and hasattr(owner, "__required_keys__")


def bounds(metadata: typing.Iterable[Any]) -> dict[str, Any]:
    """Return the limits that pydantic enforces on a number."""
    found = {}
    for item in metadata:
        for attribute, keyword in _BOUNDS.items():
            value = getattr(item, attribute, None)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[keyword] = value
    return found


def json_value(value: Any) -> Any:
    """Return a default or an allowed value as YAML would hold it. Raises TypeError where it cannot."""
    if isinstance(value, enum.Enum):
        return json_value(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError("no JSON number")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: json_value(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} has no place in YAML")


def _accept_text(schema: dict[str, Any], *, lax: bool) -> dict[str, Any]:
    """Let a scalar be given as os.environ/NAME, and as text where that is converted."""
    if "enum" in schema:
        return {"anyOf": [schema, {"$ref": "#/$defs/reference"}]}
    if "anyOf" in schema:
        has_text = any("string" in _names(part) for part in schema["anyOf"])
        return schema if has_text else {"anyOf": [*schema["anyOf"], {"$ref": "#/$defs/reference"}]}
    names = _names(schema)
    scalar = names & {"boolean", "integer", "number"}
    if not scalar or "string" in names:
        return schema
    pattern = LAX[min(scalar)] if lax and len(scalar) == 1 else REFERENCE
    return {**schema, "type": sorted(names | {"string"}), "pattern": pattern}


def _names(schema: dict[str, Any]) -> set[str]:
    given = schema.get("type", [])
    return {given} if isinstance(given, str) else set(given)


def _is_any(annotation: Any, origin: Any, kinds: tuple[Any, ...]) -> bool:
    return any(annotation is kind or origin is kind for kind in kinds)


def _is_instance_only(member: Any) -> bool:
    """Whether only an object of Python's can be of this type: a client, a function, an exception."""
    origin = typing.get_origin(member)
    if origin is collections.abc.Callable or member is collections.abc.Callable:
        return True
    if origin is type or not isinstance(member, type) or member is object:
        return origin is type
    known = (enum.Enum, *_ARRAYS, *_OBJECTS)
    return member not in _SCALARS and not is_record(member) and not issubclass(member, known)


def _hashable(annotation: Any) -> bool:
    try:
        hash(annotation)
    except TypeError:
        return False
    return True
