"""The JSON Schemas of the source files, for editors: derived from the models, so that they cannot differ.

A schema is stricter than the checks in one respect: it refuses every key that is not known, where the
checks only warn about one that resembles no known key.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.sources.meanings import meaning_of
from pytest_aibackend.sources.source_file import MODELS

__all__ = ["export", "schema_of"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_FREE_KEYS: Final[dict[str, Any]] = {"^x-": True}  # notes of the file's owner


def schema_of(role: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one source file. Raises KeyError for another role."""
    model = MODELS[role]
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})
    for name, definition in (*definitions.items(), (model.__name__, schema)):
        _close(name, definition)
    if role == "providers":
        _allow(definitions["Provider"]["properties"]["models"], "items", {"type": "string", "minLength": 1})
    if role == "model-mappings":
        chains = schema["properties"]["fallback_chains"]
        _allow(chains, "additionalProperties", {"type": "array", "items": {"type": "string"}})
    if role == "ports":
        services = schema["properties"].pop("services")
        schema["additionalProperties"] = services["additionalProperties"]
    schema.pop("title", None)
    return {"$schema": _DIALECT, "title": f"{role}.yaml", **schema}


def export(output_dir: Path) -> list[Path]:
    """Write the schemas of all source files, the same bytes each time; return the files. Raises OSError."""
    output_dir.mkdir(parents=True, exist_ok=True)
    written = []
    for role in MODELS:
        path = output_dir / f"{role}.schema.json"
        path.write_text(json.dumps(schema_of(role), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _close(name: str, definition: dict[str, Any]) -> None:
    """Refuse unknown keys but free ones, and say what the known ones mean."""
    for key, about in definition["properties"].items():
        if isinstance(about.get("default"), dict) or about.get("default", ...) is None:
            del about["default"]  # all defaults of a nested object, or none: no news to a reader
        if meaning := meaning_of(name, key):
            about["description"] = meaning
    definition["patternProperties"] = dict(_FREE_KEYS)
    definition["additionalProperties"] = False


def _allow(holder: dict[str, Any], key: str, short_form: dict[str, Any]) -> None:
    """Accept a short form beside the object, as the model does."""
    holder[key] = {"anyOf": [short_form, holder[key]]}
