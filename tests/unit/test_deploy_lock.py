"""The lock of a reload, with real processes: one at a time, whoever is killed and however many wait."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_aibackend.deploy.lock import LockedError, Owner, exclusive

HOLDER = """
import sys, time
from pathlib import Path
from pytest_aibackend.deploy.lock import exclusive
with exclusive(Path(sys.argv[1]), "reload", wait_s=60):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
COUNTER = """
import sys, time
from pathlib import Path
from pytest_aibackend.deploy.lock import exclusive
count = Path(sys.argv[2])
for _ in range(20):
    with exclusive(Path(sys.argv[1]), "count", wait_s=60):
        seen = int(count.read_text())
        time.sleep(0.001)
        count.write_text(str(seen + 1))
"""


def hold(lock: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLDER, str(lock), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_and_for_how_long(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with hold(lock, 60) as process:
        began = time.monotonic()
        with pytest.raises(LockedError, match=rf"aibackend reload, pid {process.pid} of \w+, for \d+ s"):
            exclusive(lock, "reload").__enter__()
        assert time.monotonic() - began < 5
        process.kill()


def test_a_dead_owner_is_taken_over_and_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with hold(lock, 60) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lock.exists()
    with exclusive(lock, "reload") as dead:
        assert dead is not None
        assert dead.pid == process.pid
        assert dead.is_gone
    assert not lock.exists()
    with exclusive(lock, "reload") as dead:
        assert dead is None, "the lock was released in order"


def test_a_later_process_of_the_same_pid_is_not_the_owner(tmp_path: Path) -> None:
    me = Owner.me("reload")
    assert not me.is_gone
    later = Owner(**{**json.loads(json.dumps({f: getattr(me, f) for f in Owner.__slots__})), "start": 1.0})
    assert later.is_gone


@pytest.mark.parametrize(
    "text", ["", "garbage", "[]", '{"pid": "x"}', "\x00\xff" * 10, '{"pid": 1, "start": 2}']
)
def test_whatever_the_file_says_only_the_lock_counts(tmp_path: Path, text: str) -> None:
    lock = tmp_path / "lock"
    lock.write_text(text)
    with exclusive(lock, "reload") as dead:
        assert dead is None
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    said: list[str] = []
    with hold(lock, 0.5), exclusive(lock, "reload", wait_s=60, tell=said.append) as dead:
        assert dead is None
    assert said[0].startswith("waiting 60 s more for aibackend reload, pid ")


def test_waiting_in_vain_ends_in_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with hold(lock, 60) as process:
        began = time.monotonic()
        with pytest.raises(LockedError):
            exclusive(lock, "reload", wait_s=0.3).__enter__()
        assert 0.3 <= time.monotonic() - began < 10
        process.kill()


def test_never_two_at_once(tmp_path: Path) -> None:
    """Several processes add to a number, 20 times each: the lock file comes and goes, no addition is lost."""
    count = tmp_path / "count"
    count.write_text("0")
    command = [sys.executable, "-c", COUNTER, str(tmp_path / "lock"), str(count)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 4
    assert count.read_text() == "80"
    assert not (tmp_path / "lock").exists()


def test_a_symbolic_link_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        exclusive(tmp_path / "lock", "reload").__enter__()
    assert not (tmp_path / "elsewhere").exists()
