"""Backups made and rotated by processes that are killed, or that run out of space."""

from __future__ import annotations

import datetime as dt
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_aibackend.cli import main
from pytest_aibackend.deploy.backups.files import BackupError, make_backup, read_backup, rotate
from pytest_aibackend.sources.backups import backup_time, read_backups
from pytest_aibackend.sources.models import Retention

ROUNDS = 200 if os.environ.get("AIBACKEND_SOAK") else 15
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=400)
FEW = Retention(recent=3, daily=0, weekly=0)
RAW = b"model_list:\n" + b"  - {model_name: m, litellm_params: {model: openai/a}}\n" * 400


def in_a_child(work: Callable[[], object]) -> int:
    """Fork a child that works and leaves; return its pid."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 # told, and seen by the exit status
            traceback.print_exc()
        finally:
            os._exit(status)
    return pid


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at(number: int) -> None:
    """Have this process killed at its next `number`-th act upon the file system."""
    acts = iter(range(1, number + 1))

    def hook(event: str, _arguments: object) -> None:
        if event.startswith(("open", "os.")) and event != "os.kill" and next(acts, number) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def assert_sound(directory: Path) -> None:
    """Every file that bears the name of a backup is whole, and a rotation leaves nothing but pairs."""
    backups = read_backups(directory)
    assert isinstance(backups, list)
    backups.sort(key=lambda each: stamp(each.name))
    assert [(each.name, each.troubles) for each in backups if each.troubles] == []
    kept = {each.name for each in rotate(directory, FEW, LATER, dry_run=False) if each.reasons}
    assert kept == {each.name for each in backups[-FEW.recent :]}
    assert {path.name for path in directory.iterdir()} == {*kept, *(f"{name}.sha256" for name in kept)}


def stamp(name: str) -> tuple[dt.datetime, int]:
    moment = backup_time(name)
    assert moment is not None
    return moment


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for hours in range(5, 0, -1):
        make_backup(RAW, tmp_path / "backups", NOW - dt.timedelta(hours=hours))
    return tmp_path / "backups"


def steps(template: Path, work: Callable[[Path], object]) -> Iterator[Path]:
    """Kill a child that works on a copy at its first act, at its second, and so on, until one is through."""
    for number in range(1, 1000):
        directory = shutil.copytree(template, template.with_name(f"killed-{number}"))

        def killed(number: int = number, directory: Path = directory) -> None:
            die_at(number)
            work(directory)

        status = status_of(in_a_child(killed))
        yield directory
        if status == 0:
            return
        assert status == -signal.SIGKILL
    pytest.fail("it comes to no end")


def test_killed_at_each_step_of_making_one(directory: Path) -> None:
    before = {path.name for path in directory.iterdir()}
    new = RAW + b"# new\n"
    seen = []
    for copy in steps(directory, lambda copy: make_backup(new, copy, NOW)):
        added = sorted({path.name for path in copy.iterdir()} - before)
        seen.append(tuple(added))
        assert [read_backup(copy, name) for name in added if backup_time(name)] in ([], [new])
        assert_sound(copy)
    # nothing, the checksum, a draft beside it, the backup; never anything else, and in this order
    name = "litellm.yaml.backup-20261123_120000"
    stages = [(), (f"{name}.sha256",), (f".{name}.draft", f"{name}.sha256"), (name, f"{name}.sha256")]
    assert [*dict.fromkeys(seen)] == stages


def test_killed_at_each_step_of_rotating(directory: Path) -> None:
    newest = sorted(path.name for path in directory.iterdir() if backup_time(path.name))[-FEW.recent :]
    left = []
    for copy in steps(directory, lambda copy: rotate(copy, FEW, NOW, dry_run=False)):
        left.append(len(list(copy.iterdir())))
        assert [read_backup(copy, name) for name in newest] == [RAW] * FEW.recent
        assert_sound(copy)
    assert [*dict.fromkeys(left)] == [10, 9, 8, 7, 6]


def test_killed_at_random_moments(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        for second in range(100_000):
            now = NOW + dt.timedelta(seconds=second // 3)
            make_backup(RAW, directory, now)
            rotate(directory, FEW, now, dry_run=False)

    chance = random.Random(7)
    leftovers = 0
    for _ in range(ROUNDS):
        pid = in_a_child(work)
        time.sleep(chance.uniform(0.001, 0.08))
        os.kill(pid, signal.SIGKILL)
        assert status_of(pid) == -signal.SIGKILL
        names = {path.name for path in directory.iterdir()}
        backups = {name for name in names if backup_time(name)}
        leftovers += names != {*backups, *(f"{name}.sha256" for name in backups)}
        assert len(backups) >= FEW.recent
        (directory / "gateway.yaml").write_text("deploy: {backup_dir: .}\n", encoding="ascii")
        assert main(["backups", "verify", "--all", "--config", str(directory)]) == 0, capsys.readouterr().out
        (directory / "gateway.yaml").unlink()
    assert leftovers or ROUNDS < 100
    assert_sound(directory)


def test_no_space_for_the_bytes_leaves_nothing(directory: Path) -> None:
    before = sorted(path.name for path in directory.iterdir())
    said = directory.parent / "said"

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            make_backup(RAW, directory, NOW)
        except BackupError as error:
            said.write_text(str(error))

    assert status_of(in_a_child(work)) == 0
    why = "File too large; free some space, or correct deploy.backup_dir"
    assert said.read_text() == f"no backup could be made in {directory}: {why}"
    assert sorted(path.name for path in directory.iterdir()) == before
