"""Making, rotating and reading back backups, on real directories."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_aibackend.deploy.backups import files
from pytest_aibackend.deploy.backups.files import BackupError, make_backup, read_backup, rotate
from pytest_aibackend.sources.backups import backup_time, read_backups
from pytest_aibackend.sources.models import Retention

NOW = dt.datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=dt.UTC)
STEM = "litellm.yaml.backup-20261123_120000"
RAW = b"model_list:\n  - model_name: a\n    litellm_params: {model: openai/a}\n"
ONE = Retention(recent=1, daily=0, weekly=0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "some" / "backups"


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_a_backup_is_private_and_checksummed_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    directory = tmp_path / "backups"
    before = os.umask(umask)
    try:
        path = make_backup(RAW, directory, NOW.astimezone(dt.timezone(dt.timedelta(hours=9))))
    finally:
        os.umask(before)
    assert path == directory / STEM
    assert names(directory) == {STEM, f"{STEM}.sha256"}
    assert {each.stat().st_mode & 0o777 for each in directory.iterdir()} == {0o600}
    assert directory.stat().st_mode & 0o777 == 0o700
    assert read_backup(directory, path.name) == RAW
    assert [backup.troubles for backup in read_backups(directory)] == [()]  # type: ignore[union-attr]
    seen = subprocess.run(
        ["sha256sum", "--check", "--strict", f"{STEM}.sha256"],
        cwd=directory,
        capture_output=True,
        check=False,
    )
    assert (seen.returncode, seen.stdout.decode()) == (0, f"{STEM}: OK\n")


def test_the_rights_of_a_directory_that_was_there_are_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_backup(RAW, tmp_path, NOW)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


def test_several_in_one_second_are_numbered_upwards_even_when_the_first_are_gone(directory: Path) -> None:
    made = [make_backup(b"%d" % number, directory, NOW).name for number in range(12)]
    assert made == [STEM, *(f"{STEM}-{number}" for number in range(1, 12))]
    assert [each.name for each in rotate(directory, ONE, NOW, dry_run=False) if each.reasons] == [made[-1]]
    assert make_backup(b"next", directory, NOW).name == f"{STEM}-12"


def test_two_at_once_never_share_a_name(directory: Path) -> None:
    raws = [b"model_list: [%d]\n" % number for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda raw: make_backup(raw, directory, NOW), raws))
    assert len(set(paths)) == len(raws)
    assert [read_backup(directory, path.name) for path in paths] == raws
    assert len(names(directory)) == 2 * len(raws)


def test_a_backup_without_checksum_is_not_overwritten(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / STEM).write_bytes(b"made by hand")
    assert make_backup(RAW, directory, NOW).name == f"{STEM}-1"
    assert (directory / STEM).read_bytes() == b"made by hand"


def test_a_second_holds_only_so_many(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MOST_IN_A_SECOND", 2)
    made = {make_backup(RAW, directory, NOW).name for _ in range(2)}
    with pytest.raises(BackupError, match="already has 2 backups of this second; wait for the next"):
        make_backup(RAW, directory, NOW)
    assert names(directory) == made | {f"{name}.sha256" for name in made}


@pytest.mark.parametrize("most", [10, 90], ids=["checksum", "bytes"])
def test_a_full_disk_leaves_nothing_behind(directory: Path, most: int) -> None:
    directory.mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most + 30, hard))
    try:
        with pytest.raises(BackupError) as full:
            make_backup(RAW * 100 if most == 90 else RAW, directory, NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(full.value) == (
        f"no backup could be made in {directory}: File too large; "
        "free some space, or correct deploy.backup_dir"
    )
    assert names(directory) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that even root cannot read")
def test_a_backup_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / STEM).symlink_to("/proc/self/mem")
    with pytest.raises(BackupError, match=f"{STEM} cannot be read: .*; mend its rights"):
        read_backup(tmp_path, STEM)


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("a file")
    with pytest.raises(BackupError, match=r"no backup could be made in .*backups: .*move the file away"):
        make_backup(RAW, tmp_path / "backups", NOW)
    with pytest.raises(BackupError, match="cannot be read: Not a directory"):
        rotate(tmp_path / "backups", ONE, NOW, dry_run=False)
    assert rotate(tmp_path / "nothing", ONE, NOW, dry_run=False) == []


def test_a_backup_that_cannot_be_deleted_is_told_and_the_others_go(directory: Path) -> None:
    made = [make_backup(RAW, directory, NOW - dt.timedelta(days=days)).name for days in range(4)]
    (directory / made[2]).unlink()
    (directory / made[2]).mkdir()  # root deletes every file, but no directory
    plan = rotate(directory, ONE, NOW, dry_run=False)
    assert [(each.name, bool(each.reasons), bool(each.trouble)) for each in plan] == [
        (made[0], True, False),
        (made[1], False, False),
        (made[2], False, True),
        (made[3], False, False),
    ]
    assert names(directory) == {made[0], f"{made[0]}.sha256", made[2], f"{made[2]}.sha256"}


def test_what_a_killed_run_left_is_swept_away_but_not_what_is_in_the_making(directory: Path) -> None:
    kept = make_backup(RAW, directory, NOW - dt.timedelta(days=1)).name
    old, young = "litellm.yaml.backup-20261122_100000", "litellm.yaml.backup-20261123_115900-3"
    for name in (old, young):
        (directory / f"{name}.sha256").write_bytes(b"")
        (directory / f".{name}.draft").write_bytes(b"half a back")
    rotate(directory, Retention(), NOW, dry_run=False)
    assert names(directory) == {kept, f"{kept}.sha256", f"{young}.sha256", f".{young}.draft"}


def test_the_newest_good_one_stays_behind_damaged_ones(directory: Path) -> None:
    made = [make_backup(RAW, directory, NOW - dt.timedelta(days=days)) for days in range(5)]
    for path in made[:2]:
        path.write_bytes(RAW + b"# changed\n")
    made[2].with_name(f"{made[2].name}.sha256").unlink()
    made[3].chmod(0o644)  # others can read it; it is good all the same
    plan = rotate(directory, ONE, NOW, dry_run=False)
    assert {each.name: each.reasons for each in plan if each.reasons} == {
        made[0].name: ("one of the 1 newest",),
        made[3].name: ("newest that can be restored",),
    }
    assert {name for name in names(directory) if backup_time(name)} == {made[0].name, made[3].name}


@pytest.mark.parametrize(
    ("content", "digest", "match"),
    [
        (RAW + b"x", hashlib.sha256(RAW).hexdigest(), "is not what was backed up"),
        (RAW, "", "has no readable checksum beside it"),
        (b"a: [", hashlib.sha256(b"a: [").hexdigest(), "is not a gateway configuration"),
        (b"a: 1", hashlib.sha256(b"a: 1").hexdigest(), "has no model_list"),
    ],
)
def test_a_bad_backup_is_not_read(tmp_path: Path, content: bytes, digest: str, match: str) -> None:
    (tmp_path / STEM).write_bytes(content)
    (tmp_path / f"{STEM}.sha256").write_text(digest)
    with pytest.raises(BackupError, match=match):
        read_backup(tmp_path, STEM)


@pytest.mark.parametrize("name", ["../" + STEM, f"/{STEM}", "litellm.yaml", "", ".", f"{STEM}\0"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "backups").mkdir()
    make_backup(RAW, tmp_path, NOW)
    with pytest.raises(BackupError, match="is not the name of a backup"):
        read_backup(tmp_path / "backups", name)
    with pytest.raises(BackupError, match="there is no backup"):
        read_backup(tmp_path / "backups", STEM)
