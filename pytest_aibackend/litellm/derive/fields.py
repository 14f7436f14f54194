"""The keys of a section, gathered from classes, signatures, variables and reads into one table."""

from __future__ import annotations

import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aibackend.litellm.derive import source
from pytest_aibackend.litellm.derive.annotations import Types, bounds, is_typed_dict, json_value
from pytest_aibackend.litellm.derive.routes import Read, Route

__all__ = ["Key", "Section", "hints_of", "needed_of"]

_READS: Final = 2  # places named for a key: where it is declared, and where it is read first
_LONG: Final = 60  # a longer default is a table
_TOLD: Final = 300  # letters of a description
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
    inferred: bool = False  # LiteLLM does not enforce the type: it is that of the default, or an annotation
    description: str | None = None  # LiteLLM's own words
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

    def add_class(self, owner: type | None, *, without: Container[str] = ()) -> None:
        """Add the fields of a pydantic model or TypedDict."""
        if owner is None:
            return
        converted, told = _converted(owner), _descriptions(owner)
        for name, (annotation, default, limits) in fields_of(owner).items():
            if name in without:
                continue
            hint = Any if name in converted else annotation
            new = name not in self.keys
            self.add(name, hint, default, place=source.field_place(owner, name), limits=limits)
            self.keys[name].description = self.keys[name].description or told.get(name)
            if new and is_typed_dict(owner):
                self.keys[name].schema = _unenforced(self.keys[name].schema)

    def add_signature(self, function: Callable[..., Any], places: Mapping[str, str]) -> None:
        """Add the parameters of a function, its own name for itself excepted."""
        hints = hints_of(function)
        for name, parameter in inspect.signature(inspect.unwrap(function)).parameters.items():
            if name in {"self", "cls"} or parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}:
                continue
            default = parameter.default if parameter.default is not parameter.empty else ...
            told = parameter.annotation if parameter.annotation is not parameter.empty else Any
            annotation = hints.get(name, Any if isinstance(told, str) else told)
            self.add(name, annotation, default, place=places.get(name))

    def add_unenforced(self, name: str, key: Key) -> None:
        """Add a key as a function declares it that may be called with anything."""
        self.add(name, place=key.declared)
        known = self.keys[name]
        if not known.schema and (schema := _unenforced(key.schema)) and "$ref" not in str(schema):
            known.schema, known.inferred = schema, True

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
            kind = bool if read.is_boolean else _kind(given)
            if not key.schema and kind is not None:
                key.schema, key.inferred = self.types.schema(kind), True

    def correct(self, name: str, schema: dict[str, Any] | None, note: str | None, place: str) -> None:
        """Add a key that is known from elsewhere, or put right what was concluded of its type."""
        key = self.keys.setdefault(name, Key())
        key.declared = key.declared or place
        key.note = note or key.note
        if schema is not None:
            key.schema, key.inferred, key.default = schema, False, ()

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
        return {name: (hint, ..., {}) for name, hint in hints_of(owner).items()}
    found = {}
    for name, info in typing.cast("Any", owner).model_fields.items():
        default = ... if info.is_required() or info.default_factory is not None else info.default
        found[info.alias or name] = (info.annotation, default, bounds(info.metadata))
    return found


def needed_of(owner: type) -> list[str]:
    """Return the fields without which pydantic refuses a value; null is "not set" in a config."""
    return sorted(
        info.alias or name
        for name, info in typing.cast("Any", owner).model_fields.items()
        if info.is_required() and types.NoneType not in typing.get_args(info.annotation)
    )


def _converted(owner: type) -> set[str]:
    """Return the fields of a pydantic model whose values a validator changes before their type counts."""
    decorators = getattr(owner, "__pydantic_decorators__", None)
    validators = decorators.field_validators.values() if decorators is not None else ()
    return {
        name for validator in validators if validator.info.mode == "before" for name in validator.info.fields
    }


def _descriptions(owner: type) -> dict[str, str]:
    """Return what LiteLLM says of the fields of a pydantic model, the first sentences of it."""
    if is_typed_dict(owner):
        return {}
    fields = typing.cast("Any", owner).model_fields
    told = {info.alias or name: " ".join((info.description or "").split()) for name, info in fields.items()}
    return {name: textwrap.shorten(text, _TOLD, placeholder=" ...") for name, text in told.items() if text}


def _unenforced(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type that is a note for readers: nothing refuses 0.7 or another word there."""
    if any("enum" in part for part in (schema, *schema.get("anyOf", ()))):
        return {}
    names = schema.get("type")
    if isinstance(names, list) and "integer" in names:
        return {**schema, "type": ["number" if name == "integer" else name for name in names]}
    return schema


def _property(key: Key, section: str | None) -> dict[str, Any]:
    places = [*([key.declared] if key.declared else []), *sorted(key.reads - {key.declared}, key=_rank)]
    about: dict[str, Any] = {} if section is None else {"section": section}
    about["reads"] = places[:_READS]
    if key.inferred:
        about["inferred"] = True
    if key.note:
        about["note"] = key.note
    default = {"default": key.default[0]} if key.default and key.default[0] is not None else {}
    told = {"description": key.description} if key.description else {}
    return {**key.schema, **default, **told, "x-litellm": about}


def _kind(defaults: list[Any]) -> type | None:
    """Return the one type of all defaults; a text tells nothing, as LiteLLM may take a list there, too."""
    kinds = {type(value) for value in defaults}
    if kinds == {bool}:
        return bool
    return float if kinds and kinds <= {int, float} else None


def _rank(place: str) -> tuple[int, str, int]:
    name, _, line = place.rpartition(":")
    order = next((index for index, prefix in enumerate(_FIRST) if name.startswith(prefix)), len(_FIRST))
    return order, name, int(line)


def _is_key(name: str) -> bool:
    return not name.startswith("_") and name not in {"self", "kwargs"}


def _default(value: Any) -> tuple[Any, ...]:
    if value is ...:
        return ()
    try:
        plain = json_value(value)
    except TypeError:
        return ()
    return (plain,) if len(repr(plain)) <= _LONG else ()


def hints_of(thing: Any) -> dict[str, Any]:
    """Return the annotations of a class, function or module, each evaluated; one that cannot be is Any."""
    plain = inspect.unwrap(thing) if callable(thing) else thing
    try:
        return typing.get_type_hints(plain, include_extras=True)
    except (NameError, TypeError, AttributeError):
        pass
    names = vars(plain) if inspect.ismodule(plain) else getattr(plain, "__globals__", {})
    raw = dict(getattr(plain, "__annotations__", {}))
    return {name: _evaluated(annotation, names) for name, annotation in raw.items()}


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    text = annotation.__forward_arg__ if isinstance(annotation, typing.ForwardRef) else annotation
    if not isinstance(text, str):
        return annotation
    try:
        return eval(text, names, dict(vars(typing)))  # noqa: S307 # LiteLLM's own annotation
    except (NameError, TypeError, AttributeError, SyntaxError):
        return Any
