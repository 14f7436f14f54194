"""What a configuration says to LiteLLM 1.106.2, worked out step by step as its proxy does it.

Independent of the importer's own comparison: nothing of the package is used here. Two configurations mean the
same where `read` gives the same of both, each with the environment that its gateway has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["read", "value_at"]

KINDS: Final = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
# main.py: what it takes where neither the deployment nor litellm_settings nor a variable names an address.
ADDRESSES: Final = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
VARIABLES: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
BARE: Final = {"gpt-": "openai", "o1": "openai", "claude-": "anthropic"}  # of the names that the corpus has
# Sent to a server that asks for no key; LiteLLM has a word of its own for vLLM, and Ollama is sent none.
NO_KEY: Final = frozenset({"none", "dummy", "empty", "not-needed", "placeholder", "ollama", "fake-key"})
KEYLESS: Final = ("hosted_vllm", "ollama", "ollama_chat")
PROVIDERS: Final = (*ADDRESSES, *KEYLESS, "azure", "vertex_ai", "groq")


def read(path: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what LiteLLM takes from a file, part by part."""
    raw = _included(path)
    config = {key: _resolved(value, environment) for key, value in raw.items()}
    settings = {name: _mapping(config.get(name)) for name in ("litellm_settings", "router_settings")}
    variables = {**environment, **_mapping(config.get("environment_variables"))}
    listed = config.get("model_list")
    entries = [_deployment(each, settings["litellm_settings"], variables) for each in listed or ()]
    parts: dict[str, Any] = {
        "deployments": Counter(repr(_sorted(entry)) for entry in entries),
        "fallbacks": _fallbacks(settings, {str(entry["model_name"]) for entry in entries}),
    }
    for name, section in config.items():
        said = _beside_fallbacks(settings[name]) if name in settings else section
        if said and name != "model_list":
            parts[name] = repr(_sorted(said))
    return parts


def _beside_fallbacks(settings: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the settings but for fallbacks, which are read from two places, and what is off by default."""
    off = {"enable_weighted_failover": False}
    moved = (*KINDS, "default_fallbacks")
    return {
        key: value for key, value in settings.items() if key not in moved and value is not off.get(key, ...)
    }


def value_at(config: Any, place: str) -> Any:
    """Return what stands at `model_list[0] ('name').litellm_params.api_key`."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", re.sub(r" \('.*'\)", "", place)):
        config = config[int(index)] if index else config[name]
    return config


def _included(path: Path) -> dict[Any, Any]:
    """Merge what a file includes, each file once: lists grow, anything else is replaced."""
    whole: dict[Any, Any] = {}
    pending, loaded = [path], set()
    while pending:
        file = pending.pop(0)
        if file in loaded:
            continue
        loaded.add(file)
        part = yaml.load(file.read_bytes(), yaml.CSafeLoader)
        pending += [file.parent / name for name in part.pop("include", ())]
        for key, value in part.items():
            grows = isinstance(value, list) and isinstance(whole.get(key), list)
            whole[key] = [*whole[key], *value] if grows else value
    return whole


def _resolved(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(item, environment) for key, item in value.items()}
    if isinstance(value, list):  # of what stands in a list, mappings alone
        return [_resolved(item, environment) if isinstance(item, dict) else item for item in value]
    if isinstance(value, str) and value.startswith("os.environ/"):
        found = environment.get(value.removeprefix("os.environ/"))
        return {"true": True, "false": False}.get(found.lower(), found) if found is not None else None
    return value


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _deployment(entry: Any, settings: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry as the router keeps it: without nulls, with what LiteLLM takes of itself."""
    params = {key: value for key, value in entry["litellm_params"].items() if value is not None}
    info = {key: value for key, value in (entry.get("model_info") or {}).items() if value is not None}
    prefix, slash, _ = params["model"].partition("/")
    bare = next((kind for start, kind in BARE.items() if prefix.startswith(start)), "")
    kind = params.get("custom_llm_provider") or (prefix if slash else bare)
    if isinstance(params.get("api_key"), str) and params["api_key"].lower() in NO_KEY:
        params["api_key"] = "a word in the place of a key"
        if kind in KEYLESS:
            del params["api_key"]
    if kind in ADDRESSES and "litellm_credential_name" not in params:
        # The variables of addresses are not in the environments of the corpus.
        if not params.get("api_base") and not params.get("base_url") and not settings.get("api_base"):
            params["api_base"] = ADDRESSES[kind]
        if not params.get("api_key") and not settings.get("api_key"):
            params["api_key"] = variables.get(VARIABLES[kind])
    return {**entry, "litellm_params": params, "model_info": info}


def _fallbacks(settings: Mapping[str, Mapping[str, Any]], groups: Iterable[str]) -> dict[str, Any]:
    """Return, for each kind, where a request goes for any name that could make a difference."""
    router, library = settings["router_settings"], settings["litellm_settings"]
    found: dict[str, Any] = {}
    for kind in KINDS:
        entries = router.get(kind) or library.get(kind) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry for entry in entries):
            found[kind] = repr(entries)  # LiteLLM does not start with it, or never finds any
            continue
        default = router.get("default_fallbacks") or library.get("default_fallbacks")
        if kind == "fallbacks" and default:
            entries = [*entries, {"*": default}]
        sources = [str(next(iter(entry))) for entry in entries]
        aliases = map(str, _mapping(router.get("model_group_alias")))
        names = {*groups, *sources, *aliases, *(name.rpartition("/")[2] for name in sources), "any other"}
        names |= {f"{provider}/{name}" for provider in PROVIDERS for name in sources}
        found[kind] = {name: _chain(entries, name) for name in sorted(names)}
    return found


def _chain(entries: list[dict[Any, Any]], name: str) -> Any:
    """Return the targets for a name (router_utils/fallback_event_handlers.py, get_fallback_model_group).

    Whether a name without a prefix is found under one with it depends on LiteLLM's map of models; here it is.
    """
    alike: Any = None
    generic: Any = None
    for entry in entries:
        source = next(iter(entry))
        if source == name:
            return entry[source]
        if any(f"{provider}/{source}" == name or source == f"{provider}/{name}" for provider in PROVIDERS):
            alike = entry[source]
        elif source == "*":
            generic = entry[source]
    return alike if alike is not None else generic


def _sorted(value: Any) -> Any:
    """Return it in a form in which the order of keys does not show, nor that 60 is written 60.0.

    A limit may be a text, too: it is declared as a whole number, and pydantic makes one of it.
    """
    if isinstance(value, dict):
        value = {
            key: int(item) if key in ("rpm", "tpm") and isinstance(item, str) and item.isdecimal() else item
            for key, item in value.items()
        }
        return sorted(((repr(key), _sorted(item)) for key, item in value.items()), key=repr)
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
