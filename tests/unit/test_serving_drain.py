"""How a worker hands its connections on to its successor: two real uvicorns, of either protocol.

With LiteLLM, under load and with odd clients it is tried in tests/stack/test_reload_load.py.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_aibackend.serving.state import StateDir, WorkerState
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
# uvicorn takes httptools where that is installed; LiteLLM alone does not bring it.
PROTOCOLS = [
    "h11",
    pytest.param("httptools", marks=pytest.mark.skipif(not find_spec("httptools"), reason="not installed")),
]
REQUEST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
Start = Callable[..., "subprocess.Popen[bytes]"]
Connect = Callable[[], "Connection"]


class Connection:
    """A client that keeps its connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, timeout=20)
        self._lines = self._socket.makefile("rb")

    def send(self, raw: bytes) -> None:
        self._socket.sendall(raw)

    def answer(self) -> tuple[int, bool]:
        """Return the pid of who answered, and whether it was the last answer here."""
        status = self._lines.readline()
        assert status == b"HTTP/1.1 200 OK\r\n"
        head = b"".join(iter(self._lines.readline, b"\r\n")).lower()
        length = next(
            int(line.split()[1]) for line in head.splitlines() if line.startswith(b"content-length")
        )
        return int(self._lines.read(length)), b"connection: close" in head

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "state")
    state.create()
    (tmp_path / "litellm.yaml").write_text("model_list: []\n")
    return state


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def start(tmp_path: Path, state: StateDir, listener: socket.socket) -> Iterator[Start]:
    """Start a worker of this generation, and wait until it serves."""
    started: list[subprocess.Popen[bytes]] = []

    def run(generation: int, protocol: str, *, change: str = "") -> subprocess.Popen[bytes]:
        imports = "from pytest_aibackend.serving import drain\nfrom tests.fakes.worker import main\n"
        command = [sys.executable, "-c", f"{imports}{change}\nmain()", protocol, str(listener.fileno())]
        environment = os.environ | {
            "AIBACKEND_GATEWAY_FILE": str(tmp_path / "litellm.yaml"),
            "AIBACKEND_GATEWAY_STATE": str(state.path),
            "AIBACKEND_GENERATION": str(generation),
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, pass_fds=[listener.fileno()])
        started.append(process)
        ready = (process.pid, WorkerState.READY)
        wait_until(lambda: ready in {(note.pid, note.state) for note in state.worker_notes()})
        return process

    yield run
    listener.close()  # as when the whole gateway stops: then nobody waits for successors
    for process in started:
        process.terminate()
        assert process.wait(60) == 0


@pytest.fixture
def connect(listener: socket.socket) -> Iterator[Connect]:
    made: list[Connection] = []

    def connection() -> Connection:
        made.append(Connection(listener.getsockname()))
        return made[-1]

    yield connection
    for each in made:
        each.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_connection_goes_on_with_the_successor(
    state: StateDir, start: Start, connect: Connect, protocol: str
) -> None:
    old = start(0, protocol)
    idle, begun, fresh = connect(), connect(), connect()
    for connection in (idle, begun):
        connection.send(REQUEST)
        assert connection.answer() == (old.pid, False)
    begun.send(REQUEST + REQUEST[:30])
    assert begun.answer() == (old.pid, False)

    new = start(1, protocol)
    old.send_signal(signal.SIGTERM)
    wait_until(lambda: old.pid not in {note.pid for note in state.worker_notes() if note.serves})
    for connection in (idle, fresh):
        connection.send(REQUEST)
        assert connection.answer() == (new.pid, False)
    begun.send(REQUEST[30:])
    # What httptools has read of a request stays with it; h11 tells, and it goes along.
    assert begun.answer()[0] == (new.pid if protocol == "h11" else old.pid)
    begun.send(REQUEST)
    assert begun.answer() == (new.pid, False)
    assert old.wait(60) == 0
    idle.send(REQUEST)
    assert idle.answer() == (new.pid, False)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_nobody_takes_is_answered_here_and_closed(
    state: StateDir, start: Start, connect: Connect, protocol: str
) -> None:
    old = start(0, protocol, change="drain.HAND_ON_WITHIN_S = 0.3")
    waiting = connect()
    waiting.send(REQUEST)
    assert waiting.answer() == (old.pid, False)
    new = start(1, protocol)
    inbox = state.workers / f"{new.pid}.sock"
    wait_until(inbox.exists)
    inbox.unlink()
    old.send_signal(signal.SIGTERM)
    wait_until(lambda: old.pid not in {note.pid for note in state.worker_notes() if note.serves})
    waiting.send(REQUEST)
    assert waiting.answer() == (old.pid, True)
    assert old.wait(60) == 0


def test_a_worker_that_is_one_too_many_hands_on_to_its_equals(
    state: StateDir, start: Start, connect: Connect
) -> None:
    """As when gunicorn is told to run one worker fewer, or a worker is told to go by somebody else."""
    one, other = start(0, "h11", change="drain.SUCCESSORS_APPEAR_WITHIN_S = 0.1"), start(0, "h11")
    connections = [connect() for _ in range(4)]
    for number, going in ((signal.SIGTERM, one), (signal.SIGINT, start(0, "h11"))):
        for connection in connections:
            connection.send(REQUEST)
            assert connection.answer()[1] is False
        going.send_signal(number)
        assert going.wait(60) == 0
    for connection in connections:
        connection.send(REQUEST)
        assert connection.answer() == (other.pid, False)
    assert [note.pid for note in state.worker_notes()] == [other.pid]


def test_a_hand_over_that_goes_wrong_is_a_plain_stop(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    broken = start(
        0,
        "h11",
        change="async def run(*_):\n    raise OSError('odd')\ndrain.Drain.run = run",
    )
    broken.send_signal(signal.SIGTERM)
    assert broken.wait(60) == 0
    assert "draining went wrong, falling back to a plain stop: OSError('odd')" in capfd.readouterr().err
