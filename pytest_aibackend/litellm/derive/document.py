"""The whole JSON Schema, and its text: the same bytes for the same LiteLLM."""

from __future__ import annotations

import json
from typing import Any, Final

from pytest_aibackend.litellm.derive import additions, records, sections, values
from pytest_aibackend.litellm.derive.annotations import Types
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
}


def derive() -> dict[str, Any]:
    """Return the schema of config.yaml for the LiteLLM that this Python imports."""
    import litellm

    litellm.suppress_debug_info = True

    types, reads = Types(), scan()
    built = {name: getattr(sections, name)(types, reads) for name in ("top_level", *_SECTIONS)}
    unknown = additions.apply(built)
    top = built.pop("top_level").properties("")
    definitions = {
        name: records.definition(section, name, _SECTIONS[name][1], _SECTIONS[name][0])
        for name, section in built.items()
    }
    for name, fates in unknown.items():
        if name in definitions:
            definitions[name]["x-litellm"]["unknown"] = fates
    definitions["reference"] = {"type": "string", "pattern": REFERENCE}
    _join(top, definitions)
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
    """Put the sections where they belong."""

    def refer(
        holder: dict[str, Any], key: str, name: str, *, listed: bool = False, mapped: bool = False
    ) -> None:
        about = holder.setdefault(key, {"x-litellm": {"section": "", "reads": []}})["x-litellm"]
        target: dict[str, Any] = {"$ref": f"#/$defs/{name}"}
        if listed:
            target = {"type": ["array", "null"], "items": target}
        if mapped:
            target = {"type": ["object", "null"], "additionalProperties": target}
        holder[key] = {**target, "x-litellm": about}

    for name in ("general_settings", "litellm_settings", "router_settings"):
        refer(top, name, name)
    refer(top, "model_list", "deployment", listed=True)
    refer(top, "guardrails", "guardrail", listed=True)
    refer(top, "mcp_servers", "mcp_server", mapped=True)
    refer(definitions["litellm_settings"]["properties"], "cache_params", "cache_params")
    deployment, guardrail = definitions["deployment"], definitions["guardrail"]
    for name in ("litellm_params", "model_info"):
        refer(deployment["properties"], name, name)
    refer(guardrail["properties"], "litellm_params", "guardrail_params")
    deployment.update(type="object", required=["litellm_params", "model_name"])
    definitions["litellm_params"].update(type="object", required=["model"])
    guardrail.update(type="object", required=["guardrail_name", "litellm_params"])


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
