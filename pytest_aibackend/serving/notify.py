"""systemd's notification protocol, sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping

__all__ = ["Notifier"]


class Notifier:
    """Tells the service manager how the gateway does; silent where there is none."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        microseconds = environment.get("WATCHDOG_USEC", "")
        self._every_s = int(microseconds) / 2e6 if microseconds.isdigit() else 0.0
        self._last = 0.0

    def ready(self, status: str) -> None:
        """Say that the gateway serves."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that a reload begins; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the gateway stops."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in words what goes on."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Show the watchdog life, as often as it wants."""
        if self._every_s and time.monotonic() - self._last > self._every_s:
            self._last = time.monotonic()
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        # A service manager that cannot be told anything is no reason to stop serving.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(text.replace("\0", " ").encode(), self._address)
