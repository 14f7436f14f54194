"""Loopback endpoints, some alive and some dead in the two ways that cost time: silent, and refusing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator

from fleet import models_body


@contextlib.contextmanager
def endpoints(alive: int, silent: int, refusing: int) -> Iterator[list[int]]:
    """Yield the ports: those that answer, those that take a connection and say nothing, the closed ones."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers = asyncio.run_coroutine_threadsafe(_start(alive, silent), loop).result()
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    closed = [socket.create_server(("127.0.0.1", 0)) for _ in range(refusing)]
    ports += [taken.getsockname()[1] for taken in closed]
    for taken in closed:
        taken.close()
    try:
        yield ports
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _start(alive: int, silent: int) -> list[asyncio.Server]:
    answering = [await asyncio.start_server(_answer_for(number), "127.0.0.1", 0) for number in range(alive)]
    return [*answering, *[await asyncio.start_server(_say_nothing, "127.0.0.1", 0) for _ in range(silent)]]


def _answer_for(number: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    body = models_body(number)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                known = request.split(b" ", 2)[1] == b"/v1/models"
                status, content = (b"200 OK", body) if known else (b"404 Not Found", b"{}")
                head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nContent-Length: "
                writer.write(head + str(len(content)).encode() + b"\r\n\r\n" + content)
                await writer.drain()
        writer.close()

    return answer


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await reader.read()
        while await reader.read(1024):
            pass
    writer.close()
