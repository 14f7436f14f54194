"""Which names a gateway file makes LiteLLM serve."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["ServedGroups", "expected_groups", "is_expansion"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedGroups:
    """The names that /v1/models lists, and those that a chat can be asked of."""

    names: tuple[str, ...]  # model groups in file order, then aliases
    wildcards: tuple[str, ...]  # those among them that stand for many
    chat: tuple[str, ...]


def expected_groups(data: Any) -> ServedGroups | None:
    """Return the names that a LiteLLM configuration serves, or None where it has no model list.

    Model groups and aliases are listed by their names; a wildcard as every model that LiteLLM knows of the
    provider, and by its own name too where `return_wildcard_routes=true` asks for it (LiteLLM 1.106.2,
    proxy/auth/model_checks.py: _get_wildcard_models).
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
    return ServedGroups(
        names=tuple(dict.fromkeys([*modes, *shown])),
        wildcards=tuple(name for name in modes if "*" in name),
        chat=tuple(name for name, mode in modes.items() if "*" not in name and mode == "chat"),
    )


def is_expansion(name: str, wildcards: Iterable[str]) -> bool:
    """Say whether LiteLLM may list `name` because of one of these wildcards.

    It lists what the wildcard matches, and also models that merely begin with the wildcard's first segment:
    `gpt/*` gives `gpt/whisper-1`, but `gpt-4o` without the segment (1.106.2, proxy/auth/model_checks.py:
    get_known_models_from_wildcard).
    """
    return any(_matches(name, wildcard) for wildcard in wildcards)


def _matches(name: str, wildcard: str) -> bool:
    if name == wildcard:
        return False  # the wildcard itself
    first, slash, _ = wildcard.partition("/")
    if slash and "*" not in first and name.startswith(first):
        return True
    return re.fullmatch(".*".join(map(re.escape, wildcard.split("*"))), name, re.DOTALL) is not None
