"""Frozen dataclasses to plain JSON types and back: observations cross process borders as text."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

__all__ = ["PlainData"]


class PlainData:
    """Give a dataclass `to_json` and `from_json`; its fields hold scalars, enums, tuples and their like."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as dicts, lists, strings, numbers, booleans and None only."""
        plain: dict[str, Any] = _to_plain(self)
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """Rebuild what `to_json` gave. Raises TypeError or ValueError for any other shape."""
        rebuilt: Self = _from_plain(cls, plain)
        return rebuilt


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _to_plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_to_plain(item) for item in value]
    return value


def _from_plain(kind: Any, plain: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        if plain is None:
            return None
        (kind,) = [option for option in get_args(kind) if option is not type(None)]
    if get_origin(kind) is tuple:
        item, *rest = get_args(kind)
        if rest == [...]:
            return tuple(_from_plain(item, each) for each in plain)
        return tuple(_from_plain(one, each) for one, each in zip((item, *rest), plain, strict=True))
    if is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        values = {name: _from_plain(hints[name], each) for name, each in plain.items()}
        return kind(**values)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    return plain
