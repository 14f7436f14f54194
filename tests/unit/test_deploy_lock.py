"""The lock of a reload, with real processes: one at a time, whoever is killed and however many wait."""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_aibackend.deploy.lock import LockedError, Owner, exclusive, user_name

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


LEAVES_A_CHILD = """
import os, sys
from pathlib import Path
from pytest_aibackend.deploy.lock import exclusive
with exclusive(Path(sys.argv[1]), "reload"):
    if os.fork():
        os._exit(0)
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


def test_a_lock_that_outlives_its_owner_is_explained(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", LEAVES_A_CHILD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        process.wait()
        with pytest.raises(LockedError) as locked:
            exclusive(lock, "reload").__enter__()
        assert f"pid {process.pid} of " in str(locked.value)
        assert str(locked.value).endswith("has ended, but a process that it started still holds its lock")


@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced", "removed"])
def test_a_file_that_goes_just_then_is_not_what_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_replaced: bool
) -> None:
    """The holder removes its file before it lets go of the lock: whoever opened it before has nothing."""
    lock, flock = tmp_path / "lock", fcntl.flock
    held: list[int] = []

    def go_at_first(descriptor: int, what: int) -> None:
        if not held:
            lock.unlink()
            if is_replaced:
                lock.touch()
        held.append(os.fstat(descriptor).st_ino)
        flock(descriptor, what)

    monkeypatch.setattr(fcntl, "flock", go_at_first)
    with exclusive(lock, "reload"):
        assert len(held) == 2
        assert lock.stat().st_ino == held[-1]
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_a_file_system_without_locks_is_an_error_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = psutil.Process().num_fds()
    with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
        exclusive(tmp_path / "lock", "reload").__enter__()
    assert psutil.Process().num_fds() == before


def test_who_holds_it_is_said_as_people_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    began = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
    me = replace(Owner.me("reload"), pid=7, user="me", started=began.isoformat())
    for seconds, words in ((-5, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (9000, "2 h")):
        now = began + dt.timedelta(seconds=seconds)
        assert me.describe(now) == f"aibackend reload, pid 7 of me, for {words}"
    assert replace(me, started="?").describe() == "aibackend reload, pid 7 of me"
    away = replace(me, host="elsewhere")
    assert away.describe(began) == "aibackend reload, pid 7 of me on elsewhere, for 0 s"
    assert not away.is_gone, "of another machine that cannot be said"
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert user_name() == str(os.getuid())
