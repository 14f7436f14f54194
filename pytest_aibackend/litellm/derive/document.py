"""The whole JSON Schema, and its text: the same bytes for the same LiteLLM."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from pytest_aibackend.litellm.derive import additions, classes, records, sections, values
from pytest_aibackend.litellm.derive.annotations import Types
from pytest_aibackend.litellm.derive.places import PLACES, section_of
from pytest_aibackend.litellm.derive.reads import scan
from pytest_aibackend.litellm.schema.patterns import REFERENCE

__all__ = ["derive", "derive_models", "text_of"]

# Where each section stands, and what becomes of a key in it that LiteLLM does not know.
_SECTIONS: Final[dict[str, tuple[str, str]]] = {
    "general_settings": ("general_settings", "ignored"),
    "litellm_settings": ("litellm_settings", "ignored"),  # set on the module, where nothing reads it
    "router_settings": ("router_settings", "warned"),
    "cache_params": ("litellm_settings.cache_params", "rejected"),
    "deployment": ("model_list[]", "ignored"),
    "litellm_params": ("model_list[].litellm_params", "forwarded"),
    "model_info": ("model_list[].model_info", "stored"),
    "guardrail": ("guardrails[]", "ignored"),
    "guardrail_params": ("guardrails[].litellm_params", "forwarded"),
    "mcp_server": ("mcp_servers.*", "ignored"),
    **{place.name: (place.route, place.on_unknown) for place in PLACES},
}
_REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "deployment": ("litellm_params", "model_name"),
    "litellm_params": ("model",),
    "guardrail": ("guardrail_name", "litellm_params"),
    **{place.name: place.required for place in PLACES},
}
_INSTEAD: Final = {place.name: place.instead for place in PLACES if place.instead is not None}
_ROUTE: Final = re.compile(r"(?:(?P<holder>.*)\.)?(?P<key>[^.\[\]*]+)(?P<step>\[\]|\.\*)?")


def derive() -> dict[str, Any]:
    """Return the schema of config.yaml for the LiteLLM that this Python imports."""
    import litellm

    litellm.suppress_debug_info = True

    types, reads = Types(), scan()
    built = {name: getattr(sections, name)(types, reads) for name in sections.__all__}
    built |= {place.name: section_of(place, types) for place in PLACES}
    classes.apply(built, types)
    unknown = additions.apply(built)
    top = built.pop("top_level").properties("")
    definitions = {
        name: records.definition(built[name], name, fate, route) for name, (route, fate) in _SECTIONS.items()
    }
    for name, fates in unknown.items():
        if name in definitions:
            definitions[name]["x-litellm"]["unknown"] = fates
    _join(top, definitions)
    definitions["reference"] = {"type": "string", "pattern": REFERENCE}
    definitions |= records.collect(types, definitions, reads)
    version = values.version()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"config.yaml of LiteLLM {values.line(version)}",
        "x-litellm": {
            "version": version,
            "line": values.line(version),
            "section": "",
            "route": "",
            "on_unknown": "ignored",
            "unknown": unknown.get("top_level", {}),
        },
        "type": "object",
        "properties": top,
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
        "x-litellm-values": values.collect(),
    }


def derive_models() -> dict[str, Any]:
    """Return what goes beside the schema: the names of models that LiteLLM knows."""
    return {"x-litellm": {"version": values.version()}, **values.models()}


def text_of(schema: dict[str, Any]) -> str:
    """Return the schema as text with one key of config.yaml in a line, so that versions can be compared."""
    return _lines(schema, 0) + "\n"


def _join(top: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Put the sections where they belong; leave out those that this version does not read."""
    holders = {
        "": top,
        **{about["x-litellm"]["route"]: about["properties"] for about in definitions.values()},
    }
    for name, (route, _fate) in _SECTIONS.items():
        match = _ROUTE.fullmatch(route)
        assert match is not None, route
        holder, key = holders.get(match["holder"] or ""), match["key"]
        if holder is None or key not in holder:
            del definitions[name], holders[route]
            continue
        target: dict[str, Any] = {"$ref": f"#/$defs/{name}"}
        if name in _INSTEAD:
            target = {"anyOf": [target, _INSTEAD[name]]}
        if match["step"] == "[]":
            target = {"type": ["array", "null"], "items": target}
        elif match["step"]:
            target = {"type": ["object", "null"], "additionalProperties": target}
        known = {word: holder[key][word] for word in ("description", "x-litellm") if word in holder[key]}
        holder[key] = target | known
        required = sorted(set(_REQUIRED.get(name, ())) & set(definitions[name]["properties"]))
        if required:
            definitions[name].update(type="object", required=required)


def _lines(value: Any, depth: int) -> str:
    indent, inner = " " * depth, " " * (depth + 1)
    if isinstance(value, dict) and value and _is_table(value):
        items = [f"{inner}{json.dumps(key)}: {_lines(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and len(json.dumps(value)) > 400:
        items = [inner + json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _is_table(value: dict[str, Any]) -> bool:
    """Whether a mapping holds keys of config.yaml, or leads to them: each in a line of its own."""
    return (
        "properties" in value
        or any(isinstance(item, dict) and (len(item) > 3 or _is_table(item)) for item in value.values())
        or (
            "x-litellm" not in value
            and all(isinstance(item, dict | list) for item in value.values())
            and len(value) > 3
        )
    )
