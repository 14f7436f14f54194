"""A parsed file against its model: every error at once, and what is left when the errors are cut out.

One wrong field must not hide the rest of the file. So each error becomes a problem with its place,
the smallest part that holds the error is left out, and the remainder is validated again: rules then
work on what is sound, and nothing is reported twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pytest_aibackend.findings import Path, Problem, Severity, suggest
from pytest_aibackend.sources.models import PortsFile
from pytest_aibackend.sources.secrets import show_value

__all__ = ["Checked", "check_against", "subject_of"]

ModelT = TypeVar("ModelT", bound=BaseModel)
Located = tuple[str, Problem]

_DROPPED: Final = object()
_PORT_SECTIONS: Final = ("reserved", "ranges", "metadata", "notes")
_SERVICES: Final = "services"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A file's model as far as it is sound, and what was wrong with the rest."""

    model: Any
    problems: tuple[Located, ...]
    # For each list that lost items: the places, in the file, of the items that were kept.
    kept: dict[Path, list[int]] = field(default_factory=dict)

    def original(self, path: Path) -> Path:
        """Return the path in the file of a path in the model: indexes shift where items were left out."""
        if not self.kept:
            return path
        found: Path = ()
        for step in path:
            order = self.kept.get(found)
            if order is not None and isinstance(step, int) and 0 <= step < len(order):
                found = (*found, order[step])
            else:
                found = (*found, step)
        return found


def check_against(model: type[ModelT], role: str, data: dict[Any, Any]) -> Checked:
    """Validate a file's data; never raises for anything the data may hold."""
    if model is PortsFile:
        data = _with_services(data)
    try:
        sound = model.model_validate(data)
        problems: list[Located] = []
        kept: dict[Path, list[int]] = {}
        missing: dict[Path, list[object]] = {}
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        problems = _without_echoes([_problem(model, role, data, details) for details in errors])
        sound, kept = _salvage(model, data, error)
        missing = {}
        for each in errors:
            if each["type"] == "missing":
                place = _in_file(model, _location(data, each))
                missing.setdefault(place[:-1], []).append(place[-1])
    for owner, path, key in _extras(model, data):
        located = _unknown_key(role, data, owner, _in_file(model, path), key)
        if not _is_told(located, missing):
            problems.append(located)
    return Checked(
        model=sound,
        problems=tuple(problems),
        kept={_in_file(model, path): order for path, order in kept.items()},
    )


def subject_of(role: str, path: Path, data: Any) -> str:
    """Return what a place in a file is about: the provider, route, pattern or service that holds it."""
    file = {"generated": "litellm-unified.yaml"}.get(role, f"{role}.yaml")
    if role == "ports":
        return str(path[1] if path[:1] == ("reserved",) and len(path) > 1 else path[0]) if path else file
    if role == "model-mappings" and len(path) > 1 and path[0] == "patterns":
        try:
            return str(data["patterns"][path[1]]["pattern"])
        except (KeyError, TypeError, IndexError):
            return f"patterns[{path[1]}]"
    if role in ("providers", "model-mappings") and len(path) > 1 and path[0] not in ("metadata", "notes"):
        return str(path[1])
    return file


def _with_services(data: dict[Any, Any]) -> dict[Any, Any]:
    """Bring ports.yaml, whose services stand beside its sections, into the shape of its model."""
    sections = {key: value for key, value in data.items() if _is_section(key)}
    return {**sections, _SERVICES: {key: value for key, value in data.items() if not _is_section(key)}}


def _is_section(key: Any) -> bool:
    return key in _PORT_SECTIONS or (isinstance(key, str) and key.startswith("x-"))


def _in_file(model: type[BaseModel], path: Path) -> Path:
    return path[1:] if model is PortsFile and path[:1] == (_SERVICES,) else path


def _value_at(data: Any, path: Path) -> Any:
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _location(data: Any, details: Any) -> Path:
    """Return the path of an error in the data, with the very keys that the data has.

    pydantic names the key of a mapping that is itself wrong as ("key", "[key]"), and keys that are no text by
    their text or as numbers.
    """
    found: list[Any] = []
    for step in details["loc"]:
        if step == "[key]":
            continue
        if isinstance(data, dict):
            if not (isinstance(step, str) and step in data):
                # Not a text, or a key that is missing: then the step stays as it is.
                step = next((key for key in data if step in (key, str(key), repr(key))), step)  # noqa: PLW2901
            data = data.get(step)
            found.append(step)
        else:
            is_there = isinstance(data, list) and isinstance(step, int) and 0 <= step < len(data)
            data = data[step] if is_there else None
            found.append(step)
    return tuple(found)


