"""What a run shows and to whom, also when the reader goes away; and the signals of those who started us."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_aibackend.cli import main
from pytest_aibackend.deploy.console import Console, RunningStep, plain_console
from pytest_aibackend.deploy.interrupts import Interrupted, Interrupts
from pytest_aibackend.deploy.report import Report


def console() -> Console:
    return Console(Report(command="reload", config="config"))


def test_a_step_says_what_it_does_while_somebody_watches() -> None:
    told: list[str] = []
    RunningStep("canary", SimpleNamespace(update=told.append)).tell("LiteLLM is loading, 3 s")
    RunningStep("canary").tell("and nobody watches")
    assert told == ["canary: LiteLLM is loading, 3 s"]


def test_a_detail_of_several_lines_is_shown_below_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    show = console()
    with show.step("gate") as step:
        step.failed("one\ntwo")
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("gate      failed: one ")
    assert second == "          two"
    assert [step.detail for step in show.report.steps] == ["one two"]


def test_a_long_difference_is_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    console().diff("".join(f"+line {number}\n" for number in range(403)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[399:] == ["+line 399", "... and 3 more lines"]


def test_no_answer_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = open(os.devnull, encoding="ascii")  # noqa: SIM115 # closed at once
    stdin.close()
    monkeypatch.setattr(sys, "stdin", stdin)
    assert console().ask("deploy it?") is False


def test_a_reader_that_goes_away_in_the_middle_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        show = plain_console()
        os.close(reader)
        show.print("x" * 200_000)
        show.print("and on")


# -- signals


def test_what_was_to_be_ignored_stays_so() -> None:
    """Nohup has its children ignore SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(Interrupted, match="interrupted by SIGTERM"):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_the_signals_are_left_alone() -> None:
    """Python lets the main thread alone handle them."""
    seen: list[object] = []

    def look() -> None:
        with Interrupts():
            seen.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == before


# -- aibackend history


def test_no_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "--config", str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert f"there is no configuration directory {tmp_path / 'nowhere'}" in said
    assert "hint: name it with --config DIR" in said
    assert main(["history", "--config", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "no run yet\n"
    assert main(["history", "--config", str(tmp_path), "--json"]) == 0
    assert capsys.readouterr().out == ""


def test_a_history_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / ".aibackend" / "deploy" / "history.jsonl"
    file.mkdir(parents=True)
    assert main(["history", "--config", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"aibackend history: {file}: Is a directory\n"
    file.rmdir()
    file.write_text(json.dumps({"outcome": "deployed", "reason": "why"}) + "\n")
    assert main(["history", "--config", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[-1] == "why"
