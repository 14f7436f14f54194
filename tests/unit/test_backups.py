"""Backups: names, and every way in which one can be bad."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pytest_aibackend.sources.backups import BackupTrouble, backup_time, read_backups


@pytest.mark.parametrize(
    "name",
    [
        "litellm.yaml.backup-20261301_000000",
        "litellm.yaml.backup-1",
        "litellm.yaml.backup-\u0662\u0660\u0662\u06661123_120000",
        "litellm.yaml.backup-20261123_120000\n",
        "other",
    ],
)
def test_names_that_are_none(name: str) -> None:
    assert backup_time(name) is None


def _write(directory: Path, name: str, text: str, checksum: str | None = None, mode: int = 0o600) -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    digest = hashlib.sha256(text.encode()).hexdigest() if checksum is None else checksum
    if digest:
        path.with_name(name + ".sha256").write_text(f"{digest}  {name}\n", encoding="ascii")
    return path


GOOD = "model_list:\n  - model_name: a\n    litellm_params: {model: openai/a}\n"
NAME = "litellm.yaml.backup-20261123_120000"


def _rules(directory: Path) -> list[str]:
    backups = read_backups(directory)
    assert not isinstance(backups, BackupTrouble)
    return [trouble.rule for backup in backups for trouble in backup.troubles]


def test_a_good_backup_has_no_troubles(tmp_path: Path) -> None:
    _write(tmp_path, NAME, GOOD)
    (tmp_path / "README").write_text("not ours")
    assert _rules(tmp_path) == []


@pytest.mark.parametrize(
    ("rule", "name", "text", "checksum", "mode"),
    [
        ("backup-checksum", NAME, GOOD, "0" * 64, 0o600),
        ("backup-checksum-missing", NAME, GOOD, "", 0o600),
        ("backup-not-yaml", NAME, "a: [", None, 0o600),
        ("backup-not-yaml", NAME, "- a\n", None, 0o600),
        ("backup-incomplete", NAME, "model_list: []\n", None, 0o600),
        ("backup-exposed", NAME, GOOD, None, 0o644),
        ("backup-name", "litellm.yaml.backup-yesterday", GOOD, None, 0o600),
    ],
)
def test_a_bad_backup_is_named(
    tmp_path: Path, *, rule: str, name: str, text: str, checksum: str | None, mode: int
) -> None:
    _write(tmp_path, name, text, checksum, mode)
    assert _rules(tmp_path)[:1] == [rule]


def test_an_unreadable_backup_is_named(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()  # root reads everything, but not a directory
    assert _rules(tmp_path) == ["backup-unreadable"]


def test_a_pipe_does_not_keep_us_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    assert _rules(tmp_path) == ["backup-unreadable"]


def test_a_directory_in_the_way_is_a_trouble(tmp_path: Path) -> None:
    path = tmp_path / "backups"
    path.write_text("a file")
    trouble = read_backups(path)
    assert isinstance(trouble, BackupTrouble)
    assert trouble.rule == "backup-directory"
    assert read_backups(tmp_path / "nothing") == []
