"""Which known key was meant, remembered: a fleet's file misspells one key a thousand times."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Final

from pytest_aibackend.findings import suggest

__all__ = ["Nearness", "is_close"]

_SEARCHES: Final = 100  # each is linear in the known keys, and nobody reads more
_CLOSE: Final = 0.85  # of strangers' keys, those nearer than this were misspelt, the others invented


class Nearness:
    """Finds the key that was meant, for so many words as a person may read about."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, bool, frozenset[str]], str | None] = {}

    def find(self, word: str, known: Collection[str]) -> str | None:
        """Return the known word that is close to this one, or None."""
        return self._search(word, known, strict=False)

    def hint(self, word: object, known: Collection[str], *, otherwise: str) -> str:
        """Return the hint for an unknown word: what was meant, or else the other advice."""
        meant = self.find(word, known) if isinstance(word, str) else None
        return f"did you mean {meant!r}?" if meant else otherwise

    def find_typo(self, word: str, known: Collection[str]) -> str | None:
        """Return the known word of which this one is a misspelling in a letter or two, or None."""
        return self._search(word, known, strict=True)

    def _search(self, word: str, known: Collection[str], *, strict: bool) -> str | None:
        asked = (word, strict, frozenset(known))
        if asked not in self._found:
            if len(self._found) >= _SEARCHES or not word:
                return None
            self._found[asked] = _typo_of(word, known) if strict else _near(word, known)
        return self._found[asked]


def is_close(word: str, known: str) -> bool:
    """Say whether a word is surely a misspelling of a known one, and not another word."""
    likeness = difflib.SequenceMatcher(None, _fold(word), _fold(known)).ratio()
    return likeness > _CLOSE or _typo_of(word, [known]) is not None


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_")


def _near(word: str, known: Collection[str]) -> str | None:
    folded = {_fold(name): name for name in known}
    simple = _fold(word)
    close = simple if simple in folded else suggest(simple, folded)
    return folded[close] if close else None


def _typo_of(word: str, known: Collection[str]) -> str | None:
    simple = _fold(word)
    most = 1 if len(simple) < 8 else 2
    close = [(distance, name) for name in known if (distance := _distance(simple, _fold(name), most)) <= most]
    return min(close)[1] if close else None


def _distance(one: str, other: str, most: int) -> int:
    """Return how many letters are wrong, missing, added or exchanged; above `most` any number."""
    if abs(len(one) - len(other)) > most or len(one) < 3:
        return most + 1
    before: list[int] = []
    row: list[int] = [*range(len(other) + 1)]
    for i, a in enumerate(one, start=1):
        previous, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if previous and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, previous[j - 2] + 1)
            row.append(best)
    return int(row[-1])
