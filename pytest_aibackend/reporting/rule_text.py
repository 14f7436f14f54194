"""What a report needs to know of a rule of the linter."""

from __future__ import annotations

from typing import Protocol

from pytest_aibackend.findings import Severity

__all__ = ["RuleText"]


class RuleText(Protocol):
    """What a report tells of a rule."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def severity(self) -> Severity:
        """Return how bad its trouble is, unless a finding says otherwise."""

    @property
    def summary(self) -> str:
        """Return the trouble in one sentence."""

    @property
    def documentation(self) -> str:
        """Return all that is to be said."""
