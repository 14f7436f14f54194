"""What all stand-ins share: a real HTTP server on a free port that remembers what it was asked.

Faults are set from outside, for all requests or for the next few: `server.fail("500")`, `server.fail("hang",
times=1)`, `server.heal()`. They concern completions only unless `everything=True`, since a provider whose
engine is broken goes on listing its models.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

FAULTS = ("500", "429", "503", "hang", "close", "garbage")


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request, as it came in."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: Any = None  # parsed JSON, or None

    @property
    def model(self) -> str | None:
        model = self.body.get("model") if isinstance(self.body, dict) else None
        return model if isinstance(model, str) else None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer: a body, or pieces of a stream."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] | None = None  # sent in chunks, one after the other
    pause_s: float = 0.0  # between the pieces


def as_json(value: Any, status: int = 200, content_type: str = "application/json") -> Reply:
    return Reply(
        status=status,
        body=json.dumps(value, separators=(",", ":")).encode(),
        content_type=content_type,
    )


class FakeServer:
    """A server in a thread. Use it as a context manager; `url` says where it is."""

    banner: ClassVar[str | None] = None  # the Server header

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1", name: str | None = None) -> None:
        self.host = host
        self.port = port
        self.name = name or type(self).__name__
        self.requests: list[Received] = []
        self.closing = threading.Event()
        self.delay_s = 0.0
        self._fault: str | None = None
        self._fault_times: int | None = None
        self._fault_everything = False
        self._lock = threading.Lock()
        self._http: _Http | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def fail(self, fault: str, *, times: int | None = None, everything: bool = False) -> None:
        assert fault in FAULTS, fault
        with self._lock:
            self._fault, self._fault_times, self._fault_everything = fault, times, everything

    def heal(self) -> None:
        with self._lock:
            self._fault = None

    def models_asked(self) -> list[str]:
        """The models of the completions that were asked for, in order."""
        return [each.model for each in self.requests if each.method == "POST" and each.model is not None]

    def reply(self, request: Received) -> Reply:
        raise NotImplementedError

    def fault_reply(self, status: int) -> Reply:
        """The error body of this kind of server."""
        return as_json({"error": f"injected fault {status}"}, status)

    def is_work(self, request: Received) -> bool:
        """Whether faults concern this request."""
        return request.method == "POST"

    def _take_fault(self, request: Received) -> str | None:
        with self._lock:
            if self._fault is None or not (self._fault_everything or self.is_work(request)):
                return None
            fault = self._fault
            if self._fault_times is not None:
                self._fault_times -= 1
                if self._fault_times <= 0:
                    self._fault = None
            return fault

    def __enter__(self) -> Self:
        self._http = _Http((self.host, self.port), self)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        assert self._http is not None
        self._http.shutdown()
        self._http.server_close()
        self._http.drop_connections()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], fake: FakeServer) -> None:
        self.fake = fake
        self._sockets: set[Any] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the game."""

    def drop_connections(self) -> None:
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep quiet."""

    def version_string(self) -> str:
        return self.server.fake.banner or ""

    def _serve(self) -> None:
        fake = self.server.fake
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        request = Received(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        fake.requests.append(request)
        if fake.delay_s:
            fake.closing.wait(fake.delay_s)
        fault = fake._take_fault(request)
        if fault == "hang":
            fake.closing.wait()
        if fault in ("hang", "close"):
            self.close_connection = True
            return
        if fault == "garbage":
            self._send(Reply(body=b"\x00\xff not what you asked for"))
            return
        self._send(fake.fault_reply(int(fault)) if fault else fake.reply(request))

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = do_OPTIONS = _serve  # noqa: N815  # the base class calls them so

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        if self.version_string():
            self.send_header("Server", self.version_string())
        self.send_header("Date", self.date_time_string())
        if reply.content_type:
            self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.pieces is None:
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in reply.pieces:
            if self.server.fake.closing.is_set():
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            if reply.pause_s:
                time.sleep(reply.pause_s)
        self.wfile.write(b"0\r\n\r\n")
