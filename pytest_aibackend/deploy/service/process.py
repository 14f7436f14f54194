"""What can be known of a running process, and signals that never reach a stranger."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

__all__ = ["Held", "clean_environment", "hold", "process_environment"]

# Told by systemd to one process alone: with them, a child could speak in its name (systemd.exec(5)).
_OF_THE_MANAGER: Final = frozenset(
    {
        "CREDENTIALS_DIRECTORY",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "LISTEN_FDNAMES",
        "LISTEN_FDS",
        "LISTEN_PID",
        "MAINPID",
        "MANAGERPID",
        "MEMORY_PRESSURE_WATCH",
        "MEMORY_PRESSURE_WRITE",
        "NOTIFY_SOCKET",
        "SYSTEMD_EXEC_PID",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    }
)


class Held:
    """A process that stays the same one while we look at it: its pid cannot pass to another unnoticed."""

    def __init__(self, pid: int, descriptor: int | None) -> None:
        self.pid = pid
        self._descriptor = descriptor

    def command(self) -> list[str]:
        """Return its command line, empty for a zombie or where it may not be read."""
        import psutil

        try:
            return psutil.Process(self.pid).cmdline()
        except psutil.Error:
            return []

    def owner(self) -> str:
        """Return the name of its user, "another user" where that is hidden."""
        import psutil

        try:
            return psutil.Process(self.pid).username()
        except (psutil.Error, KeyError):
            return "another user"

    def survives(self, number: signal.Signals) -> bool:
        """Say whether it catches or ignores a signal; True where the kernel does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return True
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        masks = [int(fields[name], 16) for name in ("SigCgt", "SigIgn") if name in fields]
        return not masks or any(mask & 1 << (number - 1) for mask in masks)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; raises ProcessLookupError and PermissionError."""
        if self._descriptor is None:
            os.kill(self.pid, number)
        else:
            signal.pidfd_send_signal(self._descriptor, number)


@contextlib.contextmanager
def hold(pid: int) -> Iterator[Held]:
    """Hold on to a process; raises ProcessLookupError if there is none."""
    if not hasattr(os, "pidfd_open"):  # not on Linux
        with contextlib.suppress(PermissionError):
            os.kill(pid, 0)
        yield Held(pid, None)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:  # EINVAL: the id of a thread
        raise ProcessLookupError(pid) from error
    try:
        yield Held(pid, descriptor)
    finally:
        os.close(descriptor)


def process_environment(pid: int) -> dict[str, str] | None:
    """Return the environment a process was started with, None where it may not be read or is gone."""
    import psutil

    try:
        return clean_environment(psutil.Process(pid).environ()) or None
    except (psutil.Error, OSError):
        return None


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what the service manager meant for one process alone."""
    return {name: value for name, value in environment.items() if name not in _OF_THE_MANAGER}
