"""The state directory as others may leave it: torn, damaged, foreign, of another version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.serving.state import (
    GatewayNote,
    StateDir,
    WorkerNote,
    WorkerState,
    is_alive,
    process_start,
    sha256,
)
from tests.waiting import wait_until

ME = os.getpid()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def worker_note(**changes: Any) -> WorkerNote:
    note: dict[str, Any] = {
        "pid": ME, "start": process_start(ME), "started": time.monotonic(), "master": os.getppid(),
        "state": WorkerState.READY, "sha256": "0" * 64, "source": "deployed", **changes,
    }  # fmt: skip
    return WorkerNote(**note)


def gateway_note(**changes: Any) -> GatewayNote:
    note: dict[str, Any] = {
        "pid": ME, "start": process_start(ME), "master": None, "workers": 2, "host": "127.0.0.1",
        "port": 4000, "file": "/gateway.yaml", **changes,
    }  # fmt: skip
    return GatewayNote(**note)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "state")
    state.create()
    return state


def test_a_directory_that_was_there_keeps_its_mode_and_what_is_in_it_is_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    state = StateDir(tmp_path)
    state.create()
    state.keep_verified(b"a", by="reload")
    state.note_worker(worker_note())
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert not (tmp_path / ".gitignore").exists()
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_what_is_written_is_read_and_is_for_its_owner_alone(state: StateDir) -> None:
    worker, gateway = worker_note(groups=3, connections=2, generation=4), gateway_note(master=7, restarts=1)
    state.note_worker(worker)
    state.note_gateway(gateway)
    state.keep_verified(b"a", by="reload")
    state.approve(sha256(b"b"))
    assert state.worker_notes() == [worker]
    assert state.gateway_note() == gateway
    assert state.approved() == sha256(b"b")
    verified = state.verified()
    assert verified is not None
    assert (verified.sha256, verified.by) == (sha256(b"a"), "reload")
    for path in [state.path, *state.path.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0 or path.name == ".gitignore"


def test_a_kill_between_the_writes_of_the_verified_bytes_leaves_some_verified(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing verified would mean that the next file is loaded whatever it is."""
    state.keep_verified(b"old", by="reload")
    original = Path.replace
    for survived in (0, 1, 2):
        left = [survived]

        def replace(path: Path, target: Path, left: list[int] = left) -> Path:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return original(path, target)

        monkeypatch.setattr(Path, "replace", replace)
        if survived < 2:
            with pytest.raises(KeyboardInterrupt):
                state.keep_verified(b"new", by="reload")
        else:
            state.keep_verified(b"new", by="reload")
        monkeypatch.undo()
        verified = state.verified()
        assert verified is not None
        assert verified.sha256 == sha256(state.verified_file.read_bytes())
        assert verified.sha256 == sha256(b"new" if survived == 2 else b"old")
        state.keep_verified(b"old", by="reload")


def test_verified_bytes_that_were_changed_are_not_verified(state: StateDir) -> None:
    state.keep_verified(b"first", by="reload")
    state.keep_verified(b"second", by="reload")
    state.verified_file.write_bytes(b"third")
    assert state.verified() is None


@given(data=st.data())
def test_torn_and_foreign_files_are_passed_over(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        state = StateDir(Path(folder, "state"))
        state.create()
        good = worker_note()
        state.note_worker(good)
        state.note_gateway(gateway_note())
        state.keep_verified(b"a", by="reload")
        state.approve("0" * 64)
        notes = ["verified.json", "approved.json", "gateway/gateway.json", "gateway/workers/1.json"]
        (state.workers / "1.json").write_bytes((state.workers / f"{ME}.json").read_bytes())
        for name in data.draw(st.lists(st.sampled_from(notes), min_size=1, unique=True)):
            path = state.path / name
            path.write_bytes(data.draw(damaged(path.read_bytes())))
        assert good in state.worker_notes()
        for note in [*state.worker_notes(), *state.failed_notes()]:
            assert isinstance(note.state, WorkerState)
            assert isinstance(note.sha256, str)
        for gateway in [state.gateway_note()]:
            assert gateway is None or isinstance(gateway.workers, int)
        assert isinstance(state.approved(), str)
        verified = state.verified()
        assert verified is None or verified.sha256 == sha256(b"a")


def damaged(raw: bytes) -> st.SearchStrategy[bytes]:
    """Return what may have become of a note."""
    plain = json.loads(raw)

    def changed(name: str, value: object) -> bytes:
        return json.dumps({**plain, name: value}).encode()

    def without(name: str) -> bytes:
        return json.dumps({key: value for key, value in plain.items() if key != name}).encode()

    torn = st.floats(0, 0.999).map(lambda part: raw[: int(part * len(raw))])
    names = st.sampled_from(sorted(plain))
    foreign = JSON.map(lambda value: json.dumps(value).encode())
    return st.binary() | torn | foreign | st.builds(changed, names, JSON) | st.builds(without, names)


def test_a_note_of_a_later_version_is_read_as_far_as_it_is_known(state: StateDir) -> None:
    """The package may be replaced while a gateway runs: its workers come and go with the new one."""
    note = worker_note()
    plain = {"schema_version": 1, **asdict(note), "colour": "blue"}
    (state.workers / f"{ME}.json").write_text(json.dumps(plain))
    assert state.worker_notes() == [note]


def test_a_note_of_an_earlier_version_is_read(state: StateDir) -> None:
    note = worker_note()
    required = [each.name for each in fields(WorkerNote)][:7]
    plain = {"schema_version": 1, **{name: asdict(note)[name] for name in required}}
    (state.workers / f"{ME}.json").write_text(json.dumps(plain))
    assert state.worker_notes() == [note]


def test_processes_are_told_from_those_that_had_their_pid_before() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start = process_start(process.pid)
        assert start > 0
        assert is_alive(process.pid, start)
        assert not is_alive(process.pid, start - 1)
        assert not is_alive(process.pid, 0)
        process.kill()
        wait_until(lambda: process_start(process.pid) == 0)  # a zombie is none
        assert not is_alive(process.pid, start)
    assert process_start(process.pid) == 0


def test_notes_of_dead_workers_are_cleared_and_those_of_failed_ones_kept_on_demand(state: StateDir) -> None:
    alive, dead = worker_note(), worker_note(pid=2**22 + 1)
    failed = worker_note(pid=2**22 + 2, state=WorkerState.FAILED, reason="no key")
    for note in (alive, dead, failed):
        state.note_worker(note)
        (state.workers / f"{note.pid}.sock").touch()
    foreign = state.workers / "notes.json"
    foreign.write_text("{}")
    state.clear_dead_workers(failed_too=False)
    assert {path.stem for path in state.workers.iterdir()} == {f"{alive.pid}", f"{failed.pid}", "notes"}
    state.clear_dead_workers(failed_too=True)
    assert {path.stem for path in state.workers.iterdir()} == {f"{alive.pid}", "notes"}