_NUMBER_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
}


def _problem(model: type[BaseModel], role: str, data: Any, details: Any) -> Located:
    """Put one of pydantic's errors into our words."""
    loc = _location(data, details)
    kind: str = details["type"]
    context: dict[str, Any] = details.get("ctx", {})
    path = _in_file(model, loc)
    key = next((step for step in reversed(path) if isinstance(step, str)), None)
    value = _value_at(data, loc)
    shown = show_value(key, value)
    name = _dotted(path)
    subject = subject_of(role, path, data)

    def say(rule: str, message: str, hint: str) -> Located:
        return rule, Problem(source=role, path=path, message=message, hint=hint, subject=subject)

    if kind == "invalid_key" or "[key]" in details["loc"]:
        where = _dotted(path[:-1]) or "the top of the file"
        message = f"a key in {where} is {_yaml_word(path[-1])}, which is not text"
        is_word = isinstance(path[-1], bool)
        hint = "put the key in quotes" + ("; a bare on, off, yes or no is true or false" if is_word else "")
        return say("wrong-key-type", message, hint)
    if kind == "missing":
        missing = path[-1]
        owner = path[:-1]
        meant = suggest(missing, _value_at(data, loc[:-1]) or ())
        section = suggest(owner[-1], _PORT_SECTIONS) if model is PortsFile and len(owner) == 1 else None
        hint = f"add {missing}:"
        if section:
            hint = f"did you mean the section {section!r}? A service needs {missing}:"
        elif meant:
            hint = f"did you mean {missing!r} where it says {meant!r}?"
        message = f"{_dotted(owner) or 'the file'} has no {missing!r}"
        return "missing-key", Problem(source=role, path=owner, message=message, hint=hint, subject=subject)
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", context.get("expected", ""))
        near = suggest(value, allowed) if isinstance(value, str) else None
        choices = ", ".join(allowed)
        return say(
            "unknown-value",
            f"{name} is {shown}; it can be {choices}",
            f"did you mean {near!r}?" if near else f"use one of {choices}",
        )
    if kind.startswith(("greater_than", "less_than")) or kind == "finite_number":
        if key == "port":
            return say(
                "port-out-of-range",
                f"{name} is {shown}; a port is from 1 to 65535",
                "give a port in that range",
            )
        limit = next(iter(context.values()), "")
        words = {
            "greater_than": "more than",
            "greater_than_equal": "at least",
            "less_than": "less than",
            "less_than_equal": "at most",
        }.get(kind, "a finite number")
        return say(
            "value-out-of-range",
            f"{name} is {shown}; it must be {words} {limit}".rstrip(),
            "give a value in that range",
        )
    if kind in ("string_pattern_mismatch", "string_too_short"):
        if key == "env_var":  # the likely mistake is the key itself in place of its variable's name
            shown = "a text (not shown)"
        return say("wrong-format", f"{name} is {shown}, which has not the form it needs", _format_hint(key))
    expected = _expected(kind)
    unquote = isinstance(value, str) and kind.startswith(("int", "float", "bool")) and _parses(value)
    hint = f"write {value} without quotes" if unquote else f"write {expected}"
    if value is None and kind != "missing":
        hint = f"write {expected}, or remove the key"
    return say("wrong-type", f"{name} must be {expected}, and is {shown}", hint)


def _yaml_word(key: Any) -> str:
    return "null" if key is None else str(key).lower() if isinstance(key, bool) else str(key)


def _expected(kind: str) -> str:
    if kind.startswith(("model_type", "model_attributes", "dict", "mapping")):
        return "a mapping (key: value)"
    if kind.startswith(("list", "tuple")):
        return "a list"
    return _NUMBER_WORDS.get(kind.partition("_")[0], "a value of another kind")


