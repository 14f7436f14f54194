"""Which deployment of a model group became which: the same whichever of the two comes first."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_aibackend.diff.deployment import Deployment, Place, same, without_equal
from pytest_aibackend.diff.meaning import Meaning

__all__ = ["Pairs", "common_groups", "exchanged", "fields_that_differ", "pairs_of"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What became of the deployments of a group that are not the same on both sides."""

    changed: tuple[tuple[Deployment, Deployment], ...]
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


def pairs_of(old: Meaning, new: Meaning, group: str) -> Pairs:
    """Pair what changed: by model and address, by address, by model, and then who alone is left."""
    return _pairs(old.groups.get(group, ()), new.groups.get(group, ()))


def fields_that_differ(one: Deployment, other: Deployment) -> Iterator[Place]:
    """Yield the places in which two deployments differ."""
    for place in dict.fromkeys([*one.fields, *other.fields]):
        is_common = place in one.fields and place in other.fields
        if not (is_common and same(one.fields[place], other.fields[place])):
            yield place


def _pairs(old: tuple[Deployment, ...], new: tuple[Deployment, ...]) -> Pairs:
    before, after = without_equal(old, new)
    changed = []
    keys: tuple[Callable[[Deployment], Any], ...] = (
        lambda deployment: (deployment.model, deployment.base),
        lambda deployment: deployment.base,
        lambda deployment: deployment.model,
    )
    for key in keys:
        for one in list(before):
            match = next((other for other in after if key(other) == key(one)), None)
            if match is not None:
                before.remove(one)
                after.remove(match)
                changed.append((one, match))
    if len(before) == len(after) == 1:
        changed.append((before.pop(), after.pop()))
    return Pairs(changed=tuple(changed), removed=tuple(before), added=tuple(after))
