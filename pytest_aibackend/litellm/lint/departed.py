"""Where a config departs from the schema: walked once for all the rules; and how places are called."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aibackend.litellm.lint.catalogue import LintContext
from pytest_aibackend.litellm.lint.nearness import Nearness
from pytest_aibackend.litellm.lint.shape import Departure, Kind, departures

__all__ = ["departures_of", "dotted", "nearness_of"]


@dataclass(frozen=True, slots=True)
class _Walked:
    departures: list[Departure]
    near: Nearness = field(default_factory=Nearness)


_walked: Final[weakref.WeakKeyDictionary[LintContext, _Walked]] = weakref.WeakKeyDictionary()


def departures_of(context: LintContext, *kinds: Kind) -> Iterator[Departure]:
    """Yield where the config departs from the schema, in these ways."""
    return (each for each in _walk(context).departures if each.kind in kinds)


def nearness_of(context: LintContext) -> Nearness:
    """Return what finds the key, or the value, that was meant."""
    return _walk(context).near


def dotted(path: Sequence[Any]) -> str:
    """Return a path as people write it: model_list[0].litellm_params."""
    text = ""
    for step in path:
        if isinstance(step, int) and not isinstance(step, bool):
            text += f"[{step}]"
        else:
            name = str(step) if str(step).isprintable() else repr(step)
            text += f".{name}" if text else name
    return text or "the file"


def _walk(context: LintContext) -> _Walked:
    if context not in _walked:
        _walked[context] = _Walked(departures(context.document.data, context.schema))
    return _walked[context]
