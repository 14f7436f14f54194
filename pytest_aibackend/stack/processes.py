"""Processes of a stack: telling them from strangers that got the same pid, and ending them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

__all__ = [
    "MARKER",
    "ProcessRecord",
    "describe_listener",
    "find",
    "find_marked",
    "marker",
    "record",
    "stop",
    "wait_gone",
]

MARKER = "AIBACKEND_STACK"  # environment variable that every process of a stack carries
POLL_S = 0.05
SAME_START_S = (
    2.0  # the boot time that a start time is added to is read in whole seconds, and may waver by one
)


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process as it can be found again: a pid alone may be somebody else's tomorrow."""

    pid: int
    created: float  # seconds since the epoch


def marker(state_dir: Path) -> str:
    """Return the value of MARKER in the environment of the processes that belong to `state_dir`."""
    return str(state_dir.resolve())


def record(pid: int) -> ProcessRecord:
    """Note a running process with its start time; raises psutil.NoSuchProcess."""
    import psutil

    return ProcessRecord(pid, psutil.Process(pid).create_time())


def find(noted: ProcessRecord, mark: str | None = None) -> psutil.Process | None:
    """Return the noted process if it still runs, None if it is gone or its pid went to a stranger.

    A start time is computed from the clock: when the clock was set since, `mark` recognises the process.
    """
    import psutil

    try:
        process = psutil.Process(noted.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        if abs(process.create_time() - noted.created) <= SAME_START_S:
            return process
        return process if mark is not None and process.environ().get(MARKER) == mark else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def find_marked(mark: str) -> list[psutil.Process]:
    """Return every process of this user that carries `mark`, workers and orphans included."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            if process.pid == os.getpid():
                continue
            if process.environ().get(MARKER) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def stop(noted: Iterable[ProcessRecord], mark: str, *, grace_s: float = 6.0) -> int:
    """End the noted processes and every other one with `mark`; return how many there were.

    They get SIGTERM, and SIGKILL after `grace_s` seconds. The noted ones are asked first and alone: a
    master ends its workers in better order than a signal to each would.
    """
    import psutil

    heads = [process for item in noted if (process := find(item, mark)) is not None]
    strays = [
        process for process in find_marked(mark) if process not in heads and not _has_parent(process, heads)
    ]
    everyone = {process.pid: process for process in [*heads, *strays, *find_marked(mark)]}
    for process in [*heads, *strays]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    wait_gone(everyone.values(), grace_s)

    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        left = {process.pid: process for process in everyone.values() if _runs(process)}
        left |= {process.pid: process for process in find_marked(mark)}
        if not left:
            break
        for process in left.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        wait_gone(left.values(), 1.0)
    return len(everyone)


def wait_gone(processes: Iterable[psutil.Process], within_s: float) -> None:
    """Wait until none of the processes runs, `within_s` seconds at most.

    A zombie counts as gone, which psutil's own waiting does not grant: where the parent, or the first
    process of a container, collects no children, it would wait for nothing.
    """
    waiting = list(processes)
    deadline = time.monotonic() + within_s
    while waiting := [process for process in waiting if _runs(process)]:
        if time.monotonic() > deadline:
            return
        time.sleep(POLL_S)


def describe_listener(port: int) -> str:
    """Name who listens on a TCP port, as far as this user may see."""
    import psutil

    try:
        pids = {
            connection.pid
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid
        }
        names = [f"{psutil.Process(pid).name()} (pid {pid})" for pid in sorted(pids)]
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        names = []
    return ", ".join(names) or "a process that this user may not see"


def _has_parent(process: psutil.Process, heads: list[psutil.Process]) -> bool:
    import psutil

    try:
        return any(parent in heads for parent in process.parents())
    except psutil.NoSuchProcess:
        return True


def _runs(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
