"""The real LiteLLM proxy on a loopback port, for tests that ask it what a configuration does."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.fakes.ports import free_port

__all__ = ["Gateway", "GatewayError", "litellm_gateway"]

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")


class GatewayError(Exception):
    """LiteLLM did not come up; the text ends with the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A running proxy: where it is, and the key that it accepts."""

    url: str
    key: str
    log: Path
    pid: int

    @property
    def headers(self) -> dict[str, str]:
        """Return the header that lets a request in."""
        return {"Authorization": f"Bearer {self.key}"}

    def served(self) -> list[str]:
        """Return what `/v1/models` lists, sorted."""
        answer = httpx.get(f"{self.url}/v1/models", headers=self.headers, timeout=20, trust_env=False)
        answer.raise_for_status()
        return sorted(entry["id"] for entry in answer.json()["data"])

    def chat(self, model: str, *, text: str = "hello", **more: Any) -> httpx.Response:
        """Ask a model group one short question and return the whole answer, whatever its status."""
        body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
        url = f"{self.url}/v1/chat/completions"
        return httpx.post(url, headers=self.headers, json=body, timeout=60, trust_env=False)

    def tail(self, lines: int = 40) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def litellm_gateway(
    config_path: Path, env: Mapping[str, str] | None = None, *, timeout: float = 120, workers: int = 1
) -> Iterator[Gateway]:
    """Boot LiteLLM with a configuration file, yield it when it is ready, and stop it with all its children.

    `env` is added to a small environment of its own: nothing of the caller's keys reaches the proxy.
    `GatewayError` when it exits or is not ready in time.
    """
    key = f"sk-test-{secrets.token_hex(12)}"
    port = free_port()
    variables = {name: os.environ[name] for name in _KEPT if name in os.environ}
    variables |= {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MASTER_KEY": key,
        "LITELLM_MODE": "PRODUCTION",  # no .env file of the working directory
        "NO_PROXY": "*",
        "PYTHONUNBUFFERED": "1",
        **(env or {}),
    }
    key = variables["LITELLM_MASTER_KEY"]
    command = [
        sys.executable, "-c", "from litellm import run_server; run_server()", "--config", str(config_path),
        "--host", "127.0.0.1", "--port", str(port), "--num_workers", str(workers),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="litellm-") as folder:
        log = Path(folder, "gateway.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=variables, cwd=folder, start_new_session=True,
            )  # fmt: skip
        gateway = Gateway(url=f"http://127.0.0.1:{port}", key=key, log=log, pid=process.pid)
        try:
            _wait_until_ready(process, gateway, timeout)
            yield gateway
        finally:
            _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], gateway: Gateway, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise GatewayError(f"LiteLLM exited with status {process.returncode}:\n{gateway.tail()}")
        try:
            if httpx.get(f"{gateway.url}/health/readiness", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.2)
    raise GatewayError(f"LiteLLM was not ready after {timeout:g} s:\n{gateway.tail()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.wait(5)
