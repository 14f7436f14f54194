"""Cycles in who names whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["find_cycles", "shown_cycle"]

_SHOWN = 12


def find_cycles(edges: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return cycles of two and more, each once, beginning with its member that comes first in `edges`.

    One cycle is named for each edge that leads back: when all of those are mended, none is left.
    Names that are no keys of `edges` lead nowhere.
    """
    order = {name: number for number, name in enumerate(edges)}
    found: dict[tuple[str, ...], None] = {}
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        trail = [start]
        depth = {start: 0}
        pending = [iter(edges[start])]
        while pending:
            following = next(pending[-1], None)
            if following is None:
                pending.pop()
                left = trail.pop()
                del depth[left]
                done.add(left)
            elif following in depth:
                if following != trail[-1]:
                    found[_rotated(trail[depth[following] :], order)] = None
            elif following in order and following not in done:
                depth[following] = len(trail)
                trail.append(following)
                pending.append(iter(edges[following]))
    return list(found)


def shown_cycle(cycle: Sequence[str]) -> str:
    """Return a cycle as one reads it: a -> b -> a."""
    names = [repr(name) for name in cycle]
    if len(names) > _SHOWN:
        names[_SHOWN - 1 : -1] = [f"({len(names) - _SHOWN} more)"]
    return " -> ".join([*names, names[0]])


def _rotated(cycle: list[str], order: Mapping[str, int]) -> tuple[str, ...]:
    first = min(range(len(cycle)), key=lambda index: order[cycle[index]])
    return (*cycle[first:], *cycle[:first])
