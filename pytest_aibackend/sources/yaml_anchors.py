"""The anchors of one file, and what the aliases that name them stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_aibackend.findings import suggest
from pytest_aibackend.sources.yaml_problems import RefusedError, YamlProblem, problem_at

__all__ = ["Anchors"]


class Anchors:
    """Knows each anchored value with its size, and those that are still being read."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[Any, int]] = {}
        self._open: set[str] = set()

    def open(self, event: Any) -> None:
        """Note that an anchored list or mapping begins. Raises RefusedError."""
        self._refuse_second(event)
        self._open.add(event.anchor)

    def close(self, anchor: str, value: Any, size: int) -> None:
        """Note what an anchored list or mapping holds."""
        self._open.discard(anchor)
        self._values[anchor] = (value, size)

    def define(self, event: Any, value: Any) -> None:
        """Note an anchored scalar. Raises RefusedError."""
        self._refuse_second(event)
        self._values[event.anchor] = (value, 1)

    def value_of(self, event: Any, *, is_secret: Callable[[], bool]) -> tuple[Any, int]:
        """Return what an alias stands for, and its size. Raises RefusedError."""
        if event.anchor in self._open:
            raise RefusedError(
                problem_at(
                    event,
                    "endless-alias",
                    f"alias *{event.anchor} stands inside the very value that it names",
                    "write the value out, or move the anchor",
                )
            )
        if event.anchor not in self._values:
            raise RefusedError(self._unknown(event, is_shown=not is_secret()))
        return self._values[event.anchor]

    def _unknown(self, event: Any, *, is_shown: bool) -> YamlProblem:
        if not is_shown:  # a password that begins with a *
            return problem_at(
                event,
                "unknown-alias",
                "an alias (not shown) has no anchor before it",
                "quote the text if * is meant, or define the anchor first",
            )
        near = suggest(event.anchor, self._values)
        return problem_at(
            event,
            "unknown-alias",
            f"alias *{event.anchor} has no anchor &{event.anchor} before it",
            f"did you mean *{near}?" if near else "define the anchor first, or quote the text if * is meant",
        )

    def _refuse_second(self, event: Any) -> None:
        if event.anchor in self._values or event.anchor in self._open:
            raise RefusedError(
                problem_at(
                    event,
                    "duplicate-anchor",
                    f"anchor &{event.anchor} is given a second time here, which PyYAML does not read",
                    "give one of them another name",
                )
            )
