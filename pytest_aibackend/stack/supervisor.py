"""Starting the services of a stack, waiting for them, watching them, stopping them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from pytest_aibackend.stack.processes import MARKER, describe_listener, marker, record, stop
from pytest_aibackend.stack.services import Prober, Service
from pytest_aibackend.stack.state import ServiceRecord, StackState, StateDir

__all__ = [
    "PortTakenError",
    "ServiceDiedError",
    "Stack",
    "StopRequestedError",
    "refuse_taken_ports",
    "stop_signals",
]

READY_WITHIN_S = 90.0
POLL_S = 0.15
LOG_LINES = 15


class PortTakenError(Exception):
    """One or more ports of the stack have a listener already."""


class ServiceDiedError(Exception):
    """A service ended, or was not ready in time; the text says which, with the end of its log."""


class StopRequestedError(Exception):
    """A signal asked for the end while the stack was starting."""


@contextlib.contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Turn SIGINT, SIGTERM and SIGHUP into an event, so that no stop ever happens half way through a step."""
    requested = threading.Event()

    def request(_number: int, _frame: FrameType | None) -> None:
        requested.set()

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup
            before[number] = signal.signal(number, request)
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse_taken_ports(ports: Sequence[tuple[str, str, int]]) -> None:
    """Raise PortTakenError, naming every listener, unless each (name, host, port) can be bound."""
    taken = []
    for name, host, port in ports:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a closed connection holds no port
            try:
                probe.bind((host, port))
            except OSError:
                taken.append(f"port {port} ({name}) is taken by {describe_listener(port)}")
    if taken:
        raise PortTakenError("\n".join(taken))


class Stack:
    """The started services of one configuration directory."""

    def __init__(self, directory: StateDir, services: Sequence[Service], state: StackState) -> None:
        """Take the services to start and the state to add them to."""
        self._directory = directory
        self._services = services
        self._state = state
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def state(self) -> StackState:
        """What was started so far."""
        return self._state

    def start(self, requested: threading.Event) -> None:
        """Start every service at once; raises StopRequestedError and OSError."""
        for service in self._services:
            if requested.is_set():
                raise StopRequestedError
            self._start(service)

    def _start(self, service: Service) -> None:
        log = self._directory.logs / f"{service.name}.log"
        environment = {name: value for name, value in os.environ.items() if name not in service.without}
        environment |= {**service.environment, MARKER: marker(self._directory.path)}
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=self._directory.path,
                env=environment,
                start_new_session=True,  # Ctrl-C is for `aibackend up` alone, which stops them in order
            )
        finally:
            os.close(descriptor)
        self._running[service.name] = process
        noted = ServiceRecord(
            name=service.name,
            kind=service.kind,
            process=record(process.pid),
            host=service.host,
            port=service.port,
            log=str(log),
        )
        self._note(replace(self._state, services=(*self._state.services, noted)))

    def wait_ready(self, requested: threading.Event, on_ready: Callable[[Service, float], None]) -> None:
        """Wait until all are ready, calling `on_ready` with each and its seconds since the start.

        Raises ServiceDiedError when one ends or is not ready in time, StopRequestedError on a signal.
        """
        began = time.monotonic()
        waiting = list(self._services)
        with Prober() as prober:
            while waiting:
                self.check_alive()
                for service in list(waiting):
                    if requested.is_set():
                        raise StopRequestedError
                    if prober.is_ready(service.kind, service.host, service.port, service.password):
                        waiting.remove(service)
                        on_ready(service, time.monotonic() - began)
                if waiting and time.monotonic() - began > READY_WITHIN_S:
                    late = waiting[0].name
                    raise ServiceDiedError(
                        f"{late} was not ready within {READY_WITHIN_S:.0f} s{self._end_of_log(late)}"
                    )
                if waiting and requested.wait(POLL_S):
                    raise StopRequestedError
        self.check_alive()

    def check_alive(self) -> None:
        """Raise ServiceDiedError if a service has ended."""
        for name, process in self._running.items():
            status = process.poll()
            if status is not None:
                how = f"by {_signal_name(-status)}" if status < 0 else f"with exit status {status}"
                raise ServiceDiedError(f"{name} ended {how}{self._end_of_log(name)}")

    def hand_over(self) -> None:
        """Note that nobody supervises the stack from here on; raises OSError."""
        self._note(replace(self._state, supervisor=None))

    def stop(self) -> None:
        """End every process of the stack and forget it; logs stay."""
        stop([service.process for service in self._state.services], marker(self._directory.path))
        for process in self._running.values():
            process.poll()
        self._directory.forget(Path(self._state.pidfile) if self._state.pidfile else None)

    def _note(self, state: StackState) -> None:
        self._state = state
        self._directory.save(state)

    def _end_of_log(self, name: str) -> str:
        log = self._directory.logs / f"{name}.log"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        said = "".join(f"\n  | {line}" for line in lines) or " (its log is empty)"
        return f"; the end of {log}:{said}" if lines else said


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
