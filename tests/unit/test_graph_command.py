"""`aibackend graph`: where the picture goes, and what is told of a picture that cannot be drawn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_aibackend import cli
from pytest_aibackend.graph.mermaid import MOST_EDGES, MOST_LETTERS, size_of
from tests.fakes.routing import write_fleet

ROOT = Path(__file__).resolve().parents[2]


def test_the_command_writes_what_the_ending_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(ROOT / "config")
    assert cli.main(["graph", "--config", config]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")
    for name, begins in (
        ("a.svg", "<svg "),
        ("a.html", "<!doctype html>"),
        ("a.dot", "digraph "),
        ("a.txt", "flow"),
    ):
        assert cli.main(["graph", "--config", config, "--output", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    assert (
        cli.main(["graph", "--config", config, "--format", "svg", "--output", str(tmp_path / "a.txt")]) == 0
    )
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").startswith("<svg ")


def test_what_is_no_file_stays_what_it_is(tmp_path: Path) -> None:
    """A pipe, a device: written to, not replaced by a file."""
    pipe = tmp_path / "pipe.svg"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "pytest_aibackend.cli", "graph", "--config", str(ROOT / "config")]
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ran = subprocess.run(
            [*command, "--output", str(pipe), "--format", "mermaid"], check=False, timeout=60
        )
        assert ran.returncode == 0
        assert os.read(reader, 12) == b"flowchart LR"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    told = subprocess.run(
        [*command, "--output", "/dev/stdout", "--format", "dot"], capture_output=True, check=True
    )
    assert told.stdout.startswith(b"digraph ")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "asked", ["graph --config {}", "lint {}/litellm-unified.yaml --format json", "docs lint"]
)
def test_an_output_without_room_is_told(asked: str) -> None:
    words = [word.format(ROOT / "config") for word in asked.split()]
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest_aibackend.cli", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.stderr == "aibackend: the output cannot be written: No space left on device\n"
    assert ran.returncode == 2


def test_a_reader_that_has_read_enough_is_no_trouble() -> None:
    command = '"$0" -m pytest_aibackend.cli graph --format html --config "$1" | head -c 9'
    ran = subprocess.run(
        ["bash", "-c", command, sys.executable, ROOT / "config"], capture_output=True, text=True, check=True
    )
    assert (ran.stdout, ran.stderr) == ("<!doctype", "")


def test_a_page_of_markdown_has_a_fence_around_it(tmp_path: Path) -> None:
    page = tmp_path / "routing.md"
    assert cli.main(["graph", "--config", str(ROOT / "config"), "--output", str(page)]) == 0
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["```mermaid", "flowchart LR"]
    assert lines[-1] == "```"
    assert sum("```" in line for line in lines) == 2


@pytest.mark.parametrize("ending", ["png", "PDF", "yaml"])
def test_an_ending_that_nothing_draws_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    picture = tmp_path / f"a.{ending}"
    asked = ["graph", "--config", str(ROOT / "config"), "--output", str(picture)]
    assert cli.main(asked) == 2
    assert f"a.{ending}: nothing here draws .{ending.lower()}; name a format" in capsys.readouterr().err
    assert not picture.exists()
    assert cli.main([*asked, "--format", "dot"]) == 0
    assert picture.read_text(encoding="utf-8").startswith("digraph ")


def test_a_file_in_the_place_of_the_sources_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "--config", str(ROOT / "config" / "litellm-unified.yaml")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "is a file; `aibackend import` makes sources of a LiteLLM config" in told.err


def test_the_picture_is_named_after_the_directory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT / "config")
    assert cli.main(["graph", "--config", "."]) == 0
    assert "accTitle: Routing of config\n" in capsys.readouterr().out


def test_more_than_github_draws_is_told_with_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, 260)
    assert cli.main(["graph", "--config", str(tmp_path)]) == 0
    told = capsys.readouterr()
    letters, edges = size_of(told.out)
    assert edges > MOST_EDGES
    assert letters == len(told.out), "there are only plain letters in it"
    limits = f"{letters} letters of {MOST_LETTERS}, {edges} edges of {MOST_EDGES}; use --format svg or html"
    assert limits in told.err


def test_sources_that_cannot_be_read_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "--config", str(tmp_path / "none")]) == 2
    write_fleet(tmp_path, 20)
    assert cli.main(["graph", "--config", str(tmp_path), "--output", str(tmp_path)]) == 2
    assert cli.main(["graph", "--config", str(tmp_path), "--output", str(tmp_path / "no" / "such")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    (tmp_path / "ports.yaml").write_text("a: [", encoding="utf-8")
    assert cli.main(["graph", "--config", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("flowchart LR\n")
    assert "ports.yaml:2:1: error: yaml-syntax" in told.err
    assert "a part is missing" in told.err
    (tmp_path / "providers.yaml").write_text("providers: {a: 1, a: 2}", encoding="utf-8")
    assert cli.main(["graph", "--config", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "duplicate-key" in told.err
    assert "nothing was drawn" in told.err