def _format_hint(key: object) -> str:
    return {
        "health_endpoint": "begin it with /, as in /v1/models",
        "env_var": "name the environment variable, as in OPENAI_API_KEY, not the key itself",
        "name": "write the name as the provider itself lists it",
    }.get(str(key), "see the JSON Schema in config/schemas")


def _parses(text: str) -> bool:
    return text.lower() in ("true", "false") or bool(re.fullmatch(r"[+-]?\d+(\.\d+)?", text))


def _dotted(path: Path) -> str:
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if shown else str(step)
    return shown


def _without_echoes(problems: list[Located]) -> list[Located]:
    """Keep one problem a place: a union reports the same place once for each of its members."""
    seen: set[tuple[Path, str]] = set()
    kept = []
    for rule, problem in problems:
        mark = (problem.path, problem.message if rule == "missing-key" else "")
        if mark not in seen:
            seen.add(mark)
            kept.append((rule, problem))
    return kept


def _salvage(model: type[ModelT], data: Any, error: ValidationError) -> tuple[ModelT, dict[Path, list[int]]]:
    """Cut out what is wrong until the rest is valid; each round removes at least one value."""
    tree = _copy(data)
    kept: dict[Path, list[int]] = {}
    stripped = data
    current = error
    while True:
        before = Checked(model=None, problems=(), kept=kept)
        is_smaller = False
        for details in current.errors(include_url=False, include_input=False, include_context=False):
            loc = before.original(_location(stripped, details))
            is_smaller |= _drop(tree, loc[:-1] if details["type"] == "missing" else loc)
        if not is_smaller:  # pragma: no cover - no error is known that names no place of the data; never loop
            return model.model_validate({}), {}
        kept = {}
        stripped = _strip(tree, (), kept)
        try:
            return model.model_validate(stripped), kept
        except ValidationError as again:
            current = again


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def _drop(tree: Any, path: Path) -> bool:
    """Mark the value at `path`, or the nearest part that holds it, as left out; say if it was not yet."""
    container: Any = None
    last: Any = None
    holder = tree
    for step in path:
        fits = isinstance(holder, dict) and step in holder
        fits = fits or (isinstance(holder, list) and isinstance(step, int) and 0 <= step < len(holder))
        if not fits:
            break
        container, last, holder = holder, step, holder[step]
    if container is None or container[last] is _DROPPED:
        return False
    container[last] = _DROPPED
    return True


def _strip(tree: Any, path: Path, kept: dict[Path, list[int]]) -> Any:
    if isinstance(tree, dict):
        return {key: _strip(item, (*path, key), kept) for key, item in tree.items() if item is not _DROPPED}
    if isinstance(tree, list):
        order = [index for index, item in enumerate(tree) if item is not _DROPPED]
        if len(order) != len(tree):
            kept[path] = order
        return [_strip(tree[index], (*path, index), kept) for index in order]
    return tree


def _extras(
    model: type[BaseModel], data: Any, path: Path = ()
) -> Iterator[tuple[type[BaseModel], Path, str]]:
    """Yield every key in the data that its model does not know, also where other errors stand beside it."""
    if not isinstance(data, dict):
        return
    for key, item in data.items():
        field = model.model_fields.get(key) if isinstance(key, str) else None
        if field is not None:
            yield from _extras_within(field.annotation, item, (*path, key))
        elif isinstance(key, str) and not key.startswith("x-"):
            yield model, path, key


def _extras_within(annotation: Any, value: Any, path: Path) -> Iterator[tuple[type[BaseModel], Path, str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _extras(annotation, value, path)
        return
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _extras_within(parts[0], value, path)
    elif origin is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _extras_within(parts[0], item, (*path, index))
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _extras_within(parts[1], item, (*path, key))


def _is_told(located: Located, missing: dict[Path, list[object]]) -> bool:
    """Say whether a misspelt key is named already, by the error that the right one is missing."""
    path = located[1].path
    return any(suggest(name, [path[-1]]) is not None for name in missing.get(path[:-1], ()))


def _unknown_key(role: str, data: Any, owner: type[BaseModel], path: Path, key: str) -> Located:
    near = suggest(key, (name for name in owner.model_fields if name != _SERVICES))
    where = _dotted(path) or "the top of the file"
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
