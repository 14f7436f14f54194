"""Definitions: a section of the file, or a class that the value of some key is made into."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.litellm.derive import source
from pytest_aibackend.litellm.derive.annotations import Types, is_typed_dict
from pytest_aibackend.litellm.derive.fields import Section, needed_of
from pytest_aibackend.litellm.derive.routes import ANY, ITEM, Read, Route

__all__ = ["collect", "definition"]

_OPEN: Final = ("forwarded", "stored")  # fates of unknown keys that are no fault


def definition(section: Section, name: str, on_unknown: str, route: str | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a mapping; `route` is its place in the file, if it has one."""
    placed = {"route": route} if route is not None else {}
    return {
        "type": ["object", "null"],
        "x-litellm": {"section": name, **placed, "on_unknown": on_unknown},
        "properties": section.properties(name if route is not None else None),
        "additionalProperties": on_unknown in _OPEN,
    }


def collect(types: Types, definitions: dict[str, Any], reads: dict[Route, Read]) -> dict[str, Any]:
    """Return a definition for each class that a key's type refers to, and for those that they refer to."""
    found: dict[str, Any] = {}
    routes = _routes(definitions)
    due = _referred(definitions) - set(definitions)
    while due:
        for name in sorted(due):
            owner = types.records[name]
            section = Section(types, lax=True)
            section.add_class(owner)
            for route in routes[name]:
                section.add_reads(reads, route)
            found[name] = definition(section, name, _fate(owner))
            if _fate(owner) != "stored" and (needed := needed_of(owner)):  # else it may come from elsewhere
                found[name]["required"] = needed
            place = source.class_place(owner)
            found[name]["x-litellm"]["reads"] = [place] if place else []
        due = _referred(found) - set(found) - set(definitions)
    return found


def _fate(owner: type) -> str:
    """Return what becomes of a key that a class does not declare; one that renames keys takes any."""
    decorators = getattr(owner, "__pydantic_decorators__", None)
    validators = decorators.model_validators.values() if decorators is not None else ()
    if (
        is_typed_dict(owner)
        or "__init__" in vars(owner)
        or any(item.info.mode == "before" for item in validators)
    ):
        return "stored"
    extra = getattr(owner, "model_config", {}).get("extra")
    return {"forbid": "rejected", "allow": "stored"}.get(str(extra), "ignored")


def _routes(definitions: dict[str, Any]) -> dict[str, list[Route]]:
    """Return the places in the file whose values are made into each class."""
    found: dict[str, list[Route]] = defaultdict(list)
    for about in definitions.values():
        place = about.get("x-litellm", {}).get("route")
        steps = tuple(re.findall(r"\[\]|[^.\[\]]+", place)) if place is not None else None
        for key, schema in about.get("properties", {}).items() if steps is not None else ():
            for name, step in _referring(schema):
                found[name].append((*(steps or ()), key, *step))
    return found


def _referring(schema: dict[str, Any]) -> Iterator[tuple[str, Route]]:
    for part in (schema, *schema.get("anyOf", ())):
        inner = ((part, ()), (part.get("items"), (ITEM,)), (part.get("additionalProperties"), (ANY,)))
        for target, step in inner:
            if isinstance(target, dict) and "$ref" in target:
                yield target["$ref"].rpartition("/")[2], step


def _referred(value: Any) -> set[str]:
    """Return the names of the definitions that a schema refers to."""
    if isinstance(value, list):
        return {name for item in value for name in _referred(item)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
    return own | {name for item in value.values() for name in _referred(item)}
