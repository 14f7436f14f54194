"""A small gateway for the tests of the reload: `python -m tests.fakes.serving --file F ...`.

It stands for `aibackend serve`: a pid file, SIGHUP loads the file again (only bytes that were verified or
approved, else those verified last), SIGUSR1 restarts it, `/health/liveliness`, `/health/readiness` and
`/v1/models` answer as LiteLLM does, and its notes are in the state directory. How it misbehaves is written
in what it loads: a model group of one of these names is a fault.

    fault-die         the port refuses, and its worker's note is gone, until it loads something else
    fault-stubborn    the same, for ever
    fault-exit        the whole process ends
    fault-hang        it answers nothing until it loads something else
    fault-old-list    it says that it has loaded it and goes on serving the former groups
    fault-ignore      it goes on with the former bytes
    fault-unready     /health/readiness answers 503
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from pytest_aibackend.serving.state import (
    GatewayNote,
    StateDir,
    WorkerNote,
    WorkerState,
    process_start,
    sha256,
)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


class Served:
    """What is served now."""

    def __init__(self, file: Path, state: StateDir, port: int) -> None:
        self.file = file
        self.state = state
        self.port = port
        self.groups: list[str] = []
        self.hangs = False
        self.is_stubborn = False
        self._http: Server | None = None

    def choose(self) -> tuple[bytes, str]:
        raw = self.file.read_bytes() if self.file.exists() else b""
        verified = self.state.verified()
        if verified is None or sha256(raw) in (verified.sha256, self.state.approved()):
            return raw, "deployed"
        return self.state.verified_file.read_bytes(), "verified"

    def load(self) -> None:
        raw, source = self.choose()
        data = yaml.safe_load(raw) or {}
        groups = [entry["model_name"] for entry in data.get("model_list", [])]
        if "fault-exit" in groups:
            os._exit(3)
        if self.is_stubborn or ("fault-ignore" in groups and self.groups):
            return
        self.is_stubborn = "fault-stubborn" in groups
        if self.is_stubborn or "fault-die" in groups:
            self.close()
            return
        self.hangs = "fault-hang" in groups
        if "fault-old-list" not in groups:
            self.groups = groups
        self.open()
        self.note(sha256(raw), source)

    def open(self) -> None:
        if self._http is None:
            self._http = Server(("127.0.0.1", self.port), handler(self, os.environ["LITELLM_MASTER_KEY"]))
            threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None
        self.state.forget_worker(os.getpid())

    def note(self, digest: str, source: str) -> None:
        pid = os.getpid()
        start = process_start(pid)
        self.state.note_gateway(
            GatewayNote(
                pid=pid,
                start=start,
                master=pid,
                workers=1,
                host="127.0.0.1",
                port=self.port,
                file=str(self.file),
            )
        )
        self.state.note_worker(
            WorkerNote(
                pid=pid,
                start=start,
                started=time.monotonic(),
                master=pid,
                state=WorkerState.READY,
                sha256=digest,
                source=source,
            )
        )


def handler(served: Served, key: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: in two, the second waits for an acknowledgement

        def do_GET(self) -> None:
            while served.hangs:
                time.sleep(0.05)
            path = self.path.partition("?")[0]
            if path == "/health/liveliness":
                self.answer(200, "I'm alive!")
            elif path == "/health/readiness":
                self.answer(503 if "fault-unready" in served.groups else 200, {"status": "healthy"})
            elif self.headers.get("Authorization") != f"Bearer {key}":
                self.answer(400, {"error": {"message": "No connected db."}})
            elif path == "/v1/models":
                self.answer(200, {"object": "list", "data": [{"id": name} for name in served.groups]})
            else:
                self.answer(404, {"detail": "Not Found"})

        def answer(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the base's own name
            pass

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pidfile", type=Path, required=True)
    arguments = parser.parse_args()
    state = StateDir(arguments.state)
    state.create()
    served = Served(arguments.file, state, arguments.port)
    reloads = threading.Semaphore(0)
    again = [sys.executable, "-m", "tests.fakes.serving", *sys.argv[1:]]
    signal.signal(signal.SIGHUP, lambda *_: reloads.release())
    signal.signal(signal.SIGUSR1, lambda *_: os.execv(sys.executable, again))
    served.load()
    arguments.pidfile.write_text(f"{os.getpid()}\n")
    while True:
        if reloads.acquire(timeout=0.05):
            served.load()


if __name__ == "__main__":
    main()
