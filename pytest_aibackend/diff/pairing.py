"""Which deployment of a model group became which: the same whichever of the two comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_aibackend.diff.meaning import Deployment, Meaning, Place, same, without_equal

__all__ = ["Pairs", "common_groups", "fields_that_differ", "pairs_of"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What became of the deployments of a group that are not the same on both sides."""

    changed: tuple[tuple[Deployment, Deployment], ...]
    removed: tuple[Deployment, ...]
    added: tuple[Deployment, ...]


def common_groups(old: Meaning, new: Meaning) -> Iterator[str]:
    """Yield the model groups and patterns of both sides."""
    return (name for name in old.groups if name in new.groups)


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
