"""The notes of a gateway, in the name of real processes that do nothing: for what a real one rarely shows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_aibackend.serving.state import (
    GatewayNote,
    StateDir,
    WorkerNote,
    WorkerState,
    process_start,
    sha256,
)


@dataclass(frozen=True, kw_only=True)
class Sleepers:
    """A supervisor and workers that sleep, and what they say of themselves."""

    state: StateDir
    file: Path
    pids: tuple[int, ...]  # the supervisor's first

    def say(self, *workers: tuple[WorkerState, bytes], wanted: int = 2, **gateway: Any) -> None:
        """Write the notes: one worker for each state and bytes."""
        self.state.note_gateway(
            GatewayNote(
                **{
                    "pid": self.pids[0],
                    "start": process_start(self.pids[0]),
                    "master": self.pids[0],
                    "workers": wanted,
                    "host": "127.0.0.1",
                    "port": 4000,
                    "file": str(self.file),
                    **gateway,
                }
            )
        )
        for place, (state, raw) in enumerate(workers, start=1):
            # One that failed is gone; its note stays.
            pid = 2**22 + place if state is WorkerState.FAILED else self.pids[place]
            note = WorkerNote(
                pid=pid,
                start=process_start(pid),
                started=time.monotonic() + place,
                master=self.pids[0],
                state=state,
                sha256=sha256(raw),
                source="deployed",
                reason="api_key: sk-0123456789abcdef is no good" if state is WorkerState.FAILED else "",
                groups=1,
                connections=3 if state is WorkerState.DRAINING else 0,
            )
            self.state.note_worker(note)


@contextmanager
def sleepers(state_dir: Path, file: Path, count: int = 4) -> Iterator[Sleepers]:
    """Yield processes in whose name notes can be written."""
    state = StateDir(state_dir)
    state.create()
    with ExitStack() as stack:
        processes = []
        for _ in range(count):
            command = [sys.executable, "-c", "import time; time.sleep(600)"]
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.kill)
            processes.append(process)
        yield Sleepers(state=state, file=file, pids=tuple(process.pid for process in processes))
