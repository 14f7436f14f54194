"""What the sources list by name, providers and ports: which came, went and stayed, or have another name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from pytest_aibackend.diff.meaning import Meaning, Sources
from pytest_aibackend.diff.pairing import exchanged

__all__ = ["Listing", "in_both", "only_in", "other_names"]

_Entry = TypeVar("_Entry", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Listing(Generic[_Entry]):
    """What the sources list, and which fields of an entry say what it is."""

    entries: Callable[[Sources], Mapping[str, _Entry]]
    fields: tuple[str, ...]

    def told(self, sources: Sources) -> dict[str, tuple[object, ...]]:
        """Return what the entries are by their names."""
        entries = self.entries(sources).items()
        return {name: tuple(getattr(entry, field) for field in self.fields) for name, entry in entries}


def only_in(one: Meaning, other: Meaning, listing: Listing[_Entry]) -> Iterator[tuple[str, _Entry]]:
    """Yield the entries of one side that the other has not, under whatever name."""
    if one.sources and other.sources:
        here, there = listing.entries(one.sources), listing.entries(other.sources)
        renamed = other_names(one, other, listing)
        yield from ((name, here[name]) for name in here if name not in there and name not in renamed)


def other_names(old: Meaning, new: Meaning, listing: Listing[_Entry]) -> dict[str, str]:
    """Return the new names of the entries that are what they were under another one."""
    if not (old.sources and new.sources):
        return {}
    return exchanged(listing.told(old.sources), listing.told(new.sources))


def in_both(old: Meaning, new: Meaning, listing: Listing[_Entry]) -> Iterator[tuple[str, _Entry, _Entry]]:
    """Yield the entries of both sides by name, as they were and as they are."""
    if old.sources and new.sources:
        before, after = listing.entries(old.sources), listing.entries(new.sources)
        yield from ((name, before[name], after[name]) for name in before if name in after)
