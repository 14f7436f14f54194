"""How much work something does, counted and not timed: what else the machine does changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["calls"]


def calls(do: Callable[[], object]) -> int:
    """Return how many functions, Python's own included, are called while something is done.

    Work inside one call of Python's own, such as a search through a list, counts as one; benchmarks/ time it.
    """
    count = 0

    def note(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        do()
    finally:
        sys.setprofile(before)
    return count
