"""Which settings belong to which rule, so that each change is told once and none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.diff.deployment import Place, same
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.wording import MISSING, leaves_that_differ
from pytest_aibackend.litellm.meaning import BY_DEFAULT

__all__ = ["Owned", "is_owned", "own", "owned_by", "settings_that_differ"]

_OWNED: Final[set[Place]] = set()


@dataclass(frozen=True, slots=True)
class Owned:
    """Keys of a section, separated by white space; without keys all of the section."""

    section: str
    keys: str = ""


def own(*parts: Owned) -> frozenset[Place]:
    """Return the places of settings and sections that a rule speaks of, and note that it does."""
    places = frozenset(place for part in parts for place in _places(part))
    assert not places & _OWNED, f"settings with two rules: {places & _OWNED}"
    _OWNED.update(places)
    return places


def is_owned(place: Place) -> bool:
    """Say whether a rule speaks of a setting."""
    return _is_in(place, _OWNED)


def settings_that_differ(old: Meaning, new: Meaning) -> Iterator[tuple[Place, Any, Any]]:
    """Yield every setting and section that is not the same, with both values."""
    for place in dict.fromkeys([*old.settings, *new.settings]):
        by_default = BY_DEFAULT.get(place, MISSING) if len(place) == 2 else MISSING
        before, after = old.settings.get(place, by_default), new.settings.get(place, by_default)
        if before is MISSING or after is MISSING or not same(before, after):
            yield place, before, after


def owned_by(old: Meaning, new: Meaning, places: frozenset[Place]) -> Iterator[tuple[Place, Any, Any]]:
    """Yield the innermost places in which such settings, or whole sections, differ."""
    for place, before, after in settings_that_differ(old, new):
        if _is_in(place, places):
            yield from leaves_that_differ(place, before, after)


def _places(part: Owned) -> Iterator[Place]:
    if not part.keys:
        yield (part.section,)
    yield from ((part.section, key) for key in part.keys.split())


def _is_in(place: Place, places: set[Place] | frozenset[Place]) -> bool:
    return place[:1] in places or place[:2] in places
