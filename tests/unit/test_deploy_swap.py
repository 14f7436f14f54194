"""The swap: the old bytes or the new ones, whatever fails, with owner, mode and attributes as they were."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.swap import SwapError, read_deployed, remove_deployed, swap_in
from pytest_aibackend.litellm.command import write_atomically

OLD, NEW = b"old: bytes\n", b"new: bytes\n" * 1000
ACTS = ("write", "fsync", "fchown", "fchmod", "replace")
READER = """
import sys
seen = set()
while b"stop" not in seen:
    seen.add(open(sys.argv[1], "rb").read())
print(*(len(each) for each in seen))
"""
is_root = os.geteuid() == 0


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "litellm.yaml"
    path.write_bytes(OLD)
    return path


@given(mode=st.sampled_from((0o600, 0o640, 0o644, 0o660, 0o400)), through_link=st.booleans(), new=st.binary())
def test_mode_and_link_stay(
    tmp_path_factory: pytest.TempPathFactory, mode: int, through_link: bool, new: bytes
) -> None:
    folder = tmp_path_factory.mktemp("swap")
    (folder / "real").mkdir()
    real = folder / "real" / "litellm.yaml"
    real.write_bytes(OLD)
    real.chmod(mode)
    link = folder / "link.yaml"
    link.symlink_to(real)
    swap_in(link if through_link else real, new)
    assert real.read_bytes() == new
    assert stat.S_IMODE(real.stat().st_mode) == mode
    assert link.is_symlink()
    assert [path.name for path in real.parent.iterdir()] == [real.name]


@pytest.mark.skipif(not is_root, reason="only the administrator can give files away")
def test_the_owner_stays(target: Path) -> None:
    os.chown(target, 12345, 23456)
    swap_in(target, NEW)
    assert (target.stat().st_uid, target.stat().st_gid) == (12345, 23456)


def test_extended_attributes_stay(target: Path) -> None:
    try:
        os.setxattr(target, "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has none")
    swap_in(target, NEW)
    assert os.getxattr(target, "user.note") == b"kept"


def test_a_new_file_can_be_read_by_the_gateway(tmp_path: Path) -> None:
    swap_in(tmp_path / "new.yaml", NEW)
    assert stat.S_IMODE((tmp_path / "new.yaml").stat().st_mode) == 0o644


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("act", ACTS)
def test_a_failed_act_leaves_the_old_bytes(
    target: Path, monkeypatch: pytest.MonkeyPatch, act: str, number: int
) -> None:
    def fail(*_arguments: Any, **_more: Any) -> Any:
        raise OSError(number, os.strerror(number), "somewhere")

    with monkeypatch.context() as patch:
        if act == "write":
            patch.setattr(os, "fdopen", lambda descriptor, mode: _Full(descriptor, mode, fail))
        elif act == "replace":
            patch.setattr(Path, "replace", fail)
        else:
            patch.setattr(os, act, fail)
            patch.setattr(
                os, "fstat", lambda _descriptor: os.stat_result((0o600, 1, 1, 1, 54321, 1, 1, 1, 1, 1))
            )
        with pytest.raises(SwapError) as caught:
            swap_in(target, NEW)
    assert target.read_bytes() == OLD
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert str(target) in str(caught.value)
    assert caught.value.hint


class _Full:
    """A file on a full disk."""

    def __init__(self, descriptor: int, mode: str, fail: Any) -> None:
        self._file = open(descriptor, mode)  # noqa: SIM115 # closed by __exit__
        self.write = fail

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_details: object) -> None:
        self._file.close()


def test_an_owner_that_cannot_be_kept_stops_where_access_would_be_lost(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    real = os.fstat
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchown", refuse)
        patch.setattr(
            os,
            "fstat",
            lambda descriptor: os.stat_result((real(descriptor).st_mode, *(1,) * 3, 54321, *(1,) * 5)),
        )
        target.chmod(0o640)
        with pytest.raises(SwapError, match="its owner cannot be kept"):
            swap_in(target, NEW)
        assert target.read_bytes() == OLD
        target.chmod(0o644)  # everybody can read it, so nobody loses anything
        swap_in(target, NEW)
    assert target.read_bytes() == NEW


def test_a_reader_sees_old_or_new(target: Path) -> None:
    """A process reads as fast as it can while the file is replaced 200 times."""
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            READER,
            str(target),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    for number in range(200):
        swap_in(target, NEW if number % 2 else OLD)
    swap_in(target, b"stop")
    said, _ = reader.communicate(timeout=60)
    assert {int(word) for word in said.split()} <= {len(OLD), len(NEW), 4}


def test_what_cannot_be_a_target_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "fifo")
    for name, words in (
        ("folder", "is a directory"),
        ("fifo", "is not a regular file"),
        ("loop", "cannot be"),
        ("missing/litellm.yaml", "there is no directory"),
    ):
        with pytest.raises(SwapError, match=words) as caught:
            read_deployed(tmp_path / name)
        assert caught.value.hint
    assert read_deployed(tmp_path / "none.yaml") is None


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that even root cannot read")
def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "litellm.yaml").symlink_to("/proc/self/mem")
    with pytest.raises(SwapError, match=r"litellm\.yaml cannot be read: ") as caught:
        read_deployed(tmp_path / "litellm.yaml")
    assert caught.value.hint


def test_what_cannot_be_removed_is_said_and_left(tmp_path: Path) -> None:
    (tmp_path / "litellm.yaml").mkdir()
    with pytest.raises(SwapError, match=r"litellm\.yaml cannot be removed: ") as caught:
        remove_deployed(tmp_path / "litellm.yaml")
    assert caught.value.hint
    assert (tmp_path / "litellm.yaml").is_dir()


def test_a_removed_file_stays_removed(target: Path) -> None:
    remove_deployed(target)
    remove_deployed(target)
    assert read_deployed(target) is None


@pytest.mark.skipif(not is_root, reason="only the administrator can make a file immutable")
def test_an_immutable_file_is_said(target: Path) -> None:
    if subprocess.run(["chattr", "+i", target], check=False, capture_output=True).returncode:
        pytest.skip("this file system knows no immutable files")
    try:
        with pytest.raises(SwapError, match="immutable"):
            swap_in(target, NEW)
    finally:
        subprocess.run(["chattr", "-i", target], check=True)
    assert target.read_bytes() == OLD
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_what_a_killed_run_was_writing_is_in_nobodys_way(target: Path) -> None:
    (target.parent / ".litellm.yaml.reload.tmp").write_bytes(b"half")
    swap_in(target, NEW)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_generate_writes_the_same_way(target: Path) -> None:
    target.chmod(0o600)
    write_atomically(target, NEW)
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (NEW, 0o600)
    with contextlib.suppress(FileExistsError):
        write_atomically(target, OLD, temporary=target)
    assert target.exists()
