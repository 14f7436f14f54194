"""What is left of a file's data when its errors are cut out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from pytest_aibackend.findings import Path
from pytest_aibackend.sources.schema_places import location_of

__all__ = ["original", "salvage"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_DROPPED: Final = object()


def original(kept: Mapping[Path, list[int]], path: Path) -> Path:
    """Return the path in the file of a path in what was left: indexes shift where items were left out.

    `kept` has, for each list that lost items, the places of the others in the file.
    """
    if not kept:
        return path
    found: Path = ()
    for step in path:
        order = kept.get(found)
        if order is not None and isinstance(step, int) and 0 <= step < len(order):
            found = (*found, order[step])
        else:
            found = (*found, step)
    return found


def salvage(model: type[ModelT], data: Any, error: ValidationError) -> tuple[ModelT, dict[Path, list[int]]]:
    """Cut out what is wrong until the rest is valid; each round removes at least one value.

    Returns the model, and for each list that lost items the places of the others.
    """
    tree = _copy(data)
    kept: dict[Path, list[int]] = {}
    stripped = data
    current = error
    while True:
        is_smaller = False
        for details in current.errors(include_url=False, include_input=False, include_context=False):
            place = original(kept, location_of(stripped, details))
            is_smaller |= _drop(tree, place[:-1] if details["type"] == "missing" else place)
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
