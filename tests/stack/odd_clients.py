"""Clients that use their connections in other ways than most, each over and over until stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

import httpx

from pytest_aibackend.stack.load import Sent
from tests.stack.serving import Served

Told = Callable[[float, str], None]  # is told when a request was sent, and what was answered
Client = Callable[[Told], Coroutine[Any, Any, None]]
WITHIN_S = 60.0


class OddClients:
    """All of them at once, in a thread; `sent` is what they sent and what came back."""

    def __init__(self, served: Served, *, flood: str) -> None:
        self.sent: list[Sent] = []
        self._served = served
        self._flood = flood  # a route whose answer is long
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="odd-clients")
        self.kinds: dict[str, Client] = {
            "a connection each": self._with_a_connection_each,
            "Connection: close": self._closing,
            "pipelined": self._pipelining,
            "pipelined in halves": self._pipelining_in_halves,
            "late": self._late,
            "head in halves": self._with_head_in_halves,
            "body in halves": self._with_body_in_halves,
            "slow reader": self._reading_slowly,
        }

    @property
    def failed(self) -> list[Sent]:
        return [each for each in self.sent if each.trouble]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._again(kind, client) for kind, client in self.kinds.items()))

    async def _again(self, kind: str, client: Client) -> None:
        def told(began: float, answer: str) -> None:
            self.sent.append(Sent(began=began, ended=time.monotonic(), kind=kind, answer=answer))

        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await client(told)
            except (OSError, EOFError, httpx.HTTPError, ValueError, LookupError, TimeoutError) as error:
                trouble = f"{type(error).__name__}: {error}"
                self.sent.append(
                    Sent(began=began, ended=time.monotonic(), kind=kind, answer="", trouble=trouble)
                )
            await asyncio.sleep(0.05)

    # -- the clients

    async def _with_a_connection_each(self, told: Told) -> None:
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=WITHIN_S, trust_env=False) as client:
            headers = {"Authorization": f"Bearer {self._served.key}"}
            body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
            url = f"{self._served.url}/v1/chat/completions"
            answer = await client.post(url, headers=headers, json=body)
        told(began, _content(answer.status_code, answer.content))
        await asyncio.sleep(0.1)

    async def _closing(self, told: Told) -> None:
        async with _Connection(self._served) as connection:
            began = connection.send(self._request(close=True))
            told(began, await connection.answer())
            if await connection.reader.read(1):
                raise ValueError("more came after the answer")
        await asyncio.sleep(0.1)

    async def _pipelining(self, told: Told) -> None:
        async with _Connection(self._served) as connection:
            for _ in range(40):
                began = connection.send(3 * self._request())
                for _ in range(3):
                    told(began, await connection.answer())
                await asyncio.sleep(0.02)

    async def _pipelining_in_halves(self, told: Told) -> None:
        request = self._request()
        async with _Connection(self._served) as connection:
            for cut in range(7, len(request), 31):
                began = connection.send(request + request[:cut])
                told(began, await connection.answer())
                await asyncio.sleep(0.3)
                connection.send(request[cut:])
                told(began, await connection.answer())

    async def _late(self, told: Told) -> None:
        async with _Connection(self._served) as connection:
            await asyncio.sleep(3)
            for _ in range(3):
                told(connection.send(self._request()), await connection.answer())
                await asyncio.sleep(2)

    async def _with_head_in_halves(self, told: Told) -> None:
        await self._in_halves(told, lambda request: request.index(b"\r\n\r\n") // 2)

    async def _with_body_in_halves(self, told: Told) -> None:
        await self._in_halves(told, lambda request: len(request) - 10)

    async def _in_halves(self, told: Told, cut: Callable[[bytes], int]) -> None:
        request = self._request()
        async with _Connection(self._served) as connection:
            for _ in range(5):
                began = connection.send(request[: cut(request)])
                await asyncio.sleep(1.5)
                connection.send(request[cut(request) :])
                told(began, await connection.answer())
                if connection.is_last:
                    return

    async def _reading_slowly(self, told: Told) -> None:
        async with _Connection(self._served, buffer=4096) as connection:
            began = connection.send(self._request(self._flood))
            told(began, (await connection.answer(pause_s=0.02))[:5])
            if not connection.is_last:
                told(connection.send(self._request()), await connection.answer())

    def _request(self, model: str = "chat", *, close: bool = False) -> bytes:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
        lines = ["POST /v1/chat/completions HTTP/1.1", f"host: 127.0.0.1:{self._served.port}"]
        lines += [f"authorization: Bearer {self._served.key}", "content-type: application/json"]
        lines += [f"content-length: {len(body)}", *(["connection: close"] if close else []), "", ""]
        return "\r\n".join(lines).encode() + body


class _Connection:
    """A plain connection, on which requests are written as they are and answers read one after the other."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(self, served: Served, *, buffer: int = 0) -> None:
        self.is_last = False  # the gateway closes after this answer
        self._port = served.port
        self._buffer = buffer

    async def __aenter__(self) -> Self:
        plain = socket.socket()
        if self._buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        plain.setblocking(False)
        await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self._port))
        limit = self._buffer or 2**16
        self.reader, self.writer = await asyncio.open_connection(sock=plain, limit=limit)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def send(self, raw: bytes) -> float:
        """Write it, and return when that was."""
        self.writer.write(raw)
        return time.monotonic()

    async def answer(self, *, pause_s: float = 0.0) -> str:
        """Read one answer, with a pause before each piece of its body; return what it says."""
        async with asyncio.timeout(WITHIN_S):
            return await self._read_answer(pause_s)

    async def _read_answer(self, pause_s: float) -> str:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        fields = {name: value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        self.is_last = fields.get("connection") == "close"
        body = b""
        while len(body) < int(fields["content-length"]):
            await asyncio.sleep(pause_s)
            piece = await self.reader.read(min(2**14, int(fields["content-length"]) - len(body)))
            if not piece:
                raise EOFError(f"cut after {len(body)} of {fields['content-length']} bytes")
            body += piece
        return _content(int(head[0].split()[1]), body)


def _content(status: int, body: bytes) -> str:
    if status != 200:
        raise ValueError(f"status {status}: {body[:200]!r}")
    return str(json.loads(body)["choices"][0]["message"]["content"])
