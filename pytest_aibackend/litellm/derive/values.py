"""The values that LiteLLM knows by name: providers, routing strategies, callbacks, guardrails, models."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.litellm.derive import source
from pytest_aibackend.litellm.derive.annotations import json_value
from pytest_aibackend.litellm.derive.source import find

__all__ = ["collect", "line", "models", "modes", "routing_strategies", "version"]

_COMPARED: Final = re.compile(r"\bcallback\w* == \"(\w+)\"|\blogging_integration == \"(\w+)\"")
_HOOK: Final = re.compile(r"proxy/guardrails/guardrail_hooks/\w+/__init__\.py")
_CALLBACK_FILES: Final = ("litellm_core_utils/litellm_logging.py", "proxy/common_utils/callback_utils.py")


def version() -> str:
    """Return the installed LiteLLM's version."""
    return importlib.metadata.version("litellm")


def line(full: str) -> str:
    """Return the release line of a version: 1.106 of 1.106.2."""
    return ".".join(full.split(".")[:2])


def collect() -> dict[str, list[Any]]:
    """Return each list of values, sorted."""
    return {
        "provider": sorted(_providers()),
        "routing_strategy": routing_strategies(),
        "cache_type": _members(find("types.caching:LiteLLMCacheType")),
        "cache_mode": _members(find("caching.caching:CacheMode") or find("types.caching:CacheMode")),
        "callback": sorted(_callbacks()),
        "guardrail": sorted(_guardrails()),
        "guardrail_mode": _members(find("types.guardrails:GuardrailEventHooks")),
        "pre_call_check": _literals(find("types.router:OptionalPreCallChecks")),
        "model_mode": modes(),
        "api_base": sorted(map(str, find(":openai_compatible_endpoints"))),
        "blocked_environment": sorted(_blocked_environment()),
    }


def models() -> dict[str, Any]:
    """Return LiteLLM's own table of models as far as a checker needs it.

    A deployment may name a model without its provider when LiteLLM knows the provider (`bare`, asked of
    LiteLLM itself), and needs no mode when LiteLLM knows that it is no chat model (`modes`).
    """
    import litellm

    bare: dict[str, list[str]] = {}
    modes: dict[str, list[str]] = {}
    for name, entry in sorted(litellm.model_cost.items()):
        if "/" not in name and name != "sample_spec":
            bare.setdefault(_provider_of(name) or "", []).append(name)
        mode = entry.get("mode")
        if mode not in (None, "chat", "completion", "responses") and name != "sample_spec":
            modes.setdefault(mode, []).append(name)
    return {"bare": dict(sorted(bare.items())), "modes": dict(sorted(modes.items()))}


def _provider_of(name: str) -> str | None:
    import litellm

    try:
        return str(litellm.get_llm_provider(name)[1])
    except litellm.exceptions.BadRequestError:
        return None


def _providers() -> set[str]:
    import litellm

    names = {str(json_value(item)) for item in litellm.provider_list}
    registry = find("llms.openai_like.json_loader:JSONProviderRegistry")
    return names | set(registry.list_providers() if registry is not None else ())


def routing_strategies() -> list[str]:
    """Return what the router accepts: its own list, or the enumeration that it compares with."""
    own = find("router_utils.routing_groups:VALID_ROUTING_STRATEGIES") or ()
    listed = _texts_in_assignment(("router.py",), "valid_strategy_strings")
    return sorted({*own, *listed, "simple-shuffle", *_members(find("types.router:RoutingStrategy"))})


def _callbacks() -> set[str]:
    import litellm

    names = set(litellm._known_custom_logger_compatible_callbacks)  # noqa: SLF001
    for file in _CALLBACK_FILES:
        module = source.modules().get(file)
        for match in _COMPARED.finditer(module.text if module else ""):
            names.add(match[1] or match[2])
    registry = find("litellm_core_utils.custom_logger_registry:CustomLoggerRegistry")
    names |= set(getattr(registry, "CALLBACK_CLASS_STR_TO_CLASS_TYPE", ()))
    return names | set(_generic_callbacks())


def _generic_callbacks() -> Iterable[str]:
    """Return the callbacks that a JSON file of LiteLLM's describes."""
    import litellm

    file = Path(litellm.__path__[0], "integrations", "generic_api", "generic_api_compatible_callbacks.json")
    names: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return names


def _guardrails() -> set[str]:
    """Return the guardrails that LiteLLM finds: by enumeration, table or folder."""
    hooks = [module for name, module in source.modules().items() if _HOOK.fullmatch(name)]
    listed = _texts_in_assignment([module.name for module in hooks], "guardrail_initializer_registry")
    folders = {
        module.name.split("/")[-2]
        for module in hooks
        if "def initialize_guardrail(" in module.text and "guardrail_initializer_registry" not in module.text
    }
    return {*_members(find("types.guardrails:SupportedGuardrailIntegrations")), *listed, *folders}


def modes() -> list[str]:
    """Return what a model can be for: the modes of LiteLLM's table, and of its health checks."""
    import litellm

    known = {entry.get("mode") for name, entry in litellm.model_cost.items() if name != "sample_spec"}
    checked = _literals_in("proxy/health_check.py") | _literals_in(
        "litellm_core_utils/health_check_helpers.py"
    )
    return sorted({mode for mode in known if isinstance(mode, str)} | checked)


def _literals_in(file: str) -> set[str]:
    """Return the keys of the table of health checks by mode."""
    module = source.modules().get(file)
    if module is None:
        return set()
    found: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            if "chat" in keys and "embedding" in keys:
                found |= {str(key) for key in keys}
    return found


def _blocked_environment() -> Iterable[str]:
    return _texts_in_assignment(("proxy/proxy_server.py",), "_BLOCKED_ENV_KEYS")


def _texts_in_assignment(files: Iterable[str], name: str) -> list[str]:
    """Return the texts, the keys of a mapping among them, that files assign to a name."""
    found: list[str] = []
    for module in (source.modules()[file] for file in files if file in source.modules()):
        for node in ast.walk(module.tree) if name in module.text else ():
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if any(isinstance(item, ast.Name) and item.id == name for item in targets) and value is not None:
                parts = value.keys if isinstance(value, ast.Dict) else [value]
                constants = (item for part in parts if part is not None for item in ast.walk(part))
                texts = (item.value for item in constants if isinstance(item, ast.Constant))
                found += [text for text in texts if isinstance(text, str)]
    return found


def _members(enumeration: Any) -> list[str]:
    return [str(json_value(member)) for member in enumeration] if enumeration is not None else []


def _literals(annotation: Any) -> list[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return [str(value) for value in typing.get_args(annotation)]
    return [text for argument in typing.get_args(annotation) for text in _literals(argument)]
