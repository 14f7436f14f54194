"""Ports for what the tests start: nobody else takes them before it listens."""

from __future__ import annotations

import os
import random
import socket
from collections import deque
from functools import cache
from typing import Final

__all__ = ["free_port"]

# Below those that Linux gives to connections and to whoever asks for any (net.ipv4.ip_local_port_range).
FIRST: Final = 20_000
LAST: Final = 31_999


def free_port(first: int = FIRST, last: int = LAST) -> int:
    """Return a loopback port on which nobody listens: of this process's share, the longest unused."""
    share = _share(first, last)
    for _ in range(len(share)):
        share.rotate(-1)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", share[0]))
            except OSError:
                continue
            return share[0]
    raise OSError(f"no port from {first} to {last} is free")


@cache
def _share(first: int, last: int) -> deque[int]:
    """Tests run in several processes at once: each has ports of its own."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = deque(range(first + number, last + 1, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
    share.rotate(random.randrange(len(share)))  # others may run the tests on this machine, too
    return share
