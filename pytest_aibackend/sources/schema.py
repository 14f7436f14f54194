"""A parsed file against its model: every error at once, and what is left when the errors are cut out.

One wrong field must not hide the rest of the file. So each error becomes a problem with its place,
the smallest part that holds the error is left out, and the remainder is validated again: rules then
work on what is sound, and nothing is reported twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pytest_aibackend.findings import Path, suggest
from pytest_aibackend.sources.models import PortsFile
from pytest_aibackend.sources.schema_places import in_file, location_of, with_services
from pytest_aibackend.sources.schema_salvage import original, salvage
from pytest_aibackend.sources.schema_words import Located, problem_of, unknown_key

__all__ = ["Checked", "check_against"]

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A file's model as far as it is sound, and what was wrong with the rest."""

    model: Any
    problems: tuple[Located, ...]
    # For each list that lost items: the places, in the file, of the items that were kept.
    kept: dict[Path, list[int]] = field(default_factory=dict)

    def original(self, path: Path) -> Path:
        """Return the path in the file of a path in the model: indexes shift where items were left out."""
        return original(self.kept, path)


def check_against(model: type[ModelT], role: str, data: dict[Any, Any]) -> Checked:
    """Validate a file's data; never raises for anything the data may hold."""
    if model is PortsFile:
        data = with_services(data)
    problems: list[Located] = []
    kept: dict[Path, list[int]] = {}
    missing: dict[Path, list[object]] = {}
    try:
        sound = model.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        problems = _without_echoes([problem_of(model, role, data, details) for details in errors])
        sound, kept = salvage(model, data, error)
        for each in errors:
            if each["type"] == "missing":
                place = in_file(model, location_of(data, each))
                missing.setdefault(place[:-1], []).append(place[-1])
    for owner, path, key in _extras(model, data):
        located = unknown_key(role, data, owner, in_file(model, path), key)
        if not _is_told(located, missing):
            problems.append(located)
    return Checked(
        model=sound,
        problems=tuple(problems),
        kept={in_file(model, path): order for path, order in kept.items()},
    )


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
