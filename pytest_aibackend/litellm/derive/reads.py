"""Which settings LiteLLM reads by name, found in its syntax trees.

An expression stands for a place in config.yaml when it has one of the names that LiteLLM always gives to a
section (`general_settings`), when it is taken out of such a place (`config.get("guardrails")`), or when
a function is called with one. From there `x.get("key")`, `x["key"]`, `"key" in x`, `x.pop("key")`,
`getattr(x, "key")` and comparisons with the keys of a loop over `x.items()` are reads of `key`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from pytest_aibackend.litellm.derive.routes import Read, Route
from pytest_aibackend.litellm.derive.source import Module, modules
from pytest_aibackend.litellm.derive.walk import Handed, walk

__all__ = ["scan"]

_ELSEWHERE: Final = ("llms/", "types/llms/", "proxy/client/")
_WORDS: Final = ("_settings", "cache_params", "litellm_params", "model_info", "_config", "guardrails")
_FUNCTION: Final = re.compile(r"^ *(?:async )?def (\w+)", re.MULTILINE)


def scan() -> dict[Route, Read]:
    """Return every setting that LiteLLM reads by name, by its route in config.yaml."""
    files = [module for module in modules().values() if _worth_reading(module)]
    definitions = _definitions(files)
    handed: Handed = {}
    found: dict[Route, Read] = defaultdict(Read)
    due = files
    while due:
        known = set(handed)
        for module in due:
            walk(module, found, handed, definitions)
        called = {function for function, _parameter in set(handed) - known}
        due = [module for module in files if any(module in definitions[name] for name in called)]
    return dict(sorted(found.items()))


def _worth_reading(module: Module) -> bool:
    if module.name.startswith(_ELSEWHERE):
        return False  # the providers read what a deployment is given, not the file
    return any(word in module.text for word in _WORDS)


def _definitions(files: list[Module]) -> dict[str, list[Module]]:
    """Return the files that define each function."""
    found: dict[str, list[Module]] = defaultdict(list)
    for module in files:
        for name in _FUNCTION.findall(module.text):
            found[name].append(module)
    return found
