"""CONFIG-SCHEMA.md: every field of the four source files, from the models; a complete example of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml

from pytest_aibackend.sources.json_schema import schema_of
from pytest_aibackend.sources.source_file import MODELS

__all__ = ["EXAMPLES", "complete_example", "examples_of", "render"]

_INTRODUCTION: Final = """\
<!-- Generated from the models: `aibackend docs schema > CONFIG-SCHEMA.md`. Do not edit. -->

# The fields of the four source files

Each file has a complete example: every field of it, in a configuration that passes the checks, but for the
warnings about fields that have no effect. Then come the fields of each part. A field without a default is not
set unless you set it; *required* ones have to be. A key that is not listed is an error where it resembles a
known one, else a warning; keys that begin with `x-` are yours. The same as JSON Schema, for editors, is in
`config/schemas/`.
"""

# Where the parts of each file stand in its example: `*` is any key or item.
EXAMPLES: Final[Mapping[str, tuple[str, str]]] = {
    "ProvidersFile": ("providers", ""),
    "Provider": ("providers", "providers.*"),
    "Model": ("providers", "providers.*.models.*"),
    "RateLimits": ("providers", "providers.*.rate_limits"),
    "Passthrough": ("providers", "providers.*.passthrough"),
    "HealthChecks": ("providers", "health_checks"),
    "ModelMappingsFile": ("model-mappings", ""),
    "ExactMatch": ("model-mappings", "exact_matches.*"),
    "Pattern": ("model-mappings", "patterns.*"),
    "Capability": ("model-mappings", "capabilities.*"),
    "LoadBalancing": ("model-mappings", "load_balancing.*"),
    "LoadBalancingMember": ("model-mappings", "load_balancing.*.providers.*"),
    "Chain": ("model-mappings", "fallback_chains.*"),
    "RoutingRules": ("model-mappings", "routing_rules"),
    "PortsFile": ("ports", ""),
    "PortEntry": ("ports", "*"),
    "ReservedPort": ("ports", "reserved.*"),
    "GatewayFile": ("gateway", ""),
    "GatewayPassthrough": ("gateway", "passthrough"),
    "Deploy": ("gateway", "deploy"),
    "Retention": ("gateway", "deploy.retention"),
    "ServiceManager": ("gateway", "deploy.service"),
}
_SHOWN: Final = 60


def render() -> str:
    """Return the page as Markdown, the same text for the same models."""
    lines = [_INTRODUCTION]
    for role in MODELS:
        lines += [f"## {role}.yaml", "", "```yaml", complete_example(role).rstrip(), "```", ""]
        for name, (home, _) in EXAMPLES.items():
            if home == role:
                lines += [*_section(name, role), ""]
    return "\n".join(lines).rstrip() + "\n"


def complete_example(role: str) -> str:
    """Return the text of a source file in which every field is set somewhere."""
    return (files(__package__) / "complete" / f"{role}.yaml").read_text(encoding="utf-8")


def examples_of(name: str) -> dict[str, Any]:
    """Return a value for each field of a model that the complete example sets, the first of each."""
    role, place = EXAMPLES[name]
    found: dict[str, Any] = {}
    for part in _parts(_example(role), place.split(".") if place else []):
        for key, value in part.items() if isinstance(part, dict) else ():
            found.setdefault(key, value)
    return found


@cache
def _example(role: str) -> Any:
    return yaml.safe_load(complete_example(role))


def _parts(data: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield data
    elif steps[0] == "*":
        for each in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
            yield from _parts(each, steps[1:])
    elif isinstance(data, dict) and steps[0] in data:
        yield from _parts(data[steps[0]], steps[1:])


def _section(name: str, role: str) -> Iterator[str]:
    schema = _definition(name, role)
    _, place = EXAMPLES[name]
    yield f"### {name}"
    yield ""
    about = " ".join(str(schema.get("description", "")).split())
    yield f"{about} Stands at `{_place(place)}`." if place else about
    yield ""
    yield "| field | type | default | example | |"
    yield "|---|---|---|---|---|"
    examples = examples_of(name)
    for field, about_it in schema["properties"].items():
        default = "*required*" if field in schema.get("required", ()) else _default(about_it)
        yield (
            f"| `{field}` | {_type(about_it)} | {default} | {_shown(examples[field])}"
            f" | {about_it.get('description', '')} |"
        )


@cache
def _schema(role: str) -> dict[str, Any]:
    return schema_of(role)


def _definition(name: str, role: str) -> dict[str, Any]:
    schema = _schema(role)
    found: dict[str, Any] = schema if MODELS[role].__name__ == name else schema["$defs"][name]
    return found


def _place(place: str) -> str:
    return place.replace("models.*", "models[]").replace("patterns.*", "patterns[]").replace("*", "NAME")


def _default(about: Mapping[str, Any]) -> str:
    default = about.get("default")
    return "" if default in (None, [], {}) else f"`{json.dumps(default)}`"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list) and len(_flow(value)) > _SHOWN:
        return "above"
    return f"`{_flow(value)}`".replace("|", "\\|")


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return text.removesuffix("...\n").strip()


def _type(about: Mapping[str, Any]) -> str:
    if "$ref" in about:
        return _reference(about["$ref"])
    if "anyOf" in about:
        return " or ".join(_type(each) for each in about["anyOf"] if each.get("type") != "null")
    if "enum" in about:
        return ", ".join(f"`{each}`" for each in about["enum"])
    match about.get("type"):
        case "array":
            return f"list of {_type(about.get('items', {}))}"
        case "object":
            values = about.get("additionalProperties")
            return f"mapping to {_type(values)}" if isinstance(values, dict) else "mapping"
        case str(kind):
            return " ".join([kind, *_bounds(about)])
    return "anything"


def _bounds(about: Mapping[str, Any]) -> Iterator[str]:
    for key, sign in (("exclusiveMinimum", ">"), ("minimum", "≥"), ("maximum", "≤")):
        if key in about:
            yield f"{sign} {about[key]:g}"
    if "pattern" in about:
        yield f"like `{about['pattern']}`"


def _reference(target: str) -> str:
    name = target.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"
