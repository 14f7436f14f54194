"""How a worker goes without anybody noticing: it waits for its successors and hands its connections on.

gunicorn tells the old workers to go at the moment it starts the new ones. A worker goes on serving until a
successor is ready. Then it stops accepting, and passes each connection, as soon as no request is under way
on it, to a successor, socket and all: the client notices nothing, no request meets a connection that is just
being closed, and every later request is answered by the new configuration. Streams run to their end.

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

from pytest_aibackend.serving.state import StateDir, WorkerNote, WorkerState, process_start

__all__ = ["Drain"]

POLL_S: Final = 0.05
SUCCESSORS_APPEAR_WITHIN_S: Final = 20.0  # a new worker notes itself before it loads anything
HAND_ON_WITHIN_S: Final = 5.0  # with nobody to take a connection, its client is answered here after all
RETRY_S: Final = 0.002
DRAIN_WITHIN_S: Final = 3600.0  # what is not over by then is cut
HEARTBEAT_S: Final = 5.0  # gunicorn ends workers that do not show life
_MESSAGE: Final = b"connection"

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
                _, descriptors, _, _ = socket.recv_fds(self._inbox, len(_MESSAGE), 1)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("aibackend: a connection could not be taken over: %s", error)
                return
            for descriptor in descriptors:
                task = asyncio.get_running_loop().create_task(_serve(server, descriptor))
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
        # Whatever is answered here from now on is the last answer on its connection.
        state.default_headers = [*state.default_headers, (b"connection", b"close")]
        _after_each_response(server.config.http_protocol_class, state.connections, self._hand_on)
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
            if not any(_is_idle(connection) and _is_plain(connection) for connection in connections):
                return

    async def _wait_for_successors(self, server: Any, listener: int | None, beat: _Heartbeat) -> bool:
        """Return True when a successor is ready and none is about to be, False when there will be none."""
        if signal.SIGTERM not in getattr(server, "_captured_signals", [signal.SIGTERM]):
            return bool(self._others())  # not told to go by the master: its successor comes after it
        began = time.monotonic()
        while not self._is_stopping(listener):
            mine = self._note()
            others = self._others()
            later = [note for note in others if note.started > mine.started]
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

    def _hand_on(self, connection: Any) -> None:
        """Begin to hand a connection on, if no request is under way on it: nothing more is read here."""
        if connection not in self._handing_on and _is_idle(connection) and _is_plain(connection):
            self._handing_on[connection] = time.monotonic() + HAND_ON_WITHIN_S
            connection.transport.pause_reading()
            self._try_to_hand_on(connection)

    def _try_to_hand_on(self, connection: Any) -> None:
        """Hand a connection on as soon as everything written has left and a successor takes it."""
        transport = connection.transport
        if not _is_plain(connection):
            del self._handing_on[connection]
            return
        # Lazily: uvloop writes at the end of its round, and a client may read slowly.
        if not transport.get_write_buffer_size() and self._send(transport.get_extra_info("socket").fileno()):
            del self._handing_on[connection]
            transport.abort()  # ours is closed; the copy that was sent keeps the connection open
        elif time.monotonic() < self._handing_on[connection]:
            asyncio.get_running_loop().call_later(RETRY_S, self._try_to_hand_on, connection)
        else:
            del self._handing_on[connection]
            transport.resume_reading()  # better answered by the old configuration than not at all

    def _send(self, descriptor: int) -> bool:
        """Send a copy of a socket to a successor, each in its turn."""
        ready = [note for note in self._others() if note.state is WorkerState.READY]
        self._turn += 1
        for step in range(len(ready)):
            note = ready[(self._turn + step) % len(ready)]
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                try:
                    _connect(sender, self._state.workers / f"{note.pid}.sock")
                    socket.send_fds(sender, [_MESSAGE], [descriptor])
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


async def _serve(server: Any, descriptor: int) -> None:
    """Serve a connection that another worker accepted, as uvicorn serves its own."""
    connection = socket.socket(fileno=descriptor)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: server.config.http_protocol_class(
                config=server.config, server_state=server.server_state, app_state=server.lifespan.state
            ),
            connection,
        )
    except OSError as error:
        log.warning("aibackend: a connection that was handed on is lost: %s", error)
        connection.close()


def _is_idle(connection: Any) -> bool:
    """Say whether nothing is under way: the timer of an idle connection runs, or nothing ever came."""
    if getattr(connection, "timeout_keep_alive_task", None) is not None:
        return not getattr(connection, "pipeline", None)
    if not hasattr(connection, "timeout_keep_alive_task"):
        return False  # a WebSocket
    return (
        getattr(connection, "cycle", None) is None
        and getattr(connection, "scope", None) is None
        and (not _has_partial_request(connection))
    )


def _has_partial_request(connection: Any) -> bool:
    parser = getattr(connection, "conn", None)  # h11's, which keeps what it could not use yet
    return parser is not None and bool(parser.trailing_data[0])


def _is_plain(connection: Any) -> bool:
    transport = getattr(connection, "transport", None)
    return (
        transport is not None
        and not transport.is_closing()
        and transport.get_extra_info("sslcontext") is None
        and transport.get_extra_info("socket") is not None
    )


def _after_each_response(kind: Any, connections: set[Any], then: Callable[[Any], None]) -> None:
    """Call `then` with each connection of this protocol when a response on it is complete."""
    original = kind.on_response_complete

    def on_response_complete(connection: Any) -> None:
        original(connection)
        then(connection)

    kind.on_response_complete = on_response_complete
    # A response under way holds on to the method that it was given when it began.
    for connection in connections:
        cycle = getattr(connection, "cycle", None)
        if cycle is not None and not cycle.response_complete and isinstance(connection, kind):
            cycle.on_response = connection.on_response_complete


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
