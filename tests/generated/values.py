"""Values that a schema of LiteLLM's config.yaml allows, as strategies of hypothesis.

Nothing here knows a key by its name, but for those that hold secrets: they get a reference to a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st

from pytest_aibackend.litellm.schema import Schema
from pytest_aibackend.litellm.schema.patterns import LAX
from pytest_aibackend.sources.secrets import is_secret_key

__all__ = ["VARIABLES", "WORDS", "value_of"]

# Variables that the gateway's environment has; none is a number, for a text is what comes of a reference.
VARIABLES: Final = {"BACKEND_KEY": "k-6f1c0b7ad29e4583", "BACKEND_NAME": "upstream"}
WORDS: Final = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8)
_REFERENCES: Final = st.sampled_from([f"os.environ/{name}" for name in VARIABLES])
_SECRETS: Final = st.sampled_from(["os.environ/BACKEND_KEY", "not-needed"])
_DEEPEST: Final = 3


def value_of(schema: Schema, definition: Mapping[str, Any], name: str) -> st.SearchStrategy[Any]:
    """Return what a key of this name and definition may hold; a text where the schema does not say."""
    return _value(schema, definition, name, 0)


def _value(
    schema: Schema, definition: Mapping[str, Any], name: str, depth: int, *, listed: bool = False
) -> st.SearchStrategy[Any]:
    is_class = "$ref" in definition
    if is_class:
        definition = schema.definition(definition["$ref"])
    branches = [branch for branch in definition.get("anyOf", ()) if not _is_reference(branch)]
    if branches:
        return st.one_of([_value(schema, branch, name, depth, listed=listed) for branch in branches])
    if "enum" in definition:
        return st.sampled_from(definition["enum"])
    given = definition.get("type", "string")
    types = [given] if isinstance(given, str) else [kind for kind in given if kind != "null"]
    values = [_of_type(kind, schema, definition, name, depth, listed=listed) for kind in types]
    # Nothing is "not set", which is seldom of interest; an item of a list is there or not.
    may_be_null = "null" in given and not listed and not is_class  # its key says whether it may be nothing
    return st.one_of([*values, *values, *values, *values, st.none()]) if may_be_null else st.one_of(values)


def _is_reference(definition: Mapping[str, Any]) -> bool:
    return str(definition.get("$ref", "")).endswith("/reference")


def _of_type(
    kind: str, schema: Schema, definition: Mapping[str, Any], name: str, depth: int, *, listed: bool
) -> st.SearchStrategy[Any]:
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        return st.integers(*_bounds(definition))
    if kind == "number":
        low, high = _bounds(definition)
        return st.integers(low, high) | st.floats(low, high, width=16)
    if kind == "string":
        return _text(definition, name, listed=listed)
    if kind == "array":
        items = _value(schema, definition.get("items", {}), name, depth + 1, listed=True)
        return st.lists(items, max_size=2 if depth < _DEEPEST else 0)
    if kind == "null":
        return st.none()
    assert kind == "object", f"the schema has a type that is new here: {kind}"
    return _mapping(schema, definition, depth)


def _bounds(definition: Mapping[str, Any]) -> tuple[int, int]:
    """Return whole numbers within the bounds of the schema; above 0, for 0 often means "not set"."""
    above, below = definition.get("exclusiveMinimum", 0), definition.get("exclusiveMaximum", 1001)
    return int(definition.get("minimum", above + 1)), int(definition.get("maximum", below - 1))


def _text(definition: Mapping[str, Any], name: str, *, listed: bool) -> st.SearchStrategy[Any]:
    pattern = definition.get("pattern")
    if pattern == LAX["boolean"]:
        return st.sampled_from(["true", "False", "yes", "off"])
    if pattern == LAX["integer"] or pattern == LAX["number"]:
        return st.integers(*_bounds(definition)).map(str)
    if pattern is not None:
        return st.nothing()  # only a reference, and what it stands for would be a text
    if is_secret_key(name):
        return _SECRETS if not listed else st.just("not-needed")
    return WORDS if listed else WORDS | _REFERENCES


def _is_required(definition: Mapping[str, Any]) -> bool:
    """Say whether a class of LiteLLM insists on a field: one that is neither optional nor has a default."""
    branches = definition.get("anyOf", (definition,))
    return "default" not in definition and not any(
        "null" in branch.get("type", ("null",)) or None in branch.get("enum", ()) for branch in branches
    )


def _mapping(schema: Schema, definition: Mapping[str, Any], depth: int) -> st.SearchStrategy[Any]:
    known: Mapping[str, Any] = definition.get("properties", {})
    if not known:
        inner = definition.get("additionalProperties")
        values = _value(schema, inner, "", depth + 1) if isinstance(inner, dict) else WORDS
        return st.dictionaries(WORDS, values, min_size=definition.get("minProperties", 0), max_size=1)
    required = [*definition.get("required", ()), *(name for name in known if _is_required(known[name]))]
    inside = {name: _deferred(schema, known[name], name, depth + 1) for name in known}

    def chosen(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({name: inside[name] for name in dict.fromkeys((*required, *names))})

    return st.lists(st.sampled_from(sorted(known)), unique=True, max_size=2).flatmap(chosen)


def _deferred(schema: Schema, definition: Mapping[str, Any], name: str, depth: int) -> st.SearchStrategy[Any]:
    """Return values that are worked out when one is drawn: some classes of LiteLLM hold themselves."""
    return st.deferred(lambda: _value(schema, definition, name, depth))
