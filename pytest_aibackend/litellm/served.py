"""Which names a gateway file makes LiteLLM serve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["ServedGroups", "expected_groups"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedGroups:
    """The names that /v1/models lists, and those that a chat can be asked of."""

    exact: tuple[str, ...]
    wildcards: tuple[str, ...]
    chat: tuple[str, ...]


def expected_groups(data: Any) -> ServedGroups | None:
    """Return the names that a LiteLLM configuration serves, or None where it has no model list.

    Model groups and aliases are listed by their names; a wildcard is listed as itself or as every model
    that LiteLLM knows of the provider (LiteLLM 1.106.2, proxy/auth/model_checks.py).
    """
    listed = data.get("model_list") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        return None
    modes: dict[str, str] = {}
    for entry in listed:
        if isinstance(entry, dict) and isinstance(entry.get("model_name"), str):
            info = entry.get("model_info")
            mode = info.get("mode") if isinstance(info, dict) else None
            modes.setdefault(entry["model_name"], str(mode or "chat"))
    settings = data.get("router_settings")
    aliases = settings.get("model_group_alias") if isinstance(settings, dict) else None
    shown = []
    if isinstance(aliases, dict):
        shown = [
            str(name)
            for name, target in aliases.items()
            if isinstance(target, str) or (isinstance(target, dict) and not target.get("hidden"))
        ]
    exact = [name for name in modes if "*" not in name]
    return ServedGroups(
        exact=tuple(dict.fromkeys([*exact, *shown])),
        wildcards=tuple(name for name in modes if "*" in name),
        chat=tuple(name for name in exact if modes[name] == "chat"),
    )
