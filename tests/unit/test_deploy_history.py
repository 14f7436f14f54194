"""The history: every run one line, whatever was there before, and nothing secret in it."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.history import History, record_of
from pytest_aibackend.deploy.report import Outcome, Report, Step, StepStatus

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
records = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(), max_size=3)


@given(st.lists(records, max_size=30), st.integers(1, 400), st.integers(1, 5))
def test_the_newest_records_are_kept_in_order(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, Any]], max_bytes: int, kept: int
) -> None:
    folder = tmp_path_factory.mktemp("history")
    history = History(folder, max_bytes=max_bytes, kept=kept)
    for record in written:
        history.append(record, rotate=True)
    read = list(history.read())
    assert read == written[len(written) - len(read) :]
    longest = max((len(json.dumps(record, ensure_ascii=False).encode()) for record in written), default=0) + 1
    files = [*folder.iterdir()]
    assert len(files) <= kept + 1
    assert all(path.stat().st_size <= max_bytes + longest for path in files)
    if written:
        assert read, "the record that was just written is there"


@given(st.lists(records, min_size=1, max_size=5), st.data())
def test_a_torn_line_spoils_no_other(
    tmp_path_factory: pytest.TempPathFactory, written: list[dict[str, Any]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("history")
    history = History(folder)
    for record in written:
        history.append(record, rotate=False)
    file = folder / "history.jsonl"
    raw = file.read_bytes()
    last = raw.splitlines(keepends=True)[-1]
    cut = data.draw(st.integers(1, len(last)))
    file.write_bytes(raw[:-cut])
    history.append({"after": True}, rotate=False)
    whole = written if cut == 1 else written[:-1]
    assert list(history.read()) == [*whole, {"after": True}]


def test_many_at_once_lose_no_line(tmp_path: Path) -> None:
    """Runs that the lock refuses append while others do."""
    code = (
        "import sys; from pathlib import Path; from pytest_aibackend.deploy.history import History\n"
        "for n in range(50): History(Path(sys.argv[1])).append({'n': n, 'x': 'y' * 3000}, rotate=False)"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, tmp_path]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert sorted(record["n"] for record in History(tmp_path).read()) == sorted([*range(50)] * 4)
    assert (tmp_path / "history.jsonl").stat().st_mode & 0o777 == 0o600


def test_who_when_and_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "eve")
    report = Report(command="reload", config="config")
    report.steps.append(Step(name="gate", status=StepStatus.PASSED, seconds=0.7, detail="11 checks"))
    report.end(Outcome.DEPLOYED)
    record = record_of(report, NOW)
    assert record["when"] == "2026-11-23T12:00:00+00:00"
    assert (record["uid"], record["pid"], record["sudo_user"]) == (os.getuid(), os.getpid(), "eve")
    assert (record["outcome"], record["exit"], record["seconds"]) == ("deployed", 0, {"gate": 0.7})


def test_the_same_step_twice_counts_twice() -> None:
    report = Report(command="reload", config="config")
    for seconds in (1.0, 2.5):
        report.steps.append(Step(name="verify", status=StepStatus.FAILED, seconds=seconds, detail=""))
    report.end(Outcome.ROLLED_BACK, "it did not serve it")
    assert record_of(report, NOW)["seconds"] == {"verify": 3.5}


secrets = st.text("abcdefghijkmnopqrstuvwxyz0123456789", min_size=12, max_size=30)


@given(
    secret=secrets,
    place=st.sampled_from(
        [
            "api_key: {}",
            "LiteLLM said: master_key: {}",
            "redis://me:{}@127.0.0.1/0",
            "sk-{} was refused",
            "?api_key={}",
        ]
    ),
    before=st.text("xyz \n", max_size=10),
)
def test_nothing_secret_is_kept(secret: str, place: str, before: str) -> None:
    """Whatever a program said that a reason quotes."""
    said = f"{before} {place.format(secret)}"
    report = Report(command="reload", config="config")
    report.steps.append(Step(name="verify", status=StepStatus.FAILED, seconds=1.0, detail=said))
    report.recovered.append(said)
    report.canary = {"ok": False, "seconds": 1.0, "problems": [said]}
    report.gate = {"open": False, "checks": 1, "skipped": 0, "warnings": 0, "errors": 1, "reasons": [said]}
    report.end(Outcome.REFUSED, said)
    assert secret not in json.dumps(record_of(report, NOW))


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text('[1]\n"text"\n{"a": 1}\n{"b":\n\xe4\n{"c": 2}\n')
    assert list(History(tmp_path).read()) == [{"a": 1}, {"c": 2}]
