"""The keys of a section, gathered from classes, signatures, variables and reads into one table."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aibackend.litellm.derive import source
from pytest_aibackend.litellm.derive.annotations import Types, bounds, is_typed_dict, json_value
from pytest_aibackend.litellm.derive.reads import Read, Route

__all__ = ["Key", "Section"]

_READS: Final = 2  # places named for a key: where it is declared, and where it is read first
_LONG: Final = 60  # a longer default is a table
_FIRST: Final = (
    "proxy/proxy_server.py",
    "router.py",
    "proxy/proxy_cli.py",
    "caching/",
    "_redis.py",
    "main.py",
)


@dataclass(slots=True)
class Key:
    """What is known of one key."""

    schema: dict[str, Any] = field(default_factory=dict)
    default: tuple[Any, ...] = ()  # one value, or none
    declared: str | None = None  # where its type stands
    inferred: bool = False  # the type is that of the default
    note: str | None = None
    reads: set[str] = field(default_factory=set)


class Section:
    """The keys of one place in config.yaml. What is added first has the last word about a key's type."""

    def __init__(self, types: Types, *, lax: bool = False) -> None:
        """Begin without keys; `lax` as pydantic converts text."""
        self.types, self.lax = types, lax
        self.keys: dict[str, Key] = {}

    def add(
        self,
        name: str,
        annotation: Any = Any,
        default: Any = ...,
        *,
        place: str | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a key, or complete what is known of it."""
        key = self.keys.setdefault(name, Key())
        schema = (
            {**self.types.schema(annotation, lax=self.lax), **(limits or {})} if annotation is not Any else {}
        )
        if schema and not key.schema:
            key.schema = schema
        if not key.default:
            key.default = _default(default)
        key.declared = key.declared or place
        if key.declared is None and place is not None:
            key.declared = place

    def add_class(self, owner: type | None, *, without: Iterable[str] = ()) -> None:
        """Add the fields of a pydantic model or TypedDict."""
        if owner is None:
            return
        skipped = set(without)
        for name, (annotation, default, limits) in fields_of(owner).items():
            if name not in skipped:
                self.add(name, annotation, default, place=source.field_place(owner, name), limits=limits)

    def add_signature(self, function: Callable[..., Any], places: Mapping[str, str]) -> None:
        """Add the parameters of a function, its own name for itself excepted."""
        hints = _hints(function)
        for name, parameter in inspect.signature(inspect.unwrap(function)).parameters.items():
            if name in {"self", "cls"} or parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}:
                continue
            default = parameter.default if parameter.default is not parameter.empty else ...
            self.add(name, hints.get(name, Any), default, place=places.get(name))

    def add_names(self, names: Iterable[str], place: str | None = None) -> None:
        """Add keys of which only the name is known."""
        for name in names:
            if _is_key(name):
                self.add(name, place=place)

    def add_reads(self, reads: Mapping[Route, Read], route: Route) -> None:
        """Add what is read by name below a route; a default that stands beside it tells the type."""
        for (*holder, name), read in reads.items():
            if tuple(holder) != route or not _is_key(name):
                continue
            key = self.keys.setdefault(name, Key())
            key.reads |= read.places
            given = [value for value in read.defaults.values() if value is not None]
            if len(given) == 1 and not key.default:
                key.default = _default(given[0])
            if not key.schema and given and all(isinstance(value, bool) for value in given):
                key.schema, key.inferred = self.types.schema(bool), True

    def drop(self, names: Iterable[str]) -> None:
        """Forget keys that are not the file's to set."""
        for name in names:
            self.keys.pop(name, None)

    def properties(self, section: str | None) -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each key, sorted by name."""
        return {name: _property(self.keys[name], section) for name in sorted(self.keys)}


def fields_of(owner: type) -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """Return the annotation, default and limits of each field of a pydantic model or TypedDict."""
    if is_typed_dict(owner):
        return {name: (hint, ..., {}) for name, hint in _hints(owner).items()}
    found = {}
    for name, info in typing.cast("Any", owner).model_fields.items():
        default = ... if info.is_required() or info.default_factory is not None else info.default
        found[info.alias or name] = (info.annotation, default, bounds(info.metadata))
    return found


def _property(key: Key, section: str | None) -> dict[str, Any]:
    places = [*([key.declared] if key.declared else []), *sorted(key.reads - {key.declared}, key=_rank)]
    about: dict[str, Any] = {} if section is None else {"section": section}
    about["reads"] = places[:_READS]
    if key.inferred:
        about["inferred"] = True
    if key.note:
        about["note"] = key.note
    default = {"default": key.default[0]} if key.default and key.default[0] is not None else {}
    return {**key.schema, **default, "x-litellm": about}


def _rank(place: str) -> tuple[int, str, int]:
    name, _, line = place.rpartition(":")
    order = next((index for index, prefix in enumerate(_FIRST) if name.startswith(prefix)), len(_FIRST))
    return order, name, int(line)


def _is_key(name: str) -> bool:
    return not name.startswith("_") and not name.isupper() and name not in {"self", "kwargs"}


def _default(value: Any) -> tuple[Any, ...]:
    if value is ...:
        return ()
    try:
        plain = json_value(value)
    except TypeError:
        return ()
    return (plain,) if len(repr(plain)) <= _LONG else ()


def _hints(thing: Any) -> dict[str, Any]:
    """Return the annotations, each evaluated; one that cannot be is Any."""
    try:
        return typing.get_type_hints(inspect.unwrap(thing) if callable(thing) else thing, include_extras=True)
    except (NameError, TypeError, AttributeError):
        pass
    raw = dict(getattr(inspect.unwrap(thing), "__annotations__", {}))
    names = getattr(inspect.unwrap(thing), "__globals__", {})
    return {name: _evaluated(annotation, names) for name, annotation in raw.items()}


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    text = annotation.__forward_arg__ if isinstance(annotation, typing.ForwardRef) else annotation
    if not isinstance(text, str):
        return annotation
    try:
        return eval(text, names, dict(vars(typing)))  # noqa: S307 # LiteLLM's own annotation
    except (NameError, TypeError, AttributeError, SyntaxError):
        return Any
