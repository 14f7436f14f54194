"""The parts of a page that are generated: each between two comments on lines of their own.

<!-- ports -->

| port | service | |
...

<!-- /ports -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

__all__ = ["Block", "Trouble", "blocks_of", "filled"]

_MARKER: Final = re.compile(r"^<!-- (?P<end>/)?(?P<name>[a-z]+(?:-[a-z]+)*) -->$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One generated part of a text."""

    name: str
    line: int  # of the comment above it
    start: int  # where the part begins and ends in the text
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A comment that does not do what it seems to do."""

    line: int
    message: str


def blocks_of(text: str, known: Collection[str]) -> tuple[list[Block], list[Trouble]]:
    """Return the generated parts of a text; a comment that opens none of the known ones is just a comment."""
    found: list[Block] = []
    troubles: list[Trouble] = []
    opened: tuple[str, int, int] | None = None
    for match in _MARKER.finditer(text):
        name, line = match["name"], text.count("\n", 0, match.start()) + 1
        if not match["end"]:
            if name in known:
                troubles += _left_open(opened)
                opened = (name, line, match.end())
        elif opened is not None and opened[0] == name:
            found.append(Block(name=name, line=opened[1], start=opened[2], end=match.start()))
            opened = None
        else:
            message = f"<!-- /{name} --> closes nothing; known are {', '.join(sorted(known))}"
            troubles.append(Trouble(line=line, message=message))
    return found, troubles + _left_open(opened)


def filled(text: str, blocks: list[Block], content: Callable[[str], str]) -> str:
    """Return the text with its parts as they should be."""
    pieces, place = [], 0
    for block in blocks:
        pieces += [text[place : block.start], f"\n\n{content(block.name)}\n\n"]
        place = block.end
    return "".join([*pieces, text[place:]])


def _left_open(opened: tuple[str, int, int] | None) -> list[Trouble]:
    if opened is None:
        return []
    name, line, _ = opened
    return [Trouble(line=line, message=f"<!-- {name} --> is never closed with <!-- /{name} -->")]
