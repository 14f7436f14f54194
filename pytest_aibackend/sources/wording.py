"""How rules speak of names: lists that stay short, and suggestions that stay affordable."""

from __future__ import annotations

import json
from collections.abc import Collection
from itertools import islice
from typing import Final

from pytest_aibackend.findings import suggest

__all__ = ["Suggester", "listed", "written"]

_SHOWN: Final = 6
_COMPARISONS: Final = 10_000


def listed(names: Collection[object], *, shown: int = _SHOWN) -> str:
    """Return names in quotes, the first few of them where they are many."""
    first = [str(name) for name in islice(names, shown)]
    text = ", ".join(repr(name) for name in first)
    rest = len(names) - shown
    return f"{text} and {rest} more" if rest > 0 else text


def written(name: object) -> str:
    """Return a name as one may write it in YAML: in quotes where it is no text, or not to be seen."""
    return name if isinstance(name, str) and name.isprintable() else json.dumps(str(name))


class Suggester:
    """Finds the known name that was meant, as long as that is affordable.

    Comparing each of thousands of unknown names with each of thousands of known ones would take
    minutes, and nobody reads that many hints: when the budget is spent, there are no more suggestions.
    """

    def __init__(self) -> None:
        self._left = _COMPARISONS

    def find(self, word: str, known: Collection[str]) -> str | None:
        """Return the known name closest to `word`, or None."""
        if not word or len(known) > self._left:
            return None
        self._left -= len(known)
        folded = {name.casefold(): name for name in known}
        close = suggest(word.casefold(), folded)
        return folded[close] if close else None

    def hint(self, word: str, known: Collection[str], *, otherwise: str) -> str:
        """Return the hint for an unknown name: what was meant, or else the other advice."""
        meant = self.find(word, known)
        return f"did you mean {meant!r}?" if meant else otherwise
