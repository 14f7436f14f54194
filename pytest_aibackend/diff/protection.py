"""What is on its way in the open: without TLS, or to whoever says that he is the server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.sources.addresses import address_of

__all__ = ["lost", "protection_changed"]

_OFF: Final = ("false", "0", "no", "off")
_ON: Final = ("true", "1", "yes", "on")
_OPEN: Final = re.compile(r"^(http|redis|ws|grpc)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The places of one side."""

    open: set[str] = field(default_factory=set)
    encrypted: set[str] = field(default_factory=set)  # by `ssl`, which is off where it is not written
    holders: set[str] = field(default_factory=set)  # of any value


def lost(old: Meaning, new: Meaning) -> list[str]:
    """Return the places that are protected on the old side, or not there, and open on the new one."""
    before, after = _looked_at(old), _looked_at(new)
    dropped = {
        place for place in before.encrypted - after.encrypted if place.rpartition(".")[0] in after.holders
    }
    return sorted((after.open - before.open) | dropped)


def protection_changed(old: Meaning, new: Meaning) -> frozenset[str]:
    """Return the places of which `lost` speaks, there or back."""
    return frozenset(lost(old, new)) | frozenset(lost(new, old))


@lru_cache(maxsize=2)  # many ask about the same two sides
def _looked_at(meaning: Meaning) -> _Seen:
    seen = _Seen()
    for place, key, value in meaning.leaves():
        seen.holders.add(place.rpartition(".")[0])
        if key == "ssl_verify" and str(value).lower() in _OFF:
            seen.open.add(place)
        if key == "ssl" and str(value).lower() in _ON:
            seen.encrypted.add(place)
        if isinstance(value, str) and _OPEN.match(value):
            address = address_of(_OPEN.sub("http://", value))
            if address is not None and not address.is_loopback:
                seen.open.add(f"{place} ({address.host})")
    return seen
