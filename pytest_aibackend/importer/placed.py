"""Deployments on their way into the sources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pytest_aibackend.importer.concepts import Member

__all__ = ["Placed", "by_group", "grouped"]


@dataclass(slots=True)
class Placed:
    """A deployment and where it went."""

    group: str
    provider: str
    model: str
    params: dict[str, Any]  # as LiteLLM means them
    info: dict[str, Any]
    weight: int | float | None = None
    rest: dict[str, dict[str, Any]] = field(default_factory=dict)  # passed through, for this one alone

    @property
    def member(self) -> Member:
        """Return what makes it the deployment that it is."""
        return self.provider, self.model, self.params, self.info


def by_group(placed: list[Placed]) -> dict[str, list[Placed]]:
    """Return the deployments of each model group."""
    return grouped(placed, lambda each: each.group)


def grouped(placed: list[Placed], key: Callable[[Placed], str]) -> dict[str, list[Placed]]:
    """Return the deployments that have the same key, in their order."""
    groups: dict[str, list[Placed]] = {}
    for each in placed:
        groups.setdefault(key(each), []).append(each)
    return groups
