"""How a worker goes without anybody noticing: it waits for its successors and hands its connections on.

gunicorn tells the old workers to go at the moment it starts the new ones. A worker goes on serving until a
successor is ready. Then it stops accepting, and passes each connection, as soon as no request is under way
on it, to a successor, socket and all, with what was read of the next request: the client notices nothing, no
request meets a connection that is just being closed, and every later request is answered by the new
configuration. Streams run to their end.

What cannot be handed on (TLS lives in this process; no successor takes it) is answered with `Connection:
close`, so that the client knows, and otherwise closed by uvicorn's own keep-alive timer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.serving.connection import (
    after_each_response,
    answer_last,
    begun,
    is_idle,
    is_plain,
    serve,
)
from pytest_aibackend.serving.state import StateDir, WorkerNote, WorkerState, process_start

__all__ = ["Drain"]

POLL_S: Final = 0.05
SUCCESSORS_APPEAR_WITHIN_S: Final = 20.0  # a new worker notes itself before it loads anything
HAND_ON_WITHIN_S: Final = 5.0  # with nobody to take a connection, its client is answered here after all
RETRY_S: Final = 0.002
DRAIN_WITHIN_S: Final = 3600.0  # what is not over by then is cut
HEARTBEAT_S: Final = 5.0  # gunicorn ends workers that do not show life
_MESSAGE: Final = b"connection "  # and then what was read of its next request
_LONGEST: Final = 1 << 18  # more than the system lets one message have

log = logging.getLogger("uvicorn.error")


class Drain:
    """The end of one worker, and its part in the end of others."""

    def __init__(self, state: StateDir, tell: Callable[..., None], note: Callable[[], WorkerNote]) -> None:
        self._state = state
        self._tell = tell
        self._note = note
        self._inbox: socket.socket | None = None
        self._arriving: set[asyncio.Task[Any]] = set()
        self._turn = 0
        self._handing_on: dict[Any, float] = {}  # and until when it is tried

    # -- taking connections from others

    def receive(self, server: Any) -> None:
        """Take over connections that other workers hand on, from now on."""
        try:
            self._inbox = _bind(self._state.workers / f"{os.getpid()}.sock")
        except OSError as error:
            log.warning("aibackend: this worker cannot take connections over: %s", error)
            return
        asyncio.get_running_loop().add_reader(self._inbox.fileno(), self._take, server)

    def _take(self, server: Any) -> None:
        assert self._inbox is not None
        while True:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._inbox, _LONGEST, 1)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("aibackend: a connection could not be taken over: %s", error)
                return
            for descriptor in descriptors:
                read = message.removeprefix(_MESSAGE)
                task = asyncio.get_running_loop().create_task(serve(server, descriptor, read))
                self._arriving.add(task)
                task.add_done_callback(self._arriving.discard)

    # -- going

    async def run(self, server: Any, sockets: list[socket.socket]) -> None:
        """Serve until successors are ready, then stop accepting and hand on, until nothing is left."""
        beat = _Heartbeat(server)
        listener = sockets[0].fileno() if sockets else None
        self._tell(WorkerState.LEAVING)
        has_successors = await self._wait_for_successors(server, listener, beat)
        for accepting in server.servers:
            accepting.close()
        for each in sockets:
            each.close()
        if not has_successors:
            self._tell(WorkerState.DRAINING, connections=len(server.server_state.connections))
            return
        state = server.server_state
        if server.config.is_ssl:
            answer_last(state)
        after_each_response(server.config.http_protocol_class, state.connections, self._hand_on)
        await self._hand_on_idle(state.connections)
        self._tell(WorkerState.DRAINING, connections=len(state.connections))
        deadline = time.monotonic() + DRAIN_WITHIN_S
        told = len(state.connections)
        while (state.connections or self._arriving) and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            await beat()
            for connection in list(state.connections):
                self._hand_on(connection)
            if len(state.connections) != told:
                told = len(state.connections)
                self._tell(WorkerState.DRAINING, connections=told)

    async def _hand_on_idle(self, connections: set[Any]) -> None:
        """Hand on what waits for a request, until nothing does: a request that comes then is not for us."""
        deadline = time.monotonic() + HAND_ON_WITHIN_S
        while time.monotonic() < deadline:
            for connection in list(connections):
                self._hand_on(connection)
            # Also for connections that were accepted a moment ago, and are only being set up.
            await asyncio.sleep(POLL_S)
            # What is written to a slow reader is no matter: nothing is read from it here any more.
            mine = [each for each in connections if is_plain(each) and is_idle(each)]
            if not any(each.transport.get_write_buffer_size() == 0 for each in mine):
                return

    async def _wait_for_successors(self, server: Any, listener: int | None, beat: _Heartbeat) -> bool:
        """Return True when a successor is ready and none is about to be, False when there will be none."""
        if signal.SIGTERM not in getattr(server, "_captured_signals", [signal.SIGTERM]):
            return bool(self._others())  # not told to go by the master: its successor comes after it
        began = time.monotonic()
        while not self._is_stopping(listener):
            mine = self._note()
            others = self._others()
            later = [note for note in others if note.generation > mine.generation]
            if not any(note.state is WorkerState.STARTING for note in later):
                if any(note.state is WorkerState.READY for note in later):
                    return True
                waited = time.monotonic() - began
                # One worker fewer was asked for: nobody is to follow.
                if waited > SUCCESSORS_APPEAR_WITHIN_S and any(n.state is WorkerState.READY for n in others):
                    return True
            await asyncio.sleep(POLL_S)
            await beat()
        return False

    def _others(self) -> list[WorkerNote]:
        mine = self._note()
        return [
            note for note in self._state.worker_notes() if note.pid != mine.pid and note.master == mine.master
        ]

    def _is_stopping(self, listener: int | None) -> bool:
        """Say whether the whole gateway stops: its master is gone, or has closed the listening socket."""
        master = self._note().master
        if os.getppid() != master or not process_start(master):
            return True
        return listener is not None and _has_closed(master, listener)

    # -- handing on

    def _hand_on(self, connection: Any, go_on: Callable[[], object] | None = None) -> bool:
        """Begin to hand a connection on, if no request is under way on it: nothing more is read here.

        `go_on` is called if nobody takes it.
        """
        if connection in self._handing_on:
            return True
        if not (is_plain(connection) and is_idle(connection)):
            return False
        self._handing_on[connection] = time.monotonic() + HAND_ON_WITHIN_S
        connection.transport.pause_reading()
        self._try_to_hand_on(connection, go_on)
        return True

    def _try_to_hand_on(self, connection: Any, go_on: Callable[[], object] | None) -> None:
        """Hand a connection on as soon as everything written has left and a successor takes it."""
        transport = connection.transport
        if not is_plain(connection):
            del self._handing_on[connection]
            return
        # Lazily: uvloop writes at the end of its round, and a client may read slowly.
        is_written = not transport.get_write_buffer_size()
        if is_written and self._send(transport.get_extra_info("socket").fileno(), begun(connection)):
            del self._handing_on[connection]
            transport.abort()  # ours is closed; the copy that was sent keeps the connection open
        elif not is_written or time.monotonic() < self._handing_on[connection]:
            wait_s = RETRY_S if time.monotonic() < self._handing_on[connection] else POLL_S
            asyncio.get_running_loop().call_later(wait_s, self._try_to_hand_on, connection, go_on)
        else:
            del self._handing_on[connection]
            # Better answered by the old configuration than not at all.
            answer_last(connection.server_state)
            transport.resume_reading()
            if go_on is not None:
                go_on()

    def _send(self, descriptor: int, read: bytes) -> bool:
        """Send a copy of a socket to a successor, each in its turn."""
        ready = [note for note in self._others() if note.state is WorkerState.READY]
        self._turn += 1
        for step in range(len(ready)):
            note = ready[(self._turn + step) % len(ready)]
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                try:
                    _connect(sender, self._state.workers / f"{note.pid}.sock")
                    socket.send_fds(sender, [_MESSAGE, read], [descriptor])
                except OSError:
                    continue  # its queue is full, or it is just going: the next one, or a little later
                return True
        return False


class _Heartbeat:
    """Tells gunicorn now and then that this worker lives: uvicorn does so in its main loop only."""

    def __init__(self, server: Any) -> None:
        self._notify = getattr(server.config, "callback_notify", None)
        self._last = 0.0

    async def __call__(self) -> None:
        if self._notify is not None and time.monotonic() - self._last > HEARTBEAT_S:
            self._last = time.monotonic()
            await self._notify()


def _has_closed(pid: int, descriptor: int) -> bool:
    """Say whether a process has closed a socket that we still hold; False where that cannot be seen."""
    ours = f"socket:[{os.fstat(descriptor).st_ino}]"
    try:
        theirs = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return ours not in theirs


def _bind(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        inbox.setblocking(False)
        _with_short_name(path, inbox.bind)
    except OSError:
        inbox.close()
        raise
    return inbox


def _connect(sender: socket.socket, path: Path) -> None:
    _with_short_name(path, sender.connect)


def _with_short_name(path: Path, use: Callable[[str], object]) -> None:
    """Use a socket's path, which may have 107 bytes only, through its directory's descriptor."""
    if len(os.fsencode(path)) < 100:
        use(str(path))
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        use(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
