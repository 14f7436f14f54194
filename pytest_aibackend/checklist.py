"""The eleven checks: their numbers, names and what they need. A contract; see docs/checks.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["CHECKS", "AssertClean", "Check", "Subjects"]

# What a test of the validator is given: one subject (several where a fleet is large), and how to judge it.
Subjects = tuple[str, ...]
AssertClean = Callable[[Subjects], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One of the eleven."""

    number: int
    slug: str
    critical: bool
    live: bool  # all of it needs --live


def _check(number: int, slug: str, *, critical: bool, live: bool = False) -> Check:
    return Check(number=number, slug=slug, critical=critical, live=live)


CHECKS: Final[dict[int, Check]] = {
    check.number: check
    for check in (
        _check(1, "yaml-syntax", critical=True),
        _check(2, "provider-schema", critical=True),
        _check(3, "model-mappings-schema", critical=True),
        _check(4, "ports-schema", critical=True),
        _check(5, "consistency", critical=True),
        _check(6, "port-conflicts", critical=True),
        _check(7, "provider-health", critical=False, live=True),
        _check(8, "gateway-health", critical=True, live=True),
        _check(9, "generated-config", critical=True),
        _check(10, "backups", critical=False),
        _check(11, "redis", critical=True, live=True),
    )
}
