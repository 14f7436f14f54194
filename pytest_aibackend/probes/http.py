"""Ask one server over HTTP, within a deadline, and take no more than a bounded answer."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin

from pytest_aibackend.probes.observations import State
from pytest_aibackend.probes.redact import clean_text, redact_url
from pytest_aibackend.probes.trouble import HANG_UPS, explain
from pytest_aibackend.probes.urls import BaseUrl

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["MAX_BODY", "SLOW_SHARE", "Answer", "Budget", "HttpAsker", "get_json"]

MAX_BODY = 4 * 1024 * 1024  # bytes; the longest list of models seen (a cloud broker's) has 0.7 MB
SLOW_SHARE = 0.5  # of the timeout: an answer that takes longer is slow


class Budget:
    """The one time budget of a run, and what its probes share."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.deadline = asyncio.get_running_loop().time() + timeout_s
        self._ssl: ssl.SSLContext | None = None

    @property
    def left_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline - asyncio.get_running_loop().time())

    def is_slow(self, latency_s: float) -> bool:
        """Tell whether an answer that took so many seconds was slow."""
        return latency_s > SLOW_SHARE * self.timeout_s

    def ssl_context(self, *, https: bool) -> ssl.SSLContext:
        """Return the context to verify servers with: SSL_CERT_FILE and SSL_CERT_DIR are heeded.

        Reading the certificates takes 20 ms, so it is done once, and only if some target needs it.
        """
        if not https:
            import ssl

            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._ssl is None:
            import httpx

            self._ssl = httpx.create_ssl_context()
        return self._ssl


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer, or why there was none."""

    path: str  # as asked, below the server's root
    state: State  # ok for any status of 2xx; what the body means is for others to say
    detail: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    latency_s: float = 0.0
    location: str | None = None  # of a redirect, redacted

    @property
    def is_ok(self) -> bool:
        """Tell whether a complete answer with a status of 2xx came."""
        return self.state is State.OK

    @property
    def is_hung_up(self) -> bool:
        """Tell whether the connection was made, and closed without an answer."""
        return self.detail in HANG_UPS

    @property
    def text(self) -> str:
        """The body as text, whatever its bytes."""
        return self.body.decode("utf-8", "replace")


def get_json(answer: Answer) -> Any:
    """Return the body's JSON value, or None when it has none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


class HttpAsker:
    """A client for one server: one connection that is kept, no cookies or keys shared with other servers."""

    def __init__(self, base: BaseUrl, budget: Budget, *, headers: dict[str, str], keep: bool = True) -> None:
        self._base = base
        self._budget = budget
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "pytest-aibackend-probe", **headers}
        self._keep = keep
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        import httpx

        self._client = httpx.AsyncClient(
            headers=self._headers,
            verify=self._budget.ssl_context(https=self._base.is_https),
            timeout=None,  # noqa: S113  # the budget's deadline rules
            follow_redirects=False,
            trust_env=not self._base.is_local,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None if self._keep else 0),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        json_body: object = None,
    ) -> Answer:
        """Send one request and return what came of it, at the latest when the budget is used up."""
        import httpx

        path = url.removeprefix(self._base.origin) or "/"
        begin = time.perf_counter()
        status: int | None = None
        try:
            async with asyncio.timeout_at(self._budget.deadline):
                status, answer_headers, body = await self._exchange(method, url, headers, json_body)
        except TimeoutError:
            return self._failed(path, begin, State.TIMEOUT, self._timeout_words())
        except _TooLargeError as error:
            return self._failed(path, begin, State.BAD_RESPONSE, str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, zlib.error) as error:
            state, words = explain(error)
            return self._failed(path, begin, state, words)
        except (UnicodeError, ValueError):
            # The message may repeat a header, and with it a key.
            return self._failed(path, begin, State.BAD_URL, "the request cannot be put into HTTP")
        latency = time.perf_counter() - begin
        state, detail = _judge_status(status)
        location = None
        if state is State.REDIRECTED:
            location = redact_url(urljoin(url, answer_headers.get("location", "")))
            detail = f"it answers with a redirect ({status}) to {location}, which is not followed"
        return Answer(
            path=path,
            state=state,
            detail=detail,
            status=status,
            headers=answer_headers,
            body=body,
            latency_s=latency,
            location=location,
        )

    async def _exchange(
        self, method: str, url: str, headers: dict[str, str] | None, json_body: object
    ) -> tuple[int, dict[str, str], bytes]:
        assert self._client is not None, "used outside its async with"
        async with self._client.stream(method, url, headers=headers, json=json_body) as response:
            encoding = response.headers.get("content-encoding", "identity").lower()
            unpack = _unpacker(encoding)
            body = bytearray()
            async for chunk in response.aiter_raw(65536):
                body += unpack(chunk, MAX_BODY + 1 - len(body))
                if len(body) > MAX_BODY:
                    raise _TooLargeError
            return response.status_code, dict(response.headers.items()), bytes(body)

    def _timeout_words(self) -> str:
        return f"no complete answer within {self._budget.timeout_s:g} s"

    @staticmethod
    def _failed(path: str, begin: float, state: State, detail: str) -> Answer:
        return Answer(path=path, state=state, detail=detail, latency_s=time.perf_counter() - begin)


class _TooLargeError(Exception):
    def __str__(self) -> str:
        return f"its answer is larger than {MAX_BODY // 1024 // 1024} MiB, the rest was not read"


def _unpacker(encoding: str) -> Any:
    """Return a function (chunk, room) that unpacks, and never to more than `room` bytes: no zip bombs."""
    if encoding in ("gzip", "x-gzip", "deflate"):
        stream = zlib.decompressobj(wbits=47 if "gzip" in encoding else 15)
        return lambda chunk, room: stream.decompress(chunk, max(room, 1))
    return lambda chunk, _room: chunk


def _judge_status(status: int) -> tuple[State, str]:
    if 200 <= status < 300:
        return State.OK, "ok"
    if 300 <= status < 400:
        return State.REDIRECTED, ""
    if status == 401:
        return State.UNAUTHORISED, "it answers 401: the key is missing or wrong"
    if status == 403:
        return State.UNAUTHORISED, "it answers 403: this key, or this caller, is not allowed"
    if status == 407:
        return State.UNAUTHORISED, "it answers 407: a proxy on the way wants to be logged in to"
    if status == 429:
        return State.RATE_LIMITED, "it answers 429: too many requests"
    return State.BAD_RESPONSE, f"it answers {status}"


def quote_body(answer: Answer, *, longest: int = 120) -> str:
    """Return the beginning of a body, fit to be shown."""
    return clean_text(answer.text[: longest * 4], longest=longest)
