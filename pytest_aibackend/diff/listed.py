"""What the sources list by name, providers and ports: which came, went and stayed, or have another name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel

from pytest_aibackend.diff.meaning import Meaning, Sources
from pytest_aibackend.diff.pairing import exchanged

__all__ = ["in_both", "only_in", "other_names"]

_Entry = TypeVar("_Entry", bound=BaseModel)
Listing = Callable[[Sources], Mapping[str, _Entry]]


def only_in(one: Meaning, other: Meaning, listing: Listing[_Entry]) -> Iterator[tuple[str, _Entry]]:
    """Yield the entries of one side that the other has not, under whatever name."""
    if one.sources and other.sources:
        here, there = listing(one.sources), listing(other.sources)
        renamed = other_names(one, other, listing)
        yield from ((name, here[name]) for name in here if name not in there and name not in renamed)


def other_names(old: Meaning, new: Meaning, listing: Listing[_Entry]) -> dict[str, str]:
    """Return the new names of the entries that are the same but for the name."""
    if not (old.sources and new.sources):
        return {}
    sides = (
        {name: entry.model_dump_json() for name, entry in listing(sources).items()}
        for sources in (old.sources, new.sources)
    )
    return exchanged(*sides)


def in_both(old: Meaning, new: Meaning, listing: Listing[_Entry]) -> Iterator[tuple[str, _Entry, _Entry]]:
    """Yield the entries of both sides by name, as they were and as they are."""
    if old.sources and new.sources:
        before, after = listing(old.sources), listing(new.sources)
        yield from ((name, before[name], after[name]) for name in before if name in after)
