"""What is on its way in the open: without TLS, or to whoever says that he is the server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.litellm.words import deployments_of
from pytest_aibackend.sources.addresses import address_of

__all__ = ["leaves_of", "lost", "protection_changed"]

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


def leaves_of(meaning: Meaning) -> Iterator[tuple[str, str, Any]]:
    """Yield every value of the document with its place and key; a deployment's place is its model group."""
    document = meaning.document
    stack: list[tuple[str, str, Any]] = [
        (f"{entry.get('model_name')}: ", "", entry) for entry in deployments_of(document)
    ]
    stack += [(str(key), str(key), value) for key, value in document.items() if key != "model_list"]
    while stack:
        place, key, value = stack.pop()
        if isinstance(value, Mapping):
            joint = "" if place.endswith(": ") else "."
            stack += [(f"{place}{joint}{name}", str(name), item) for name, item in value.items()]
        elif isinstance(value, list):
            stack += [(place, key, item) for item in value]
        else:
            yield place, key, value


@lru_cache(maxsize=2)
def _looked_at(meaning: Meaning) -> _Seen:
    seen = _Seen()
    for place, key, value in leaves_of(meaning):
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
