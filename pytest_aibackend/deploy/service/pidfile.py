"""A gateway found through its pid file: HUP reloads it; the process is looked at before it is signalled."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pytest_aibackend.deploy.service.contract import ServiceError, ServiceState
from pytest_aibackend.deploy.service.process import Held, hold, process_environment
from pytest_aibackend.serving.state import StateDir

__all__ = ["PidfileService", "is_gateway_command"]

LONGEST: Final = 64  # bytes of a pid file
_MODULES: Final = ("gunicorn", "litellm", "pytest_aibackend.serving", "pytest_aibackend.serving.master")
_GATEWAY: Final = re.compile(r"(?:^|[/\s:\[(])(?:gunicorn|litellm)(?:$|[\s:\])])")


class _NoGatewayError(Exception):
    """There is no gateway to signal; the text says what was found instead."""


class PidfileService:
    """The process whose pid stands in a file; the supervisor's own note tells it where the file does not."""

    can_signal = True

    def __init__(self, path: Path, state: StateDir) -> None:
        self.label = f"pid file {path}"
        self._path = path
        self._state = state

    def state(self) -> ServiceState:
        """Return whether the process of the pid file is a gateway and runs."""
        try:
            with self._gateway() as held:
                kind = "aibackend serve" if self._is_ours(held) else _name(held.command())
                return ServiceState(running=True, pid=held.pid, detail=f"{kind}, pid {held.pid}")
        except _NoGatewayError as error:
            return ServiceState(running=False, pid=None, detail=str(error))

    def environment(self) -> dict[str, str] | None:
        """Return the environment of the running process."""
        pid = self.state().pid
        return process_environment(pid) if pid is not None else None

    def reload(self) -> None:
        """Send HUP to the gateway."""
        self._send(signal.SIGHUP, "reloaded")

    def restart(self) -> None:
        """Send USR1 to an `aibackend serve`, which then starts LiteLLM anew; nothing else is restarted."""
        self._send(signal.SIGUSR1, "restarted")

    def _send(self, number: signal.Signals, done: str) -> None:
        try:
            with self._gateway() as held:
                self._insist_on_effect(held, number)
                self._deliver(held, number)
        except _NoGatewayError as error:
            raise ServiceError(f"the gateway cannot be {done}: {error}") from None

    def _insist_on_effect(self, held: Held, number: signal.Signals) -> None:
        """Raise ServiceError where the signal would do something else, or kill."""
        ours = self._is_ours(held)
        process = f"process {held.pid} of {self.label}"
        if number == signal.SIGUSR1 and not ours:
            raise ServiceError(
                f"{process} is not `aibackend serve`, and restarts nothing when asked to; "
                f"restart {_name(held.command())} by hand, or run it as `aibackend serve --pidfile FILE`"
            )
        if held.survives(number):
            return
        if ours:
            raise ServiceError(f"{process} is only just starting; wait a moment and try again")
        raise ServiceError(
            f"{process} ({_name(held.command())}) would die of {number.name}: it cannot reload; "
            "run the gateway as `aibackend serve --pidfile FILE`"
        )

    def _deliver(self, held: Held, number: signal.Signals) -> None:
        try:
            held.send(number)
        except ProcessLookupError:
            raise ServiceError(
                f"process {held.pid} of {self.label} ended just now; start the gateway again"
            ) from None
        except PermissionError:
            raise ServiceError(
                f"process {held.pid} of {self.label} belongs to {held.owner()} and may not be signalled; "
                "run this command as that user"
            ) from None

    @contextlib.contextmanager
    def _gateway(self) -> Iterator[Held]:
        """Hold the gateway's process; raises _NoGatewayError."""
        note = self._state.gateway_note()
        try:
            pid = self._read()
        except _NoGatewayError:
            if note is None:
                raise
            pid = note.pid
        with contextlib.ExitStack() as stack:
            held = self._hold(stack, pid)
            if held is None and note is not None and note.pid != pid:
                held = self._hold(stack, note.pid)
            if held is None:
                raise _NoGatewayError(self._what_instead(pid))
            yield held

    def _hold(self, stack: contextlib.ExitStack, pid: int) -> Held | None:
        """Hold a process if it is a gateway; looked at only once it is held."""
        try:
            held = stack.enter_context(hold(pid))
        except ProcessLookupError:
            return None
        return held if self._is_ours(held) or is_gateway_command(held.command()) else None

    def _is_ours(self, held: Held) -> bool:
        note = self._state.gateway_note()
        return note is not None and note.pid == held.pid

    def _what_instead(self, pid: int) -> str:
        try:
            with hold(pid) as held:
                return (
                    f"{self._path} names process {pid}, which is {_name(held.command())} and no gateway; "
                    "remove the file and start the gateway again"
                )
        except ProcessLookupError:
            return (
                f"{self._path} is stale: there is no process {pid}; "
                "start the gateway with `aibackend serve --pidfile FILE`"
            )

    def _read(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                raw = file.read(LONGEST + 1) or b""
        except FileNotFoundError:
            raise _NoGatewayError(
                f"there is no {self._path}; start the gateway with `aibackend serve`, or correct "
                "deploy.service.pidfile"
            ) from None
        except OSError as error:
            raise _NoGatewayError(f"{self._path} cannot be read: {error.strerror}") from None
        text = raw.decode("ascii", errors="replace").strip()
        if not text:
            raise _NoGatewayError(f"{self._path} is empty; start the gateway again")
        if not re.fullmatch(r"[0-9]{1,10}", text) or not 0 < int(text) < 2**31:
            raise _NoGatewayError(f"{self._path} holds no pid; remove it and start the gateway again")
        return int(text)


def is_gateway_command(command: Sequence[str]) -> bool:
    """Say whether a command line is that of our supervisor, of LiteLLM or of gunicorn.

    Only the program and, behind an interpreter, its script or module count: an editor that has `litellm.yaml`
    open is no gateway.
    """
    words = list(command)
    if words and len(words) == 1:  # a process that gave itself a title
        return bool(_GATEWAY.search(words[0]))
    while words and re.match(r"python[\d.]*$", Path(words[0]).name):
        del words[0]
        while words and words[0].startswith("-") and words[0] not in ("-m", "-c"):
            del words[0]
        if words and words[0] == "-m":
            return len(words) > 1 and words[1].removesuffix(".__main__") in _MODULES
    return bool(words) and bool(_GATEWAY.search(Path(words[0]).name))


def _name(command: Sequence[str]) -> str:
    """Return a short name for a command line: arguments may hold secrets and are left out."""
    if not command:
        return "a process that cannot be looked at"
    words = [Path(command[0]).name.split(" ")[0]]
    if len(command) > 1 and command[1] == "-m":
        words += command[1:3]
    elif len(command) > 1 and not command[1].startswith("-"):
        words.append(Path(command[1]).name)
    return "`" + " ".join(words)[:80] + "`"
