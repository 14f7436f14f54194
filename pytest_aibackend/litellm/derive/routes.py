"""Places in config.yaml, and what LiteLLM calls them in its code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["ANY", "CONFIG", "DEPLOYMENT", "GUARDRAIL", "ITEM", "NAMES", "PARTS", "Read", "Route"]

Route = tuple[str, ...]
ITEM: Final = "[]"  # an entry of a list
ANY: Final = "*"  # the value of any key of a mapping

CONFIG: Final[Route] = ()
# What LiteLLM calls the sections, wherever it handles them.
NAMES: Final[dict[str, Route]] = {
    "general_settings": ("general_settings",),
    "_general_settings": ("general_settings",),
    "proxy_general_settings": ("general_settings",),
    "litellm_settings": ("litellm_settings",),
    "_litellm_settings": ("litellm_settings",),
    "router_settings": ("router_settings",),
    "cache_params": ("litellm_settings", "cache_params"),
    "callback_settings": ("callback_settings",),
    "mcp_servers_config": ("mcp_servers",),
    "guardrails_config": ("guardrails",),
    "all_guardrails": ("guardrails",),
    "redis_kwargs": ("litellm_settings", "cache_params"),
}
DEPLOYMENT: Final[Route] = ("model_list", ITEM)
GUARDRAIL: Final[Route] = ("guardrails", ITEM)
PARTS: Final = ("litellm_params", "model_info", "_litellm_params", "_model_info")


@dataclass(slots=True)
class Read:
    """One setting that is read by name."""

    places: set[str] = field(default_factory=set)
    defaults: dict[str, Any] = field(default_factory=dict)  # what stands beside the key in .get(key, default)
    is_boolean: bool = False  # it is compared with True or False
