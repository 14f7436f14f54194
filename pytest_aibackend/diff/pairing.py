"""Which deployment of a model group became which: the same whichever of the two comes first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from pytest_aibackend.diff.deployment import Deployment, Place, same, without_equal
from pytest_aibackend.diff.meaning import Meaning

__all__ = ["Pair", "Pairs", "common_groups", "exchanged", "pairs_by_group"]

# What of a deployment says which one it was, the surest first.
_ALIKE: Final[tuple[Callable[[Deployment], Hashable], ...]] = (
    lambda deployment: (deployment.model, deployment.base),
    lambda deployment: deployment.base,
    lambda deployment: deployment.model,
)


class Pair(NamedTuple):
    """A deployment, what became of it, and the places in which the two differ."""

    before: Deployment
    after: Deployment
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What became of the deployments of a group that are not the same on both sides."""

    changed: tuple[Pair, ...]
    removed: tuple[Deployment, ...]
    added: tuple[Deployment, ...]


def common_groups(old: Meaning, new: Meaning) -> Iterator[str]:
    """Yield the model groups and patterns of both sides."""
    return (name for name in old.groups if name in new.groups)


def exchanged(before: Mapping[str, Hashable], after: Mapping[str, Hashable]) -> dict[str, str]:
    """Return the new name of what stands on one side under one name alone, on the other under another.

    Where several could have become several, nobody can tell which became which, and none is named.
    """
    lost, found = _names_by_value(before, after), _names_by_value(after, before)
    return {
        names[0]: found[value][0]
        for value, names in lost.items()
        if len(names) == len(found.get(value, ())) == 1
    }


def _names_by_value(one: Mapping[str, Hashable], other: Mapping[str, Hashable]) -> dict[Hashable, list[str]]:
    names: dict[Hashable, list[str]] = {}
    for name, value in one.items():
        if name not in other:
            names.setdefault(value, []).append(name)
    return names


@lru_cache(maxsize=1)  # many rules ask for the same two
def pairs_by_group(old: Meaning, new: Meaning) -> Mapping[str, Pairs]:
    """Pair what changed in each group: by model and address, by address, by model, then who alone is left."""
    return {group: _pairs(old.groups[group], new.groups[group]) for group in common_groups(old, new)}


def _fields_that_differ(one: Deployment, other: Deployment) -> Iterator[Place]:
    """Yield the places in which two deployments differ."""
    for place in dict.fromkeys([*one.fields, *other.fields]):
        is_common = place in one.fields and place in other.fields
        if not (is_common and same(one.fields[place], other.fields[place])):
            yield place


def _pairs(old: tuple[Deployment, ...], new: tuple[Deployment, ...]) -> Pairs:
    before, after = without_equal(old, new)
    became: dict[Deployment, Deployment] = {}
    for key in _ALIKE:
        became |= _matched(before, after, key)
        matched = {*became.values()}
        before = [one for one in before if one not in became]
        after = [other for other in after if other not in matched]
    if len(before) == len(after) == 1:
        became[before.pop()] = after.pop()
    changed = (Pair(one, other, tuple(_fields_that_differ(one, other))) for one, other in became.items())
    return Pairs(changed=tuple(changed), removed=tuple(before), added=tuple(after))


def _matched(
    before: list[Deployment], after: list[Deployment], key: Callable[[Deployment], Hashable]
) -> dict[Deployment, Deployment]:
    """Return the first of those after for each of those before, each taken once."""
    waiting: dict[Hashable, deque[Deployment]] = {}
    for other in after:
        waiting.setdefault(key(other), deque()).append(other)
    return {one: waiting[key(one)].popleft() for one in before if waiting.get(key(one))}
