"""Load on a gateway: clients with kept connections and short requests, long streams, and what came of them.

Every request is sent once: a client that repeated it would hide what the gateway lost.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import httpx

__all__ = ["Load", "LoadPlan", "Sent", "under_load"]

ANSWER_WITHIN_S: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadPlan:
    """What is sent where."""

    url: str  # of the gateway, without /v1
    key: str = field(repr=False)
    model: str
    stream_model: str | None = None  # None: no streams
    clients: int = 8  # each with one kept connection
    streams: int = 3  # at any moment
    pauses_s: tuple[float, ...] = (0.0, 0.02, 0.2, 1.1)  # between requests; each client takes its own
    max_tokens: int = 4
    stream_tokens: int = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One request."""

    began: float  # seconds of the monotonic clock, when it was sent
    ended: float
    kind: str  # "request" or "stream"
    answer: str  # what was answered; "" where it failed
    trouble: str = ""  # why it failed


class Load:
    """A load that runs until it is stopped, and what came of it."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.sent: list[Sent] = []
        self._stop = threading.Event()
        self._open = 0  # streams under way

    @property
    def failed(self) -> list[Sent]:
        """Return what was not answered as it should have been."""
        return [each for each in self.sent if each.trouble]

    def answers_after(self, moment: float) -> Counter[str]:
        """Count the answers to what was sent after a moment of the monotonic clock."""
        return Counter(each.answer for each in self.sent if each.began > moment and not each.trouble)

    @property
    def streams_open(self) -> int:
        """Return how many streams are under way now."""
        return self._open

    def stop(self) -> None:
        """Send nothing more; what is under way is answered first."""
        self._stop.set()

    def run(self) -> None:
        """Send until stopped; returns when everything is answered."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        import httpx

        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=300)
        clients = [
            httpx.AsyncClient(
                base_url=self.plan.url,
                headers={"Authorization": f"Bearer {self.plan.key}"},
                limits=limits,
                timeout=ANSWER_WITHIN_S,
                trust_env=False,
            )
            for _ in range(self.plan.clients + (self.plan.streams if self.plan.stream_model else 0))
        ]
        short, long = clients[: self.plan.clients], clients[self.plan.clients :]
        pauses = self.plan.pauses_s
        try:
            await asyncio.gather(
                *(self._ask_again(each, pauses[i % len(pauses)]) for i, each in enumerate(short)),
                *(self._stream_again(each) for each in long),
            )
        finally:
            for each in clients:
                await each.aclose()

    async def _ask_again(self, client: httpx.AsyncClient, pause_s: float) -> None:
        while not self._stop.is_set():
            await self._noted("request", self._ask(client))
            await asyncio.sleep(pause_s)

    async def _stream_again(self, client: httpx.AsyncClient) -> None:
        while not self._stop.is_set():
            self._open += 1
            try:
                await self._noted("stream", self._stream(client))
            finally:
                self._open -= 1

    async def _noted(self, kind: str, request: Any) -> None:
        import httpx

        began = time.monotonic()
        answer, trouble = "", ""
        try:
            answer = await request
        except (httpx.HTTPError, ValueError, LookupError) as error:
            trouble = f"{type(error).__name__}: {error}"
        self.sent.append(Sent(began=began, ended=time.monotonic(), kind=kind, answer=answer, trouble=trouble))

    def _body(self, model: str, max_tokens: int, **more: object) -> dict[str, object]:
        return {
            "model": model,
            "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": max_tokens,
            **more,
        }

    async def _ask(self, client: httpx.AsyncClient) -> str:
        answer = await client.post(
            "/v1/chat/completions", json=self._body(self.plan.model, self.plan.max_tokens)
        )
        if not answer.is_success:
            raise ValueError(f"status {answer.status_code}: {answer.text[:200]}")
        return str(answer.json()["choices"][0]["message"]["content"])

    async def _stream(self, client: httpx.AsyncClient) -> str:
        assert self.plan.stream_model is not None
        body = self._body(self.plan.stream_model, self.plan.stream_tokens, stream=True)
        async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            if not answer.is_success:
                raise ValueError(f"status {answer.status_code}: {(await answer.aread())[:200]!r}")
            lines = [line async for line in answer.aiter_lines() if line]
        if not lines or lines[-1] != "data: [DONE]":
            end = lines[-1][:200] if lines else "nothing"
            raise ValueError(f"the stream was cut after {len(lines)} lines, the last: {end}")
        return "[DONE]"


@contextmanager
def under_load(plan: LoadPlan, *, on_end: Callable[[Load], None] | None = None) -> Iterator[Load]:
    """Run a load beside the block; it has ended when the block is left."""
    load = Load(plan)
    thread = threading.Thread(target=load.run, name="load")
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join()
        if on_end is not None:
            on_end(load)
