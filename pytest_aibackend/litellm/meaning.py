"""Whether two configurations mean the same to LiteLLM, compared part by part, without a request.

What is taken for the same, and why it is (LiteLLM 1.106.2):

- the order of model groups, and of deployments within one: a group is all entries of one `model_name`, and
  the router draws or sorts by `order` (router.py);
- a null in `litellm_params` or `model_info`, and a missing key: both are fields that are None by default, and
  left out again (types/router.py, `to_json(exclude_none=True)`);
- an address or key that LiteLLM takes of itself, and the same written down (`words.Defaults`; main.py);
- one placeholder for a key and another; for vLLM and Ollama a placeholder and none: see `words`;
- fallbacks in `router_settings` and in `litellm_settings`: the router takes its own, else the others, each
  kind whole (router.py: `fallbacks or litellm.fallbacks`);
- the order of fallbacks for names that do not resemble each other: the exact name is looked for, then one
  with or without a prefix (router_utils/fallback_event_handlers.py);
- a setting that stands at LiteLLM's default and one that is not written (`BY_DEFAULT`; router.py and
  __init__.py; `cache: false` is passed over in proxy_server.py, load_config);
- a section of settings that is null or empty, or `router_settings` that are no mapping, and none
  (proxy/proxy_server.py, load_config);
- 60 and 60.0; but not 1 and true, nor 9 and "9", unless LiteLLM makes a number of it: limits and prices of a
  deployment (types/router.py, LiteLLM_Params), the port of Redis (redis/connection.py).

Whatever else differs, differs: unknown keys and sections are compared as they stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.litellm.words import Defaults, deployments_of, section_of

__all__ = [
    "BY_DEFAULT",
    "FALLBACK_KINDS",
    "alike",
    "differences",
    "effective",
    "plain",
    "resembling",
    "same_meaning",
    "settings_of",
]

FALLBACK_KINDS: Final = (
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "default_fallbacks",
)
_SETTINGS: Final = ("litellm_settings", "router_settings", "general_settings", "environment_variables")
BY_DEFAULT: Final[Mapping[tuple[str, ...], Any]] = {
    ("router_settings", "routing_strategy"): "simple-shuffle",
    ("router_settings", "enable_weighted_failover"): False,
    ("router_settings", "enable_pre_call_checks"): False,
    ("router_settings", "enable_tag_filtering"): False,
    ("router_settings", "enable_health_check_routing"): False,
    ("router_settings", "retry_after"): 0,
    ("litellm_settings", "cache"): False,
    ("litellm_settings", "ssl_verify"): True,
    ("litellm_settings", "turn_off_message_logging"): False,
}
_REDIS_PORTS: Final = ("port", "redis_port")


def same_meaning(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    """Say whether LiteLLM does the same with both; they are parsed configurations, includes resolved."""
    return not differences(one, other)


def differences(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> list[str]:
    """Return the parts in which two configurations differ, by name and without their values."""
    first, second = _parts(one), _parts(other)
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


def effective(config: Mapping[Any, Any], kind: str) -> Any:
    """Return the fallbacks of a kind that LiteLLM uses: those of the router, else those beside it."""
    return section_of(config, "router_settings").get(kind) or section_of(config, "litellm_settings").get(kind)


def resembling(name: object) -> str:
    """Return what names have in common that LiteLLM may take for each other: `openai/a` and `a`."""
    return str(name).rpartition("/")[2]


def _parts(config: Mapping[Any, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    defaults = Defaults(config)
    groups: dict[str, list[Any]] = {}
    for entry in deployments_of(config):
        groups.setdefault(f"model group {entry.get('model_name')!r}", []).append(_deployment(entry, defaults))
    parts |= {name: sorted(members, key=repr) for name, members in groups.items()}
    for kind in FALLBACK_KINDS:
        if found := effective(config, kind):
            parts[kind] = alike(found)
    for section, *key, value in settings_of(config):
        parts[f"{section}.{key[0]}" if key else f"section {section!r}"] = plain(value)
    return parts


def settings_of(config: Mapping[Any, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield section, key and value of each setting as it is read, section and value of other sections.

    Left out are what has a form of its own, deployments and fallbacks, and what stands at its default.
    """
    for section, value in config.items():
        is_settings = isinstance(value, dict) or not value or section == "router_settings"
        if section in _SETTINGS and is_settings:
            moved = FALLBACK_KINDS if section in ("litellm_settings", "router_settings") else ()
            for key, item in section_of(config, section).items():
                if key not in moved and not _is_default(section, key, item):
                    yield section, key, _as_read(key, item)
        elif section != "model_list":
            yield section, value


def _is_default(section: object, key: object, value: object) -> bool:
    """Say whether a setting stands at what LiteLLM takes without it."""
    place = (str(section), str(key))
    return place in BY_DEFAULT and plain(value) == plain(BY_DEFAULT[place])


def _as_read(key: object, value: Any) -> Any:
    """Return a setting as those read it who use it: the port of Redis is a number, however it is written."""
    if key == "cache_params" and isinstance(value, dict):
        return {name: _as_read(name, item) for name, item in value.items()}
    if key in _REDIS_PORTS and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value


def _deployment(entry: Mapping[str, Any], defaults: Defaults) -> Any:
    params, info = entry.get("litellm_params"), entry.get("model_info")
    whole = {key: value for key, value in entry.items() if key not in ("model_info", "litellm_params")}
    whole["litellm_params"] = defaults.filled(params) if isinstance(params, dict) else params
    if isinstance(info, dict):
        info = {key: value for key, value in info.items() if value is not None}
    return plain(whole | ({"model_info": info} if info else {}))


def alike(entries: Any) -> Any:
    """Return fallbacks in a form in which only what LiteLLM takes for the same is equal."""
    if not isinstance(entries, list):
        return plain(entries)
    by_name: dict[str, list[Any]] = {}
    for entry in entries:
        is_plain = isinstance(entry, dict) and len(entry) == 1
        name = resembling(next(iter(entry))) if is_plain else ""
        by_name.setdefault(name, []).append(plain(entry))
    return by_name


def plain(value: Any) -> Any:
    """Return a value in a form in which only what is the same to LiteLLM is equal."""
    if isinstance(value, dict):
        return ("map", tuple(sorted(((plain(key), plain(item)) for key, item in value.items()), key=repr)))
    if isinstance(value, list | tuple):
        return ("list", tuple(plain(item) for item in value))
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    kind = (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )
    return (kind, repr(value))
