"""What a person found in LiteLLM that the derivation cannot see: schema/additions.yaml."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from pytest_aibackend.litellm.derive import source
from pytest_aibackend.litellm.derive.fields import Section

__all__ = ["FILE", "apply", "entries", "missed", "place_of"]

FILE: Final = Path(__file__).parents[1] / "schema" / "additions.yaml"


def apply(sections: Mapping[str, Section]) -> dict[str, dict[str, str]]:
    """Complete the sections; return the keys whose fate is special, by section.

    An entry holds for the versions that have its text in its file; others pass it over.
    """
    unknown: dict[str, dict[str, str]] = {}
    for entry in entries():
        place = place_of(entry)
        if place is None:
            continue
        section = sections[entry["section"]]
        if "unknown" in entry:
            section.drop(entry["keys"])
            unknown.setdefault(entry["section"], {}).update(dict.fromkeys(entry["keys"], entry["unknown"]))
            continue
        for name in entry["keys"]:
            if name in section.keys or not entry.get("if_known"):
                section.correct(name, entry.get("schema"), entry.get("note"), place)
    return unknown


def entries() -> list[dict[str, Any]]:
    """Return the entries of additions.yaml."""
    found: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def place_of(entry: Mapping[str, Any]) -> str | None:
    """Return where this LiteLLM has what an entry refers to; None if it has not."""
    pattern, text = entry["read"]["file"], entry["read"]["text"]
    for name in fnmatch.filter(source.modules(), pattern):
        module = source.modules()[name]
        for number, line in enumerate(module.text.splitlines(), start=1):
            if text in line:
                return module.place(number)
    return None


def missed() -> list[str]:
    """Return the keys that no entry holds for in this LiteLLM, as section.key: those to look at."""
    shown = {f"{entry['section']}.{key}": False for entry in entries() for key in entry["keys"]}
    for entry in entries():
        if place_of(entry) is not None:
            shown |= {f"{entry['section']}.{key}": True for key in entry["keys"]}
    return [name for name, holds in shown.items() if not holds]
