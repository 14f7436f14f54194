"""Backups: names, the retention plan as properties, and every way in which one can be bad."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.sources.backups import BackupTrouble, backup_time, plan_retention, read_backups
from pytest_aibackend.sources.models import Retention

MOMENTS = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1))  # noqa: DTZ001 # as hypothesis wants
ZONES = st.integers(-14, 14).map(lambda hours: dt.timezone(dt.timedelta(hours=hours)))
RETENTIONS = st.builds(
    Retention, recent=st.integers(1, 12), daily=st.integers(0, 10), weekly=st.integers(0, 6)
)


def _name(moment: dt.datetime, number: int = 0) -> str:
    return f"litellm.yaml.backup-{moment:%Y%m%d_%H%M%S}" + (f"-{number}" if number else "")


NAMES = st.lists(st.builds(_name, MOMENTS, st.integers(0, 3)), unique=True, max_size=60)


@given(NAMES, MOMENTS, ZONES, RETENTIONS)
def test_plan_keeps_what_it_promises(
    names: list[str], now: dt.datetime, zone: dt.timezone, retention: Retention
) -> None:
    moment = now.replace(tzinfo=dt.UTC)
    plan = plan_retention(names, moment, retention)
    kept = [entry.name for entry in plan if entry.reasons]
    newest_first = sorted(names, key=lambda name: backup_time(name) or (), reverse=True)
    assert [entry.name for entry in plan] == newest_first
    # never empties, never deletes the newest, keeps the recent ones whatever their age
    assert kept[: min(retention.recent, len(names))] == newest_first[: retention.recent]
    # idempotent: what is kept now is kept again
    assert [entry.name for entry in plan_retention(kept, moment, retention)] == kept
    assert all(entry.reasons for entry in plan_retention(kept, moment, retention))
    # the zone of the clock does not matter, foreign files neither
    assert plan_retention([*names, "notes.txt", "litellm.yaml"], moment.astimezone(zone), retention) == plan
    assert len(kept) <= retention.recent + retention.daily + retention.weekly


@given(NAMES, MOMENTS, RETENTIONS)
def test_plan_survives_a_clock_that_jumped_back(
    names: list[str], now: dt.datetime, retention: Retention
) -> None:
    early = plan_retention(names, dt.datetime(2019, 1, 1, tzinfo=dt.UTC), retention)
    if names:
        newest = max(moment for name in names if (moment := backup_time(name)))[0]
        assert early == plan_retention(names, newest, retention)


def test_plan_names_days_and_weeks() -> None:
    now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)  # a Monday
    names = [_name(now - dt.timedelta(hours=hours)) for hours in range(0, 24 * 40, 12)]
    plan = plan_retention(names, now, Retention(recent=1, daily=7, weekly=4))
    kept = {entry.name: entry.reasons for entry in plan if entry.reasons}
    assert kept[_name(now)] == ("one of the 1 newest", "newest of 2026-11-23", "newest of week 2026-W48")
    assert sum("newest of 2026" in reason for reasons in kept.values() for reason in reasons) == 7
    assert [r for rs in kept.values() for r in rs if "week" in r] == [
        f"newest of week 2026-W{week}" for week in (48, 47, 46, 45)
    ]


@pytest.mark.parametrize("name", ["litellm.yaml.backup-20261301_000000", "litellm.yaml.backup-1", "other"])
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


def test_a_directory_in_the_way_is_a_trouble(tmp_path: Path) -> None:
    path = tmp_path / "backups"
    path.write_text("a file")
    trouble = read_backups(path)
    assert isinstance(trouble, BackupTrouble)
    assert trouble.rule == "backup-directory"
    assert read_backups(tmp_path / "nothing") == []
