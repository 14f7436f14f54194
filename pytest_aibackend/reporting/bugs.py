"""A bug of ours, told as one: it is neither a finding nor wrong usage."""

from __future__ import annotations

import sys
import traceback
from typing import Final

__all__ = ["BUG", "tell_bug"]

BUG: Final = 3  # the exit status


def tell_bug(program: str, blameless: str) -> None:
    """Print the traceback of the exception that is being handled, and what is not to blame for it."""
    traceback.print_exc()
    print(f"{program}:", f"this is a bug of aibackend, not of {blameless}", file=sys.stderr)
