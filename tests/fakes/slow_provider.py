"""An OpenAI-compatible server in one event loop: it answers with the model's name, and streams slowly.

`alpha` answers "alpha" at once. A model `slow-8` streams for eight seconds, a piece each 0.2 s, whoever
asks for it and however many at a time. `flood` answers with a megabyte.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

PIECE_EVERY_S = 0.2
FLOOD_TIMES = 200_000


class SlowProvider:
    """The server; `streams_cut` counts the streams whose reader went before the end."""

    def __init__(self) -> None:
        self.port = 0
        self.streams_cut = 0
        self.loop = asyncio.new_event_loop()

    @property
    def url(self) -> str:
        """Return its base URL, with /v1."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                body = json.loads(await reader.readexactly(_length(head)) or b"{}")
                if body.get("stream"):
                    await self._stream(body, writer)
                else:
                    _write(writer, _completion(body))
                await writer.drain()
        writer.close()

    async def _stream(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        try:
            async for piece in _pieces(body["model"]):
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        except ConnectionError:
            self.streams_cut += 1
            raise


def _length(head: str) -> int:
    lengths = [line.partition(":")[2] for line in head.splitlines() if line.startswith("content-length:")]
    return int(lengths[0]) if lengths else 0


async def _pieces(model: str) -> AsyncIterator[bytes]:
    seconds = float(model.partition("-")[2] or 0)
    count = max(1, round(seconds / PIECE_EVERY_S))
    for number in range(count):
        delta = {"role": "assistant", "content": f"{number} "}
        yield _event(model, {"index": 0, "delta": delta, "finish_reason": None})
        await asyncio.sleep(PIECE_EVERY_S if seconds else 0)
    yield _event(model, {"index": 0, "delta": {}, "finish_reason": "stop"})
    yield b"data: [DONE]\n\n"


def _event(model: str, choice: dict[str, Any]) -> bytes:
    event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    return f"data: {json.dumps(event)}\n\n".encode()


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    model = body.get("model", "")
    message = {"role": "assistant", "content": model * (FLOOD_TIMES if model == "flood" else 1)}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _write(writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
    text = json.dumps(document).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    writer.write(head.encode() + text)


@contextlib.contextmanager
def slow_provider() -> Iterator[SlowProvider]:
    """Run one in a thread."""
    provider = SlowProvider()
    listening = threading.Event()

    async def run() -> None:
        server = await provider.start()
        listening.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve_forever()

    def serve() -> None:
        asyncio.set_event_loop(provider.loop)
        provider.loop.run_until_complete(run())
        for task in asyncio.all_tasks(provider.loop):
            task.cancel()
        provider.loop.run_until_complete(asyncio.sleep(0))
        provider.loop.close()

    thread = threading.Thread(target=serve, name="slow-provider")
    thread.start()
    assert listening.wait(10)
    try:
        yield provider
    finally:
        for task in asyncio.all_tasks(provider.loop):
            provider.loop.call_soon_threadsafe(task.cancel)
        thread.join()
