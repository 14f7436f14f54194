"""What a connection of uvicorn is doing, and how another worker goes on with it.

uvicorn keeps its protocols to itself, so what is looked at here was read in uvicorn 0.20 to 0.54, protocols/
http/h11_impl.py and httptools_impl.py.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import Callable
from typing import Any

__all__ = ["after_each_response", "answer_last", "begun", "is_idle", "is_plain", "serve"]

log = logging.getLogger("uvicorn.error")


async def serve(server: Any, descriptor: int, read: bytes) -> None:
    """Serve a connection that another worker accepted, as uvicorn serves its own."""
    connection = socket.socket(fileno=descriptor)
    connection.setblocking(False)

    def protocol() -> Any:
        made = server.config.http_protocol_class(
            config=server.config, server_state=server.server_state, app_state=server.lifespan.state
        )
        if read:
            _receive_first(made, read)
        return made

    try:
        await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)
    except OSError as error:
        log.warning("aibackend: a connection that was handed on is lost: %s", error)
        connection.close()


def _receive_first(protocol: Any, read: bytes) -> None:
    """Have a protocol take these bytes before anything is read."""
    original = protocol.connection_made

    def connection_made(transport: Any) -> None:
        original(transport)
        protocol.data_received(read)

    protocol.connection_made = connection_made


def is_idle(connection: Any) -> bool:
    """Say whether no request is under way; one that was only begun is none where `begun` returns it."""
    if not hasattr(connection, "timeout_keep_alive_task"):
        return False  # a WebSocket
    cycle = getattr(connection, "cycle", None)
    parser = getattr(connection, "conn", None)
    if parser is not None:  # h11's
        is_between = cycle is None or cycle.response_complete
        states = {str(parser.our_state), str(parser.their_state)}
        return is_between and states in ({"IDLE"}, {"DONE"}) and not parser.trailing_data[1]
    # httptools keeps what it has read of a request to itself.
    if cycle is None:
        return getattr(connection, "scope", None) is None
    is_waiting = connection.timeout_keep_alive_task is not None
    return is_waiting and not connection.pipeline and connection.scope is cycle.scope


def begun(connection: Any) -> bytes:
    """Return what has been read of the next requests, as h11 keeps it."""
    parser = getattr(connection, "conn", None)
    return b"" if parser is None else bytes(parser.trailing_data[0])


def is_plain(connection: Any) -> bool:
    """Say whether a connection can be handed on at all: its encryption would live in this process."""
    transport = getattr(connection, "transport", None)
    return (
        transport is not None
        and not transport.is_closing()
        and transport.get_extra_info("sslcontext") is None
        and transport.get_extra_info("socket") is not None
    )


def answer_last(state: Any) -> None:
    """Have whatever is answered here from now on be the last answer on its connection."""
    last = (b"connection", b"close")
    if last not in state.default_headers:
        state.default_headers = [*state.default_headers, last]


def after_each_response(kind: Any, connections: set[Any], hand_on: Callable[..., bool]) -> None:
    """Hand each connection of this protocol on when a response on it is complete.

    With h11 before the next request that was read is begun, with httptools after all of them are answered.
    """
    original = kind.on_response_complete

    def on_response_complete(connection: Any) -> None:
        begin_next = functools.partial(original, connection)
        if hasattr(connection, "conn"):
            if not hand_on(connection, begin_next):
                begin_next()
        else:
            begin_next()
            hand_on(connection)

    kind.on_response_complete = on_response_complete
    # A response under way holds on to the method that it was given when it began.
    for connection in connections:
        cycle = getattr(connection, "cycle", None)
        if cycle is not None and not cycle.response_complete and isinstance(connection, kind):
            cycle.on_response = connection.on_response_complete
