"""Retention as properties: of the plan, and of rotation on real directories."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.backups.files import rotate
from pytest_aibackend.sources.backups import Kept, keep_newest_good, plan_retention
from pytest_aibackend.sources.models import Retention

NOW = dt.datetime(2026, 3, 29, 1, 30, tzinfo=dt.UTC)  # within the hour that daylight saving skips in Europe
NOWS = st.integers(0, 400 * 24 * 60).map(lambda minutes: NOW + dt.timedelta(minutes=minutes))
RETENTIONS = st.one_of(
    st.just(Retention()),
    st.builds(Retention, recent=st.integers(1, 12), daily=st.integers(0, 10), weekly=st.integers(0, 6)),
)
# Of the past, mostly of the last weeks and mostly several a day: there the rules overlap.
AGES = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3), st.integers(0, 50), st.integers(0, 900)), st.sampled_from([0, 7, 12])
    ),
    max_size=40,
)
AHEAD = st.lists(st.integers(1, 40 * 24), max_size=14)  # hours: backups of a clock that was, or is, wrong
ZONES = ("UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+14>-14", "<-12>12", "<+0545>-5:45")
FOREIGN = (
    "litellm.yaml",
    "notes.txt",
    "notes.txt.sha256",
    "litellm.yaml.backup-yesterday",
    "litellm.yaml.backup-yesterday.sha256",
    "litellm.yaml.backup-20261301_000000",
    "litellm.yaml.backup-20200101_000000.old",
    "litellm.yaml.backup-\u0662\u0660\u0662\u06600101_000000",
    "xlitellm.yaml.backup-20200101_000000",
    ".other.draft",
    "more/litellm.yaml.backup-20200101_000000",
)


def name_of(moment: dt.datetime, number: int = 0) -> str:
    stem = f"litellm.yaml.backup-{moment.astimezone(dt.UTC):%Y%m%d_%H%M%S}"
    return f"{stem}-{number}" if number else stem


def names_of(now: dt.datetime, ages: Sequence[tuple[int, int]]) -> list[str]:
    """Names of backups: hours before now, and the number within the second."""
    return sorted({name_of(now - dt.timedelta(hours=hours), number) for hours, number in ages})


def stamp(name: str) -> tuple[str, int]:
    made, _, number = name.removeprefix("litellm.yaml.backup-").partition("-")
    return made, int(number or 0)


def promised(names: Sequence[str], now: dt.datetime, retention: Retention) -> set[str]:
    """What the retention promises, said in another way than the plan does: slot by slot."""
    kept = set(sorted(names, key=stamp)[-retention.recent :])
    today = now.astimezone(dt.UTC).date()
    days = {name: dt.datetime.strptime(stamp(name)[0][:8], "%Y%m%d").date() for name in names}  # noqa: DTZ007
    for back in range(retention.daily):
        kept |= newest(name for name in names if days[name] == today - dt.timedelta(days=back))
    for back in range(retention.weekly):
        week = (today - dt.timedelta(weeks=back)).isocalendar()[:2]
        kept |= newest(name for name in names if days[name].isocalendar()[:2] == week)
    return kept


def newest(names: Iterator[str]) -> set[str]:
    last = max(names, key=stamp, default=None)
    return set() if last is None else {last}


def kept_by(plan: Sequence[Kept]) -> list[str]:
    return [each.name for each in plan if each.reasons]


@contextmanager
def local_time(zone: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


@given(NOWS, AGES, RETENTIONS, st.randoms(use_true_random=False))
def test_the_plan_keeps_exactly_what_is_promised(
    now: dt.datetime, ages: list[tuple[int, int]], retention: Retention, shuffle: random.Random
) -> None:
    names = names_of(now, ages)
    plan = plan_retention(names, now, retention)
    assert set(kept_by(plan)) == promised(names, now, retention)
    assert [each.name for each in plan] == sorted(names, key=stamp, reverse=True)
    assert kept_by(plan)[: retention.recent] == [each.name for each in plan][: retention.recent]
    assert kept_by(plan_retention(kept_by(plan), now, retention)) == kept_by(plan)
    # neither the order of the names, nor other files, nor the zone of the clock change it
    shuffled = [*names, *FOREIGN]
    shuffle.shuffle(shuffled)
    assert plan_retention(shuffled, now, retention) == plan
    for zone in ZONES:
        with local_time(zone):
            assert plan_retention(names, now.astimezone(), retention) == plan


@given(NOWS, AGES, AHEAD, RETENTIONS)
def test_a_clock_that_jumped_makes_the_plan_keep_more(
    now: dt.datetime, ages: list[tuple[int, int]], ahead: list[int], retention: Retention
) -> None:
    past = names_of(now, ages)
    future = names_of(now, [(-hours, 0) for hours in ahead])
    plan = plan_retention([*past, *future], now, retention)
    kept = set(kept_by(plan))
    latest = now + dt.timedelta(hours=max(ahead, default=0))
    assert kept == promised(past, now, retention) | promised([*past, *future], latest, retention)
    # the newest by name stays, and the newest by the clock, which a reload has just made
    assert {each.name for each in plan[:1]} <= kept
    assert newest(iter(past)) <= kept
    assert set(kept_by(plan_retention(sorted(kept), now, retention))) == kept


@given(NOWS, AGES, RETENTIONS)
def test_a_clock_far_behind_changes_nothing(
    now: dt.datetime, ages: list[tuple[int, int]], retention: Retention
) -> None:
    names = names_of(now, ages)
    then = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    latest = now - dt.timedelta(hours=min((hours for hours, _ in ages), default=0))
    assert plan_retention(names, then, retention) == plan_retention(names, latest, retention)


@given(NOWS, AGES, RETENTIONS, st.data())
def test_the_newest_good_one_is_kept(
    now: dt.datetime, ages: list[tuple[int, int]], retention: Retention, data: st.DataObject
) -> None:
    names = names_of(now, ages)
    plan = plan_retention(names, now, retention)
    good = {name for name in names if data.draw(st.booleans())}
    asked: list[str] = []

    def is_good(name: str) -> bool:
        asked.append(name)
        return name in good

    again = keep_newest_good(plan, is_good)
    assert set(kept_by(again)) == set(kept_by(plan)) | newest(iter(good))
    assert [each.name for each in again] == [each.name for each in plan]
    assert not (asked and len(kept_by(plan)) == len(plan))
    assert sum(name in good for name in asked) <= 1


def test_the_plan_names_days_and_weeks() -> None:
    now = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)  # a Monday
    names = [name_of(now - dt.timedelta(hours=hours)) for hours in range(0, 24 * 40, 12)]
    plan = plan_retention(names, now, Retention(recent=1, daily=7, weekly=4))
    kept = {each.name: each.reasons for each in plan if each.reasons}
    assert kept[name_of(now)] == ("one of the 1 newest", "newest of 2026-11-23", "newest of week 2026-W48")
    assert sum("newest of 2026" in reason for reasons in kept.values() for reason in reasons) == 7
    assert [reason for reasons in kept.values() for reason in reasons if "week" in reason] == [
        f"newest of week 2026-W{week}" for week in (48, 47, 46, 45)
    ]


def snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def fill(directory: Path, names: Sequence[str], damaged: set[str]) -> None:
    for name in names:
        raw = f"model_list: [{{model_name: {name}}}]\n".encode()
        (directory / name).write_bytes(raw)
        digest = hashlib.sha256(raw + b"?" * (name in damaged)).hexdigest()
        (directory / f"{name}.sha256").write_text(f"{digest}  {name}\n", encoding="ascii")


@given(
    now=NOWS,
    ages=AGES,
    retention=RETENTIONS,
    foreign=st.sets(st.sampled_from(FOREIGN)),
    zone=st.sampled_from(ZONES),
    data=st.data(),
)
def test_rotation_deletes_what_is_not_promised_and_nothing_else(
    *,
    now: dt.datetime,
    ages: list[tuple[int, int]],
    retention: Retention,
    foreign: set[str],
    zone: str,
    data: st.DataObject,
) -> None:
    names = names_of(now, ages)
    damaged = {name for name in names if data.draw(st.booleans())} if data.draw(st.booleans()) else set()
    with tempfile.TemporaryDirectory() as place, local_time(zone):
        directory = Path(place)
        for name in foreign:
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_bytes(os.urandom(20))
        strangers = snapshot(directory)
        fill(directory, names, damaged)
        before = snapshot(directory)

        plan = rotate(directory, retention, now.astimezone(), dry_run=True)
        assert snapshot(directory) == before
        assert rotate(directory, retention, now.astimezone(), dry_run=False) == plan

        kept = promised(names, now, retention) | newest(iter(set(names) - damaged))
        stay = {*kept, *(f"{name}.sha256" for name in kept), *strangers}
        assert snapshot(directory) == {name: raw for name, raw in before.items() if name in stay}
        assert {name: raw for name, raw in snapshot(directory).items() if name in strangers} == strangers
        assert bool(names) == bool(kept)

        again = rotate(directory, retention, now, dry_run=False)
        assert {each.name for each in again} == kept
        assert all(each.reasons for each in again)
        assert set(snapshot(directory)) == stay
