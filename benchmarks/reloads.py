"""How long a reload takes, beside what the gateway takes by itself for the same change."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_aibackend.serving.state import StateDir, WorkerState, sha256

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "embedded"
SERVES_WITHIN_S = 60.0


@contextmanager
def running_stack(folder: Path) -> Iterator[Path]:
    """The embedded stack on a copy of its example."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".aibackend"))
    _aibackend("up", folder, "--detach")
    try:
        yield folder
    finally:
        _aibackend("down", folder)


def time_reloads(folder: Path, rounds: int) -> tuple[float, float]:
    """Return the median seconds of a reload without canary, and of the gateway alone, taken in turns."""
    weights = itertools.count(100)
    reloads, alone = [], []
    for _ in range(rounds):
        _change(folder, next(weights))
        began = time.monotonic()
        _aibackend("reload", folder, "--yes", "--no-canary")
        reloads.append(time.monotonic() - began)
        _change(folder, next(weights))
        alone.append(_time_gateway(folder))
    return statistics.median(reloads), statistics.median(alone)


def _change(folder: Path, weight: int) -> None:
    path = folder / "model-mappings.yaml"
    changed = re.sub(r"weight: \S+", f"weight: 0.{weight}", path.read_text(encoding="utf-8"), count=1)
    path.write_text(changed, encoding="utf-8")


def _time_gateway(folder: Path) -> float:
    """Deploy by hand, and wait until every worker serves it and no old one answers."""
    _aibackend("generate", folder)
    state = StateDir(folder / ".aibackend" / "deploy")
    raw = (folder / "litellm-unified.yaml").read_bytes()
    gateway = state.gateway_note()
    assert gateway is not None
    state.approve(sha256(raw))
    began = time.monotonic()
    os.kill(gateway.pid, signal.SIGHUP)
    while not _is_served(state, sha256(raw), gateway.workers):
        assert time.monotonic() - began < SERVES_WITHIN_S, "the gateway did not take it up"
        time.sleep(0.01)
    seconds = time.monotonic() - began
    state.keep_verified(raw, by="reload")
    return seconds


def _is_served(state: StateDir, digest: str, workers: int) -> bool:
    serving = [note for note in state.worker_notes() if note.serves]
    ready = [note for note in serving if note.state is WorkerState.READY and note.sha256 == digest]
    return len(ready) >= workers and len(ready) == len(serving)


def _aibackend(command: str, folder: Path, *options: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_aibackend.cli", command, "--config", str(folder), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"benchmarks: aibackend {command} went wrong:\n{done.stdout}{done.stderr}")
