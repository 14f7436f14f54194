"""What a worker says of itself when its start goes wrong, and what it does where it has not all it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from pytest_aibackend.serving import worker as workers
from pytest_aibackend.serving.choice import DEPLOYED, Choice
from pytest_aibackend.serving.connection import is_idle, serve
from pytest_aibackend.serving.drain import Drain
from pytest_aibackend.serving.state import StateDir, WorkerState, process_start, write_private
from pytest_aibackend.serving.worker import Worker

PROXY = "litellm.proxy.proxy_server"


class Ended(BaseException):
    """The process would have ended."""


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "state")
    state.create()
    return state


@pytest.fixture
def worker(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> Worker:
    def end(status: int) -> NoReturn:
        raise Ended(status)

    monkeypatch.setattr(workers, "_exit", end)
    return Worker(state, Choice(path=Path("f"), sha256="0" * 64, source=DEPLOYED))


def server(*, error: bool = False) -> Any:
    return SimpleNamespace(lifespan=SimpleNamespace(error_occurred=error))


def test_a_litellm_that_only_seems_to_have_started_is_ended(state: StateDir, worker: Worker) -> None:
    with pytest.raises(Ended, match="1"):
        worker.is_up(server(error=True))
    (note,) = state.failed_notes()
    assert (note.pid, note.reason) == (os.getpid(), "LiteLLM ended during its start")


def test_a_start_that_hangs_is_ended(
    state: StateDir, worker: Worker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "BOOT_WITHIN_S", 0.0)
    with pytest.raises(Ended, match="1"):
        worker._end_hanging_start()
    (note,) = state.failed_notes()
    assert note.reason == "it was not ready within 0 s; the log says where it hangs"
    assert "_end_hanging_start" in capfd.readouterr().err, "the log says it"


@pytest.mark.parametrize(
    ("proxy", "groups"),
    [
        (None, -1),
        (SimpleNamespace(), -1),
        (SimpleNamespace(llm_router=None), 0),
        (SimpleNamespace(llm_router=SimpleNamespace(model_list=None)), 0),
        (SimpleNamespace(llm_router=SimpleNamespace(model_list=[{"model_name": "a"}] * 2 + ["b"])), 1),
    ],
)
def test_the_model_groups_are_counted(
    state: StateDir, worker: Worker, monkeypatch: pytest.MonkeyPatch, proxy: object, groups: int
) -> None:
    monkeypatch.setitem(sys.modules, PROXY, proxy)
    worker.is_up(server())
    (note,) = state.worker_notes()
    assert (note.state, note.groups) == (WorkerState.READY, groups)


def test_a_worker_without_a_place_for_its_notes_serves_all_the_same(
    state: StateDir, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    state.workers.rmdir()
    worker.is_up(server())
    Drain(state, worker.tell, lambda: worker.note).receive(server())
    first, second = caplog.messages
    assert first.startswith("aibackend: the note of this worker cannot be written: [Errno 2] No such file")
    assert second.startswith("aibackend: this worker cannot take connections over: [Errno 2] No such file")


def test_a_connection_that_is_lost_on_the_way_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def broken(**_: Any) -> None:
        raise OSError(9, "Bad file descriptor")

    ours, theirs = socket.socketpair()
    server = SimpleNamespace(
        config=SimpleNamespace(http_protocol_class=broken),
        server_state=None,
        lifespan=SimpleNamespace(state={}),
    )
    asyncio.run(serve(server, ours.detach(), b""))
    assert theirs.recv(1) == b"", "the client sees that it is closed"
    theirs.close()
    assert caplog.messages == [
        "aibackend: a connection that was handed on is lost: [Errno 9] Bad file descriptor"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_websocket_is_never_idle() -> None:
    assert not is_idle(SimpleNamespace(transport=None))


def test_where_there_is_no_proc_a_process_is_asked_for_by_a_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on macOS."""

    def absent(*_: Any, **_more: Any) -> str:
        raise FileNotFoundError

    def refuse(error: type[OSError]) -> Any:
        def refused(*_: Any, **_more: Any) -> None:
            raise error

        return refused

    monkeypatch.setattr(Path, "read_text", absent)
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert process_start(os.getpid()) == 1.0
    monkeypatch.setattr(os, "kill", refuse(PermissionError))
    assert process_start(1) == 1.0, "it is there, and somebody else's"
    monkeypatch.setattr(os, "kill", refuse(ProcessLookupError))
    assert process_start(1) == 0.0
    monkeypatch.setattr(Path, "exists", lambda _path: True)
    assert process_start(os.getpid()) == 0.0, "/proc would know it"
    monkeypatch.setattr(Path, "read_text", refuse(PermissionError))
    assert process_start(os.getpid()) == 0.0


def test_a_user_writes_what_is_his_own(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: int) -> None:
        raise AssertionError("only root changes owners")

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "fchown", never)
    write_private(state.path / "file", b"raw")
    assert (state.path / "file").read_bytes() == b"raw"
    assert (state.path / "file").stat().st_mode & 0o777 == 0o600
