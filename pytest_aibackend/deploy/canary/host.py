"""The process that holds LiteLLM ready, as its client sees it: `serving/canary.py` says what is spoken."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_aibackend import serving

__all__ = ["Host", "HostError"]

PROGRAM: Final = Path(serving.__file__).with_name("canary.py")
READ_BYTES: Final = 65536
CLOSE_S: Final = 10.0


class HostError(Exception):
    """The host cannot do what it is there for; the text says why."""


class Host:
    """One running host; what it is given and writes lies in a private directory that goes with it."""

    def __init__(self, python: str, environment: Mapping[str, str]) -> None:
        """Start the process, which loads LiteLLM; raises HostError."""
        self.is_ready = False
        self.directory = Path(tempfile.mkdtemp(prefix="aibackend-canary-"))
        self._log = self.directory / "host.log"
        self._text = b""
        try:
            with self._log.open("wb") as log:
                # By its path: nothing of our environment is put in the way of LiteLLM's.
                self._process = subprocess.Popen(
                    [python, str(PROGRAM), str(self.directory)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=dict(environment),
                    cwd=self.directory,
                    start_new_session=True,  # Ctrl-C in the terminal is the client's to handle
                )
        except (OSError, ValueError) as error:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise HostError(f"{python} cannot be started: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self._events = self._process.stdout.fileno()

    @property
    def is_alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def wait_ready(self, deadline: float, waiting: Callable[[], None]) -> None:
        """Wait until LiteLLM is loaded, calling `waiting` about once a second; raises HostError."""
        if self.is_ready:
            return
        while (event := self.next_event(min(1.0, deadline - time.monotonic()))) is None:
            if time.monotonic() >= deadline:
                raise HostError("LiteLLM was not loaded in time")
            waiting()
        if event["event"] == "broken":
            raise HostError(f"LiteLLM cannot be loaded: {event['error']}")
        self.is_ready = True

    def boot(
        self, config: Path, port: int, log: Path, *, names: Iterable[str], without: Iterable[str]
    ) -> dict[str, str | None]:
        """Have LiteLLM boot a file; return the variables of these names as it sees them. Raises HostError.

        Of variables that begin with one of `without` it sees nothing.
        """
        files = {"config": str(config), "log": str(log)}
        self._ask(do="boot", **files, port=port, names=[*names], without=[*without])
        values: dict[str, str | None] = self._expect("booting")["values"]
        return values

    def stop(self) -> None:
        """Have the child stopped, if there is one; raises HostError."""
        self._ask(do="stop")
        self._expect("stopped")

    def next_event(self, within_s: float) -> dict[str, Any] | None:
        """Return the next event, None if there is none in time; raises HostError if the host is gone."""
        deadline = time.monotonic() + within_s
        while b"\n" not in self._text:
            ready, _, _ = select.select([self._events], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            read = os.read(self._events, READ_BYTES)
            if not read:
                raise HostError(self._why_gone())
            self._text += read
        line, _, self._text = self._text.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    def close(self) -> None:
        """End the process and its child, and remove the directory."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # it stops its child, and goes
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                # The child reads that its host is gone, and ends itself with its group.
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process.stdout.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def _ask(self, **request: Any) -> None:
        try:
            os.write(self._requests, json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise HostError(self._why_gone()) from error

    def _expect(self, name: str) -> dict[str, Any]:
        while (event := self.next_event(CLOSE_S)) is not None:
            if event["event"] == name:
                return event
        raise HostError("the process that holds LiteLLM does not answer")

    def _why_gone(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        status = self._process.returncode
        if status == -signal.SIGKILL:
            return "LiteLLM was killed: out of memory, or somebody ended it"
        last = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        return f"LiteLLM cannot be loaded: its process ended with status {status}" + "".join(
            f" ({line})" for line in last
        )
