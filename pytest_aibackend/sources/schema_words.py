"""The errors of pydantic, and keys that nothing reads, in our own words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from pytest_aibackend.findings import Path, Problem, Severity, suggest
from pytest_aibackend.sources.models import PortsFile
from pytest_aibackend.sources.schema_places import (
    PORT_SECTIONS,
    SERVICES,
    dotted,
    in_file,
    location_of,
    subject_of,
    value_at,
)
from pytest_aibackend.sources.secrets import show_value

__all__ = ["Located", "problem_of", "unknown_key"]

Located = tuple[str, Problem]
_Words = tuple[str, str, str]  # rule, message, hint

_NUMBER_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
}
_BOUNDS: Final = {
    "greater_than": "more than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}
_NO_PATH: Final = "value_error"  # the one check of ours in the models


@dataclass(frozen=True, kw_only=True)
class _Fault:
    """One of pydantic's errors, and what it is about."""

    kind: str
    is_of_key: bool
    context: dict[str, Any]
    path: Path  # in the file
    key: str | None
    value: Any
    holder: Any  # what the value stands in
    is_in_ports: bool

    @property
    def name(self) -> str:
        return dotted(self.path)

    @property
    def shown(self) -> str:
        return show_value(self.key, self.value)


def problem_of(model: type[BaseModel], role: str, data: Any, details: Any) -> Located:
    """Put one of pydantic's errors into our words."""
    location = location_of(data, details)
    path = in_file(model, location)
    fault = _Fault(
        kind=details["type"],
        is_of_key=details["type"] == "invalid_key" or "[key]" in details["loc"],
        context=details.get("ctx", {}),
        path=path,
        key=next((step for step in reversed(path) if isinstance(step, str)), None),
        value=value_at(data, location),
        holder=value_at(data, location[:-1]),
        is_in_ports=model is PortsFile,
    )
    rule, message, hint = _words(fault)
    place = path[:-1] if rule == "missing-key" else path
    subject = subject_of(role, path, data)
    return rule, Problem(source=role, path=place, message=message, hint=hint, subject=subject)


def _words(fault: _Fault) -> _Words:
    if fault.is_of_key:
        return _wrong_key(fault)
    if fault.kind == "missing":
        return _missing_key(fault)
    if fault.kind == "literal_error":
        return _unknown_value(fault)
    if fault.kind.startswith(("greater_than", "less_than")) or fault.kind == "finite_number":
        return _out_of_range(fault)
    if fault.kind in ("string_pattern_mismatch", "string_too_short", _NO_PATH):
        return _wrong_format(fault)
    return _wrong_type(fault)


def _wrong_key(fault: _Fault) -> _Words:
    key = fault.path[-1]
    where = dotted(fault.path[:-1]) or "the top of the file"
    hint = "put the key in quotes"
    if isinstance(key, bool):
        hint += "; a bare on, off, yes or no is true or false"
    word = "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)
    return "wrong-key-type", f"a key in {where} is {word}, which is not text", hint


def _missing_key(fault: _Fault) -> _Words:
    *owner, missing = fault.path
    hint = f"add {missing}:"
    meant = suggest(missing, fault.holder or ())
    section = suggest(owner[-1], PORT_SECTIONS) if fault.is_in_ports and len(owner) == 1 else None
    if section:
        hint = f"did you mean the section {section!r}? A service needs {missing}:"
    elif meant:
        hint = f"did you mean {missing!r} where it says {meant!r}?"
    return "missing-key", f"{dotted(tuple(owner)) or 'the file'} has no {missing!r}", hint


def _unknown_value(fault: _Fault) -> _Words:
    allowed = re.findall(r"'([^']*)'", fault.context.get("expected", ""))
    near = suggest(fault.value, allowed) if isinstance(fault.value, str) else None
    choices = ", ".join(allowed)
    hint = f"did you mean {near!r}?" if near else f"use one of {choices}"
    return "unknown-value", f"{fault.name} is {fault.shown}; it can be {choices}", hint


def _out_of_range(fault: _Fault) -> _Words:
    hint = "give a value in that range"
    if fault.key == "port":
        message = f"{fault.name} is {fault.shown}; a port is from 1 to 65535"
        return "port-out-of-range", message, "give a port in that range"
    limit = next(iter(fault.context.values()), "")
    words = _BOUNDS.get(fault.kind, "a finite number")
    return "value-out-of-range", f"{fault.name} is {fault.shown}; it must be {words} {limit}".rstrip(), hint


def _wrong_format(fault: _Fault) -> _Words:
    # In the place of a variable's name stands, most likely, the key itself.
    shown = "a text (not shown)" if fault.key == "env_var" else fault.shown
    hint = {
        "health_endpoint": "begin it with /, as in /v1/models",
        "env_var": "name the environment variable, as in OPENAI_API_KEY, not the key itself",
        "name": "write the name as the provider itself lists it",
    }.get(str(fault.key), "see the JSON Schema in config/schemas")
    if fault.kind == _NO_PATH:
        hint = "write the whole path; ~NAME is the home of a user of this machine"
    return "wrong-format", f"{fault.name} is {shown}, which has not the form it needs", hint


def _wrong_type(fault: _Fault) -> _Words:
    expected, value = _expected(fault.kind), fault.value
    is_in_quotes = (
        isinstance(value, str) and fault.kind.startswith(("int", "float", "bool")) and _parses(value)
    )
    hint = f"write {value} without quotes" if is_in_quotes else f"write {expected}"
    if value is None:
        hint = f"write {expected}, or remove the key"
    return "wrong-type", f"{fault.name} must be {expected}, and is {fault.shown}", hint


def _expected(kind: str) -> str:
    if kind.startswith(("model_type", "model_attributes", "dict", "mapping")):
        return "a mapping (key: value)"
    if kind.startswith(("list", "tuple")):
        return "a list"
    return _NUMBER_WORDS.get(kind.partition("_")[0], "a value of another kind")


def _parses(text: str) -> bool:
    return text.lower() in ("true", "false") or bool(re.fullmatch(r"[+-]?\d+(\.\d+)?", text))


def unknown_key(role: str, data: Any, owner: type[BaseModel], path: Path, key: str) -> Located:
    """Return the problem of a key that nothing reads: an error where a key that is read resembles it."""
    near = suggest(key, (name for name in owner.model_fields if name != SERVICES))
    where = dotted(path) or "the top of the file"
    problem = Problem(
        source=role,
        path=(*path, key),
        message=f"{where} has a key {key!r} that nothing reads",
        hint=f"did you mean {near!r}?"
        if near
        else "remove it, or keep it as a note under metadata, notes or x-...",
        subject=subject_of(role, (*path, key), data),
        severity=Severity.ERROR if near else Severity.WARNING,
    )
    return "unknown-key", problem
