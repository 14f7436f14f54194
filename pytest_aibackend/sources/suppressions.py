"""Comments that silence findings: `# aibackend: ignore[rule-id, other-rule] reason`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["suppressed_rules"]

_IGNORE: Final = re.compile(r"#\s*aibackend:\s*ignore\[([^\]]*)\]")


def suppressed_rules(text: str) -> Mapping[int, frozenset[str]]:
    """Return the rule ids that comments silence, by line (from 1)."""
    if "aibackend:" not in text:
        return {}
    found: dict[int, frozenset[str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _IGNORE.search(line):
            rules = frozenset(rule.strip() for rule in match[1].split(","))
            # A comment that stands alone speaks of the next line, one behind a value of its own.
            place = number + 1 if line.lstrip().startswith("#") else number
            found[place] = found.get(place, frozenset()) | rules
    return found
