"""The schema of config.yaml as an editor wants it: an older draft, and a sentence about every key.

Editors (yaml-language-server, and all that build on it) know draft-07 everywhere. They show `description`
beside a key, complete what is listed, and mark what the schema does not allow while somebody types: so
nothing is allowed for every key, as LiteLLM takes it for "not set".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pytest_aibackend.litellm.schema import Schema, Section
from pytest_aibackend.litellm.schema.patterns import STAND_INS

__all__ = ["editor_schema", "text_of"]

_OURS: Final = ("x-litellm", "x-litellm-values", "$schema", "$defs")
_STRICT: Final = ("ignored", "warned", "rejected")
_NULL: Final[Mapping[str, Any]] = {"type": "null"}
# Names that LiteLLM knows where others may stand, too: a function of one's own, for the most part.
_SUGGESTED: Final = {
    ("litellm_settings", "callbacks"): "callback",
    ("litellm_settings", "success_callback"): "callback",
    ("litellm_settings", "failure_callback"): "callback",
    ("litellm_settings", "service_callback"): "callback",
    ("guardrail_params", "guardrail"): "guardrail",
    ("guardrail_params", "mode"): "guardrail_mode",
}


def editor_schema(schema: Schema) -> dict[str, Any]:
    """Return the schema of a release line for editors: draft-07, each key with a description."""
    definitions = {
        name: _definition(schema, definition) for name, definition in schema.document["$defs"].items()
    }
    for kind in sorted(set(_SUGGESTED.values())):
        definitions[f"known_{kind}"] = {"anyOf": [{"enum": sorted(schema.values(kind))}, {"type": "string"}]}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_definition(schema, schema.document),
        "definitions": definitions,
    }


def text_of(document: Mapping[str, Any], depth: int = 0) -> str:
    """Return it as text with one key of config.yaml in a line."""
    inner, lines = " " * (depth + 1), []
    for name, value in document.items():
        is_table = name in ("properties", "definitions") or (
            isinstance(value, dict) and "properties" in value
        )
        text = text_of(value, depth + 1) if is_table else json.dumps(value, ensure_ascii=False)
        lines.append(f"{inner}{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + ("}" if depth else "}\n")


def _definition(schema: Schema, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return one mapping of the file, with its keys."""
    plain = {key: value for key, value in definition.items() if key not in (*_OURS, "properties")}
    if "properties" not in definition:
        return {word: _converted(item) for word, item in plain.items()}
    section = Section(str(definition["x-litellm"]["section"]), definition)
    return plain | {
        "properties": {
            name: _property(schema, section.name, name, key) for name, key in definition["properties"].items()
        },
        "additionalProperties": section.is_open_class or section.on_unknown not in _STRICT,
    }


def _property(schema: Schema, section: str, name: str, key: Mapping[str, Any]) -> dict[str, Any]:
    plain = {word: value for word, value in key.items() if word not in _OURS}
    converted = _nullable(_converted(plain))
    if listed := schema.listed(section, name):
        converted = {"anyOf": [{"enum": sorted(listed)}, {"$ref": "#/definitions/reference"}, dict(_NULL)]}
    if (section, name) in _SUGGESTED:
        converted = _with_suggestions(converted, _SUGGESTED[section, name])
    told = _told(key, schema.version)
    return {**converted, "description": told} if told else converted


def _told(key: Mapping[str, Any], version: str) -> str:
    """Return what a reader wants to know of a key: LiteLLM's own words, ours, and where it is read."""
    about = key.get("x-litellm", {})
    parts = [str(key.get("description", "")), str(about.get("note", ""))]
    if about.get("reads"):
        parts.append(f"LiteLLM {version}: {', '.join(about['reads'])}")
    return "\n\n".join(part for part in parts if part)


def _converted(value: Any) -> Any:
    """Return a part of the schema in draft-07: what stands beside a reference counts for nothing there."""
    if isinstance(value, list):
        return [_converted(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return {"$ref": value["$ref"].replace("#/$defs/", "#/definitions/")}
    part = {word: item if word in ("enum", "default") else _converted(item) for word, item in value.items()}
    if part.get("pattern") in STAND_INS and isinstance(names := part.get("type"), list):
        wanted = " or ".join(name for name in names if name not in ("string", "null"))
        part["patternErrorMessage"] = f"{wanted}, or os.environ/NAME"  # a word that editors know
    return part


def _nullable(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part that allows for nothing, too."""
    if "$ref" in part:
        return {"anyOf": [part, dict(_NULL)]}
    if "anyOf" in part:
        return {**part, "anyOf": [*part["anyOf"], dict(_NULL)]}
    given = part.get("type")
    if given is None:
        return part
    names = [given] if isinstance(given, str) else list(given)
    return {**part, "type": names if "null" in names else [*names, "null"]}


def _with_suggestions(part: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return a part that lists names for its texts and those in its lists, and takes any other as well."""
    types = part.get("type", ["string", "null"])
    shapes: dict[str, dict[str, Any]] = {
        "string": {"$ref": f"#/definitions/known_{kind}"},
        "array": {"type": "array", "items": {"$ref": f"#/definitions/known_{kind}"}},
    }
    return {"anyOf": [shapes.get(name, {"type": name}) for name in types]}
