"""The real gateway under its supervisor, for tests that treat it badly."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from pytest_aibackend.serving.state import GatewayNote, StateDir, WorkerNote, WorkerState, sha256
from tests.fakes.ports import free_port
from tests.waiting import wait_until

# With the last, `make coverage` measures the gateway's processes, too.
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "COVERAGE_PROCESS_CONFIG")
ROOT = Path(__file__).parents[2]
WORKERS = 2


def configuration(answer: str, *, provider: str = "http://127.0.0.1:9/v1", **more: Any) -> bytes:
    """Return a deployed file on which the gateway answers a chat with this text, without asking a provider.

    A route `slow-N` leads to the provider's model of that name.
    """
    params = {"api_base": provider, "api_key": "not-needed"}
    chat = {"model": "openai/x", **params, "mock_response": answer}
    listed = [{"model_name": "chat", "litellm_params": chat}]
    listed += [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", **params}}
        for name in ("slow-4", "slow-8")
    ]
    settings = {"master_key": "os.environ/LITELLM_MASTER_KEY"}
    document = {"model_list": listed, "general_settings": settings, **more}
    return yaml.safe_dump(document, sort_keys=False).encode()


class Served:
    """One gateway: its files, its processes, and what a person may do to it."""

    def __init__(self, folder: Path, file: Path, state: StateDir, *, grace_s: int) -> None:
        self.file = file
        self.state = state
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = f"sk-test-{secrets.token_hex(12)}"
        self.pidfile = folder / "gateway.pid"
        self.log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.more: dict[str, str] = {}  # environment of its own
        self._folder = folder
        self._grace_s = grace_s

    # -- the process

    def command(self, *options: str) -> list[str]:
        """Return the command line that `aibackend serve` becomes."""
        command = [sys.executable, "-m", "pytest_aibackend.serving", "--file", str(self.file)]
        command += ["--state", str(self.state.path), "--port", str(self.port), "--workers", str(WORKERS)]
        return [*command, "--pidfile", str(self.pidfile), "--grace", str(self._grace_s), *options]

    def environment(self) -> dict[str, str]:
        """Return a small environment of its own: nothing of the caller's keys reaches the gateway."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        own = {"LITELLM_MASTER_KEY": self.key, "LITELLM_MODE": "PRODUCTION", "NO_PROXY": "*"}
        return {**kept, **own, "PYTHONPATH": str(ROOT), **self.more}

    def start(self) -> None:
        """Start it, and go on at once."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment(),
                cwd=self._folder,
            )

    def stop(self, within_s: float = 30.0) -> int:
        """Stop it as a service manager does; return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        return self.process.wait(within_s)

    def kill_all(self) -> None:
        """End whatever is left of it."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def processes(self) -> list[psutil.Process]:
        """Return every process of this gateway, found by its state directory."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                told = [*process.cmdline(), process.environ().get("AIBACKEND_GATEWAY_STATE", "")]
                if str(self.state.path) in told:
                    found.append(process)
        return found

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def note(self) -> GatewayNote:
        note = self.state.gateway_note()
        assert note is not None, self.tail()
        return note

    @property
    def master(self) -> int:
        """Return the pid of gunicorn's master."""
        master = self.note.master
        assert master is not None
        return master

    # -- what people do

    def deploy(self, raw: bytes | None) -> None:
        """Write the deployed file as an editor or cp does; None removes it."""
        if raw is None:
            self.file.unlink(missing_ok=True)
        else:
            self.file.write_bytes(raw)

    def deploy_approved(self, raw: bytes) -> None:
        """Do what a reload does before its signal."""
        self.state.approve(sha256(raw))
        self.deploy(raw)

    def keep(self, raw: bytes) -> None:
        """Do what a reload does at its end."""
        self.state.keep_verified(raw, by="reload")
        self.state.withdraw_approval()

    def hup(self) -> None:
        """Do what `ExecReload` does."""
        os.kill(self.pid, signal.SIGHUP)

    # -- what is seen

    def serves(self, raw: bytes) -> bool:
        """Say whether all workers serve these bytes, and nobody others."""
        serving = [note for note in self.state.worker_notes() if note.serves]
        ready = [note for note in serving if note.state is WorkerState.READY]
        return len(ready) == WORKERS and {note.sha256 for note in serving} == {sha256(raw)}

    def wait_serving(self, raw: bytes, within_s: float = 60.0) -> None:
        """Wait until all workers serve these bytes, and nobody others."""
        self.wait(lambda: self.serves(raw), "the workers serve it", within_s)

    def verified_sha256(self) -> str:
        """Return the hash of the bytes that were verified last, "" for none."""
        note = self.state.verified()
        return note.sha256 if note is not None else ""

    def workers(self) -> set[int]:
        """Return the pids of the workers that serve."""
        return {note.pid for note in self.state.worker_notes() if note.state is WorkerState.READY}

    def failed(self) -> list[WorkerNote]:
        return self.state.failed_notes()

    def wait(self, true: Callable[[], object], what: str, within_s: float = 60.0) -> None:
        """Wait until something is so; fails with the end of the log."""
        try:
            wait_until(true, within_s)
        except AssertionError:
            raise AssertionError(f"not in time: {what}\n{self.tail()}") from None

    def answer(self) -> str:
        """Return what a chat is answered with, over a connection of its own."""
        body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.post(f"{self.url}/v1/chat/completions", headers=headers, json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])

    @contextlib.contextmanager
    def stream(self, model: str) -> Iterator[httpx.Response]:
        """Open a stream, and read its first piece."""
        body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": True}
        headers = {"Authorization": f"Bearer {self.key}"}
        where = f"{self.url}/v1/chat/completions"
        with httpx.stream("POST", where, headers=headers, json=body, timeout=60) as answer:
            assert answer.status_code == 200, answer.read()
            yield answer

    def logged(self, since: int = 0) -> str:
        """Return the log from a place on; `mark` says where it ends now."""
        return self.log.read_bytes()[since:].decode(errors="replace")

    def mark(self) -> int:
        return self.log.stat().st_size

    def tail(self, lines: int = 60) -> str:
        """Return the end of the log."""
        return "\n".join(self.logged().splitlines()[-lines:])


@contextlib.contextmanager
def served_gateway(
    folder: Path,
    first: bytes | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    grace_s: int = 15,
) -> Iterator[Served]:
    """Yield a gateway that is yet to be started; nothing of it outlives the block."""
    folder.mkdir(parents=True, exist_ok=True)
    served = Served(folder, folder / "litellm-unified.yaml", StateDir(folder / "state"), grace_s=grace_s)
    served.more.update(environment or {})
    if first is not None:
        served.deploy(first)
    try:
        yield served
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            served.stop()
        served.kill_all()
