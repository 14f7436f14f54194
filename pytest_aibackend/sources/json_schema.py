"""The JSON Schemas of the source files, for editors: derived from the models, so that they cannot differ.

A schema is stricter than the checks in one respect: it refuses every key that is not known, where the
checks only warn about one that resembles no known key.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from pytest_aibackend.sources.models import GatewayFile, ModelMappingsFile, PortsFile, ProvidersFile

__all__ = ["SCHEMAS", "export", "schema_of"]

SCHEMAS: Final[dict[str, type[BaseModel]]] = {
    "providers": ProvidersFile,
    "model-mappings": ModelMappingsFile,
    "ports": PortsFile,
    "gateway": GatewayFile,
}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_FREE_KEYS: Final[dict[str, Any]] = {"^x-": True}  # notes of the file's owner

# What an editor shows beside a key whose name does not say it all.
_DESCRIPTIONS: Final[dict[tuple[str, str], str]] = {
    ("Provider", "type"): "The protocol that the provider speaks.",
    ("Provider", "base_url"): "Where the provider answers, with port; without user name or password.",
    ("Provider", "status"): "Only an active provider gets requests.",
    ("Provider", "required"): "A required provider that is down fails check 7, another one warns.",
    ("Provider", "models"): "The models, as the provider itself lists them; a bare name is enough.",
    ("Provider", "health_endpoint"): "A path that is asked in addition to those of the protocol.",
    ("Provider", "requires_api_key"): "Whether the provider refuses requests without a key.",
    ("Provider", "env_var"): "The environment variable that holds the key; never the key itself.",
    ("Provider", "rate_limits"): "Become rpm and tpm of each deployment.",
    ("Model", "mode"): "What the model does, in LiteLLM's words.",
    ("Model", "options"): "Passed to the deployment's litellm_params.",
    ("Model", "rpm"): "Requests per minute of this deployment.",
    ("Model", "tpm"): "Tokens per minute of this deployment.",
    ("ExactMatch", "provider"): "The provider's name in providers.yaml.",
    ("ExactMatch", "backend_model"): "The provider's name for the model, where clients use another one.",
    ("ExactMatch", "fallback"): "The provider, or the model group, that answers when this one fails.",
    ("Pattern", "pattern"): "A regular expression over the names that clients ask for.",
    ("Capability", "preferred_models"): "Model groups, the first usable one answers.",
    ("LoadBalancing", "providers"): "The members; requests are spread over them by weight.",
    ("LoadBalancingMember", "weight"): "This member's share; only the proportion to the others matters.",
    ("Chain", "chain"): "Model groups, in the order in which they are tried.",
    ("ModelMappingsFile", "exact_matches"): "Names that clients ask for, and the deployment behind each.",
    ("ModelMappingsFile", "fallback_chains"): "By model group; the chain `default` is for all others.",
    ("PortEntry", "port"): "1 to 65535.",
    ("PortEntry", "required"): "A required service that does not listen fails check 6.",
    ("PortEntry", "service"): "The service's unit, as in ollama.service.",
    ("PortEntry", "depends_on"): "Services of this file that must run first.",
    ("PortEntry", "range"): "The range, by its name under ranges, that the port belongs to.",
    ("PortsFile", "reserved"): "Ports kept free for services to come.",
    ("PortsFile", "ranges"): "Ranges by name, as in 8000-8999.",
    ("GatewayFile", "litellm_settings"): "Passed to LiteLLM as they are.",
    ("GatewayFile", "router_settings"): "Passed to LiteLLM as they are.",
    ("GatewayFile", "general_settings"): "Passed to LiteLLM; the master key as os.environ/NAME.",
    ("Deploy", "path"): "The file that the gateway reads; relative to this one.",
    ("Deploy", "url"): "Where the gateway answers.",
    ("Passthrough", "litellm_params"): "Goes into litellm_params as it is; null takes a key away.",
    ("Passthrough", "model_info"): "Goes into model_info as it is; null takes a key away.",
    ("GatewayPassthrough", "model_list"): "Whole deployments, in LiteLLM's words.",
    ("GatewayPassthrough", "sections"): "Whole sections, in LiteLLM's words: guardrails, mcp_servers, ...",
    ("GatewayFile", "passthrough"): "What the sources have no place for.",
    ("Provider", "passthrough"): "For each deployment of the provider, in LiteLLM's words.",
    ("Model", "passthrough"): "For each deployment of the model, in LiteLLM's words.",
    ("ExactMatch", "passthrough"): "For this deployment alone, in LiteLLM's words.",
    ("LoadBalancingMember", "passthrough"): "For this deployment alone, in LiteLLM's words.",
    ("Retention", "recent"): "The newest backups, whatever their age.",
    ("Retention", "daily"): "The newest backup of each of this many days.",
    ("Retention", "weekly"): "The newest backup of each of this many ISO weeks.",
}


def schema_of(role: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one source file. Raises KeyError for another role."""
    model = SCHEMAS[role]
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.get("$defs", {})
    for name, definition in (*definitions.items(), (model.__name__, schema)):
        if "properties" in definition:
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
    for role in SCHEMAS:
        path = output_dir / f"{role}.schema.json"
        path.write_text(json.dumps(schema_of(role), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _close(name: str, definition: dict[str, Any]) -> None:
    """Refuse unknown keys but free ones, and say what the known ones mean."""
    for key, about in definition["properties"].items():
        if isinstance(about.get("default"), dict) or about.get("default", ...) is None:
            del about["default"]  # all defaults of a nested object, or none: no news to a reader
        if (name, key) in _DESCRIPTIONS:
            about["description"] = _DESCRIPTIONS[name, key]
    definition["patternProperties"] = dict(_FREE_KEYS)
    definition["additionalProperties"] = False


def _allow(holder: dict[str, Any], key: str, short_form: dict[str, Any]) -> None:
    """Accept a short form beside the object, as the model does."""
    holder[key] = {"anyOf": [short_form, holder[key]]}
