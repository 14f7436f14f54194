"""The supervisor beside a LiteLLM that does as the test says: what it does when that fails, what it says.

With the real LiteLLM it is tried in tests/stack/test_serving_bypass.py.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_aibackend.serving.state import StateDir, sha256
from tests.fakes.ports import free_port

ROOT = Path(__file__).parents[2]
RAW = b"model_list: []\n"
# The supervisor with short times, on a program in LiteLLM's place.
SUPERVISOR = """
import sys
from pytest_aibackend.serving import settings, supervisor
supervisor.FIRST_PAUSE_S, supervisor.BOOT_WITHIN_S = {times}
supervisor.TICK_S, supervisor.PORT_FREE_WITHIN_S = 0.02, 0.2
supervisor.command_of = lambda settings, path: [sys.executable, "-c", {program!r}]
import os
sys.exit(supervisor.Supervisor(settings.parse(sys.argv[1:]), os.environ).run())
"""
# It is one worker, too: it says that it serves, and ends when it is told to.
LITELLM = """
import os, signal, sys, time
from pathlib import Path
from pytest_aibackend.serving.state import StateDir, WorkerNote, WorkerState, process_start
folder = Path(os.environ["AIBACKEND_GATEWAY_STATE"])
state, me = StateDir(folder), os.getpid()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
starts = folder.parent / "starts"
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
def serve(groups=1):
    state.note_worker(WorkerNote(
        pid=me, start=process_start(me), started=time.monotonic(), master=me, state=WorkerState.READY,
        sha256="0" * 64, source="deployed", groups=groups))
"""
SERVES = LITELLM + "serve()\nsignal.pause()\n"
SERVES_ONCE = LITELLM + "serve() if starts.read_text() == 'x' else sys.exit(5)\nsignal.pause()\n"
Start = Callable[..., "Gateway"]


class Gateway:
    """A supervisor that runs."""

    def __init__(self, folder: Path, code: str, port: int, *options: str) -> None:
        self.state = StateDir(folder / "state")
        self.file = folder / "litellm.yaml"
        self.file.write_bytes(RAW)
        command = [sys.executable, "-c", code, "--file", str(self.file), "--state", str(self.state.path)]
        self.process = subprocess.Popen(
            [*command, "--port", str(port), "--workers", "1", *options],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""

    def hear(self, words: str) -> str:
        """Wait until it says a line with these words; return the line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if words in line:
                return line
        raise AssertionError(f"{words!r} was not said:\n{self.said}")

    def kill_litellm(self) -> None:
        note = self.state.gateway_note()
        assert note is not None
        assert note.master is not None
        os.kill(note.master, signal.SIGKILL)

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        if number is not None:
            self.process.send_signal(number)
        self.said += self.process.communicate(timeout=30)[1]
        return self.process.returncode


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Gateway] = []

    def run(
        program: str, *options: str, port: int = 0, pause_s: float = 0.1, boot_s: float = 60.0
    ) -> Gateway:
        code = SUPERVISOR.format(times=(pause_s, boot_s), program=program)
        started.append(Gateway(tmp_path, code, port or free_port(), *options))
        return started[-1]

    yield run
    for gateway in started:
        gateway.process.kill()
        gateway.process.communicate()


def test_without_a_pid_file_it_starts_reloads_and_stops(start: Start) -> None:
    gateway = start(SERVES)
    gateway.hear("LiteLLM is ready after")
    verified = gateway.state.verified()
    assert verified is not None
    assert (verified.sha256, verified.by) == (sha256(RAW), "gateway")
    gateway.file.unlink()
    (gateway.state.path / "verified.json").unlink()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.hear("cannot be read (No such file or directory), and no verified copy is kept")
    gateway.hear("reload REFUSED: there is nothing to serve")
    assert gateway.end() == 0
    assert gateway.state.gateway_note() is None


def test_a_file_that_serves_no_group_is_not_adopted(start: Start) -> None:
    gateway = start(SERVES.replace("serve()\n", "serve(groups=0)\n"))
    gateway.hear("LiteLLM is ready after")
    assert gateway.end() == 0
    assert gateway.state.verified() is None


def test_a_litellm_that_hangs_in_its_first_start_is_given_up(start: Start) -> None:
    gateway = start(LITELLM + "signal.pause()\n", boot_s=1.0)
    assert gateway.end(None) == 1
    assert f"error: LiteLLM does not start on {gateway.file}: it was not ready within 1 s" in gateway.said


def test_a_litellm_that_comes_up_no_more_is_started_until_it_is_told_to_stop(start: Start) -> None:
    gateway = start(SERVES_ONCE, pause_s=0.2)
    gateway.hear("LiteLLM is ready after")
    gateway.kill_litellm()
    gateway.hear("LiteLLM was killed by SIGKILL; starting it again in ")
    for _ in range(2):
        gateway.hear("LiteLLM does not start: it ended with status 5; starting it again in ")
    assert gateway.end() == 0
    assert "stopping" in gateway.said


def test_a_pause_ends_when_it_is_told_to_stop(start: Start) -> None:
    gateway = start(SERVES, pause_s=25.0)
    gateway.hear("LiteLLM is ready after")
    gateway.kill_litellm()
    gateway.hear("LiteLLM was killed by SIGKILL; starting it again in 25 s")
    began = time.monotonic()
    assert gateway.end() == 0
    assert time.monotonic() - began < 20


def test_a_signal_without_a_name_is_told_by_its_number(start: Start) -> None:
    gateway = start(LITELLM + "os.kill(me, 40)\n")
    assert gateway.end(None) == 1
    assert "it was killed by signal 40" in gateway.said


def test_a_port_that_is_taken_meanwhile_is_waited_for(start: Start) -> None:
    port = free_port()
    gateway = start(SERVES, port=port)
    gateway.hear("LiteLLM is ready after")
    with socket.create_server(("127.0.0.1", port)):
        gateway.process.send_signal(signal.SIGUSR1)
        gateway.hear("asked to by SIGUSR1; starting it again")
        gateway.hear(f"127.0.0.1:{port} cannot be listened on: Address already in use")
    gateway.hear("LiteLLM is ready after")
    assert gateway.end() == 0


@pytest.mark.parametrize("place", ["state", "state/gateway/gateway.json"])
def test_a_state_directory_that_cannot_be_written(start: Start, tmp_path: Path, place: str) -> None:
    """Without the directory there is no gateway; without its note it serves all the same."""
    in_the_way = tmp_path / place
    if place == "state":
        in_the_way.write_text("")
        gateway = start(SERVES)
        assert gateway.end(None) == 2
        assert gateway.said == f"aibackend serve: error: {in_the_way}: File exists\n"
    else:
        (in_the_way / "x").mkdir(parents=True)
        gateway = start(SERVES)
        gateway.hear("the note of this gateway cannot be written: Is a directory")
        gateway.hear("LiteLLM is ready after")
        assert gateway.end() == 0


def test_a_pid_file_of_another_is_left_alone(start: Start, tmp_path: Path) -> None:
    pidfile = tmp_path / "run" / "gateway.pid"
    gateway = start(SERVES, "--pidfile", str(pidfile))
    gateway.hear("LiteLLM is ready after")
    assert pidfile.read_text() == f"{gateway.process.pid}\n"
    pidfile.write_text("1\n")
    assert gateway.end() == 0
    assert pidfile.read_text() == "1\n"
