"""`aibackend backups` as a user runs it, on directories on disk."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.cli import main
from pytest_aibackend.deploy.backups.files import make_backup, rotate
from pytest_aibackend.deploy.backups.rehearsal import AGES, rehearse
from pytest_aibackend.sources.backups import Kept
from pytest_aibackend.sources.models import Retention

NOW = dt.datetime.now(dt.UTC)
EXAMPLE = Path(__file__).parents[2] / "examples" / "embedded"
SCRIPTS = Path(__file__).parents[2] / "scripts"


def raw(number: int) -> bytes:
    return b"model_list:\n  - model_name: m%d\n    litellm_params: {model: openai/a}\n" % number


class Desk:
    """A configuration with three backups, a day apart, the second of which is what is deployed."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = config
        self.directory = config / "kept"
        self._capsys = capsys
        config.mkdir()
        self.configure("{recent: 2, daily: 0, weekly: 0}")
        (config / "deployed.yaml").write_bytes(raw(1))
        self.paths = [make_backup(raw(n), self.directory, NOW - dt.timedelta(days=n)) for n in range(3)]
        self.names = [path.name for path in self.paths]

    def configure(self, retention: str) -> None:
        (self.config / "gateway.yaml").write_text(
            f"deploy: {{path: deployed.yaml, backup_dir: kept, retention: {retention}}}\n", encoding="ascii"
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        status = main(["backups", *arguments, "--config", str(self.config)])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def json(self, *arguments: str) -> tuple[int, Any]:
        status, out, _ = self.run(*arguments, "--json")
        return status, json.loads(out)

    def left(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path / "config", capsys)


def with_checksums(names: Sequence[str]) -> set[str]:
    return {*names, *(f"{name}.sha256" for name in names)}


def test_list_tells_state_reason_and_which_is_deployed(desk: Desk) -> None:
    desk.paths[0].write_bytes(b"changed")
    (desk.directory / "litellm.yaml.backup-yesterday").write_text("?")
    status, document = desk.json("list")
    rows = {row["name"]: row for row in document["backups"]}
    assert (status, document["schema_version"], document["directory"]) == (0, 1, str(desk.directory))
    assert document["retention"] == {"recent": 2, "daily": 0, "weekly": 0}
    assert list(rows) == [*desk.names, "litellm.yaml.backup-yesterday"]
    assert [row["state"] for row in rows.values()] == ["damaged", "good", "good", "misnamed"]
    assert [row["deployed"] for row in rows.values()] == [False, True, False, False]
    assert [row["surplus"] for row in rows.values()] == [False, False, True, False]
    assert rows[desk.names[1]]["kept_because"] == ["one of the 2 newest"]
    assert rows[desk.names[1]]["size"] == len(raw(1))
    assert 86_400 <= rows[desk.names[1]]["age_s"] < 86_400 + 3_600
    assert [each["rule"] for each in rows[desk.names[0]]["findings"]] == [
        "backup-checksum",
        "backup-not-yaml",
    ]

    status, out, err = desk.run("list")
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[1].startswith(desk.names[0])
    assert "7 B  damaged" in lines[1]
    assert lines[1].rstrip().endswith("one of the 2 newest")
    assert "yes" in lines[2]
    assert "1 d" in lines[2]
    assert "(surplus)" in lines[3]
    assert f"{desk.paths[0]}: error: backup-checksum: " in out
    assert "\x1b" not in out


def test_ages_and_what_cannot_be_read_are_listed(desk: Desk) -> None:
    desk.configure("{recent: 9, daily: 0, weekly: 0}")
    now = dt.datetime.now(dt.UTC)
    made = [
        make_backup(raw(9), desk.directory, now + dt.timedelta(seconds=ahead)).name
        for ahead in (3600, -5, -130, -7300)
    ]
    unreadable = f"{desk.names[1]}-1"
    (desk.directory / unreadable).symlink_to("/proc/self/mem")  # which even root cannot read
    status, out, _ = desk.run("list")
    rows = {line.split()[0]: re.split(r"  +", line) for line in out.splitlines() if line}
    assert status == 0
    ages = [rows[name][1] for name in made]
    assert re.fullmatch(r"future, \d\d? s, 2 min, 2 h", ", ".join(ages)), ages
    assert rows[unreadable][2:4] == ["-", "unreadable"]
    assert "surplus" not in out
    assert "backups rotate" not in out


def test_names_within_a_second_are_listed_by_number(desk: Desk) -> None:
    made = [make_backup(raw(n), desk.directory, NOW + dt.timedelta(seconds=1)).name for n in range(12)]
    _, document = desk.json("list")
    assert [row["name"] for row in document["backups"]][:12] == made[::-1]


def test_verify_looks_at_the_newest_or_one_or_all(desk: Desk) -> None:
    desk.paths[1].write_bytes(raw(1) + b"#")
    assert desk.json("verify")[0] == 0
    assert desk.json("verify", desk.names[2])[0] == 0
    status, document = desk.json("verify", "--all")
    assert (status, document["summary"]) == (1, {"verified": 3, "good": 2, "bad": 1})
    assert [each["state"] for each in document["backups"]] == ["good", "damaged", "good"]
    status, out, _ = desk.run("verify", desk.names[1])
    assert status == 1
    assert "backup-checksum" in out
    assert "hint: do not restore it" in out
    assert out.endswith("0 of 1 backup can be restored\n")


def test_verify_warns_of_one_that_others_can_read(desk: Desk) -> None:
    desk.paths[0].chmod(0o644)
    status, out, _ = desk.run("verify")
    assert status == 0
    assert "warning: backup-exposed" in out


def test_rotate_deletes_and_says_why(desk: Desk) -> None:
    status, plan = desk.json("rotate", "--dry-run")
    assert (status, plan["dry_run"], plan["deleted"]) == (0, True, [desk.names[2]])
    assert desk.left() == with_checksums(desk.names)
    status, out, _ = desk.run("rotate")
    assert status == 0
    assert desk.left() == with_checksums(desk.names[:2])
    assert f"{desk.names[2]}  deleted  none of the 2 newest" in out
    assert f"3 backups in {desk.directory}: 2 kept, 1 deleted" in out
    assert desk.json("rotate")[1]["deleted"] == []


def test_rotate_tells_what_it_could_not_delete(desk: Desk) -> None:
    desk.paths[2].unlink()
    desk.paths[2].mkdir()
    status, _, err = desk.run("rotate")
    assert status == 1
    assert f"{desk.names[2]} could not be deleted: Is a directory" in err
    _, document = desk.json("rotate")
    assert [each["name"] for each in document["not_deleted"]] == [desk.names[2]]
    assert document["deleted"] == []


def test_nothing_there(desk: Desk) -> None:
    for path in desk.directory.iterdir():
        path.unlink()
    assert desk.run("list")[:2] == (
        0,
        f"there is no backup in {desk.directory} yet; the first reload makes one\n",
    )
    assert desk.run("rotate")[0] == 0
    for arguments in (["verify"], ["verify", "--all"], ["verify", "x"], ["restore", "x"]):
        status, out, err = desk.run(*arguments)
        assert (status, out) == (2, "")
        assert "there is no backup in" in err


@pytest.mark.parametrize("action", ["verify", "restore"])
def test_a_name_that_is_not_there(desk: Desk, action: str) -> None:
    status, _, err = desk.run(action, desk.names[1][:-1])
    assert status == 2
    assert f"there is no backup {desk.names[1][:-1]} in {desk.directory}; did you mean " in err
    assert "`aibackend backups list` shows" in desk.run(action, "zzz")[2]
    for path in ("../deployed.yaml", str(desk.paths[0]), f"kept/{desk.names[0]}", "..", "", "."):
        status, _, err = desk.run(action, path)
        if not path and action == "verify":
            continue  # as without a name
        assert status == 2
        assert "is no file name" in err or "there is no backup" in err


def test_wrong_usage(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("verify", "--all", desk.names[0])[0] == 2
    assert main(["backups", "list", "--config", str(desk.config / "nowhere")]) == 2
    assert "name it with --config DIR" in capsys.readouterr().err
    for arguments in (
        ["backups"],
        ["backups", "restore"],
        ["backups", "delete"],
        ["backups", "list", "--all"],
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "usage: aibackend" in capsys.readouterr().err


@pytest.mark.parametrize("gateway", ["deploy: {retention: {recent: none}}", "deploy: 7", "deploy: [", "7"])
def test_no_default_stands_in_for_a_retention_that_cannot_be_read(desk: Desk, gateway: str) -> None:
    (desk.config / "gateway.yaml").write_text(gateway, encoding="ascii")
    make_backup(raw(0), desk.config / "backups", NOW)
    for action in ("list", "rotate"):
        status, out, err = desk.run(action)
        assert (status, out) == (2, "")
        assert "gateway.yaml" in err
        assert "hint:" in err


def test_a_flaw_elsewhere_in_the_file_does_not_keep_us_from_the_backups(desk: Desk) -> None:
    text = (desk.config / "gateway.yaml").read_text(encoding="ascii")
    (desk.config / "gateway.yaml").write_text(text + "router_settings: 7\n", encoding="ascii")
    assert desk.run("verify", "--all")[0] == 0


def test_a_directory_that_is_a_file(desk: Desk) -> None:
    for path in desk.directory.iterdir():
        path.unlink()
    desk.directory.rmdir()
    desk.directory.write_text("?")
    for action in ("list", "verify", "rotate"):
        status, out, err = desk.run(action)
        assert (status, out) == (2, "")
        assert "cannot be read: Not a directory" in err


def test_restore_goes_through_gate_and_swap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = shutil.copytree(EXAMPLE, tmp_path / "config", ignore=shutil.ignore_patterns(".aibackend"))
    gateway = yaml.safe_load((config / "gateway.yaml").read_text(encoding="utf-8"))
    gateway["deploy"] |= {"service": {"kind": "none"}, "backup_dir": "kept"}
    (config / "gateway.yaml").write_text(yaml.safe_dump(gateway), encoding="utf-8")
    assert main(["generate", "--config", str(config)]) == 0
    deployed, directory = config / "litellm-unified.yaml", config / "kept"
    old, now = deployed.read_bytes(), b"model_list: [{model_name: a}]\n"
    good = make_backup(old, directory, NOW - dt.timedelta(days=2)).name
    damaged = make_backup(old, directory, NOW - dt.timedelta(days=1))
    damaged.write_bytes(old[:-10])
    deployed.write_bytes(now)

    def restore(name: str) -> int:
        return main(["backups", "restore", name, "--yes", "--no-canary", "--config", str(config)])

    assert restore(damaged.name) == 1
    assert "is not what was backed up" in "".join(capsys.readouterr())
    assert deployed.read_bytes() == now
    assert restore(good) == 0, capsys.readouterr()
    assert deployed.read_bytes() == old
    # what it replaced was backed up before
    kept = [
        path
        for path in directory.iterdir()
        if path.suffix != ".sha256" and path.name not in (good, damaged.name)
    ]
    assert [path.read_bytes() for path in kept] == [now]


def script(name: str, *arguments: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCRIPTS / name), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": str(scratch)},
    )


def test_the_script_that_verifies(desk: Desk, tmp_path: Path) -> None:
    config = ("--config", str(desk.config))
    seen = script("verify-backup.sh", "--all", *config, scratch=tmp_path)
    assert (seen.returncode, seen.stderr) == (0, "")
    assert seen.stdout.endswith("3 of 3 backups can be restored\n")
    desk.paths[1].write_bytes(b"")
    assert script("verify-backup.sh", *config, scratch=tmp_path).returncode == 0
    assert script("verify-backup.sh", desk.names[1], *config, scratch=tmp_path).returncode == 1
    seen = script("verify-backup.sh", "--all", "--json", *config, scratch=tmp_path)
    assert (seen.returncode, json.loads(seen.stdout)["summary"]["bad"]) == (1, 1)
    assert script("verify-backup.sh", "--every", *config, scratch=tmp_path).returncode == 2


def test_the_script_that_shows_the_rotation(desk: Desk, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    seen = script("test-backup-rotation.sh", scratch=scratch)
    rows = [line for line in seen.stdout.splitlines() if line.startswith("litellm.yaml.backup-")]
    assert (seen.returncode, seen.stderr, len(rows)) == (0, "", len(AGES))
    assert sum("  kept     one of the 10 newest" in row for row in rows) == 10
    assert sum("  deleted  none of the 10 newest" in row for row in rows) >= 4
    assert sum("newest of week" in row for row in rows) == 4
    assert "\nOK: " in seen.stdout
    assert list(scratch.iterdir()) == []
    # the retention of a configuration, without touching its backups
    seen = script("test-backup-rotation.sh", "--config", str(desk.config), scratch=scratch)
    assert "20 backups in" in seen.stdout
    assert ": 2 kept, 18 deleted" in seen.stdout
    assert desk.left() == with_checksums(desk.names)


def deletes_the_newest(plan: list[Kept], directory: Path) -> list[Kept]:
    (directory / plan[0].name).unlink()
    return [replace(plan[0], reasons=()), *plan[1:]]


def damages_one(plan: list[Kept], directory: Path) -> list[Kept]:
    (directory / plan[0].name).write_bytes(b"half")
    return plan


def forgets_one(plan: list[Kept], _directory: Path) -> list[Kept]:
    return plan[:-1]


def takes_what_is_not_its_own(plan: list[Kept], directory: Path) -> list[Kept]:
    (directory / "notes.txt").unlink(missing_ok=True)
    return plan


def never_comes_to_an_end(plan: list[Kept], _directory: Path) -> list[Kept]:
    return [*plan[:-1], replace(plan[-1], reasons=())]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (deletes_the_newest, "the newest was deleted"),
        (damages_one, "is not what was backed up"),
        (forgets_one, "rotation saw 19 of 20 backups"),
        (takes_what_is_not_its_own, "the directory holds other files than those that were to be kept: "),
        (never_comes_to_an_end, "rotating again deleted more"),
    ],
)
def test_a_rehearsal_sees_a_rotation_that_breaks_its_promises(
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[list[Kept], Path], list[Kept]],
    said: str,
) -> None:
    def broken(directory: Path, retention: Retention, now: dt.datetime, *, dry_run: bool) -> list[Kept]:
        return harm(rotate(directory, retention, now, dry_run=dry_run), directory)

    assert rehearse(Retention(), broken) == 1
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("FAILED: ")]
    assert [line for line in told if said in line], told
