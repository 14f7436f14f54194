"""Wait until something is so; how long it may take is only a question of when to give up."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["wait_until"]


def wait_until(true: Callable[[], object], within_s: float = 60.0) -> None:
    """Wait until something is so; fails the test after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
