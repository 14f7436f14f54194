"""The gateway's port, from outside: can it be listened on, and does anybody listen."""

from __future__ import annotations

import socket
from typing import Final

__all__ = ["is_refused", "listening_trouble"]

WITHIN_S: Final = 1.0
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 # what listens everywhere is asked here


def is_refused(host: str, port: int) -> bool:
    """Say whether a connection is refused; one that only takes its time is not: the gateway is busy."""
    try:
        socket.create_connection((_ANY.get(host, host), port), WITHIN_S).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def listening_trouble(host: str, port: int) -> str | None:
    """Say why nobody can begin to listen there; None if it can be done."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
