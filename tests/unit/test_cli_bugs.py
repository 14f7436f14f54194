"""A bug of ours in any command: a traceback, a sentence, and a status that says neither finding nor usage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_aibackend.cli import main

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.mark.parametrize(
    ("asked", "broken", "status"),
    [
        ("lint {}/litellm-unified.yaml", "lint_command.lint", 3),
        ("diff {0} {0}", "diff_command.compare", 3),
        ("graph --config {}", "graph.command.build_graph", 3),
        ("generate --config {} --check", "litellm.command.load_backend", 3),
        ("docs checks", "reporting.catalogue.render", 3),
        # Of these, 3 says that the old file was put back.
        ("reload --config {} --yes", "deploy.pipeline.run", 2),
        ("backups restore NAME --config {} --yes", "deploy.backups.command.run", 2),
        ("backups list --config {}", "deploy.backups.command.run", 3),
    ],
    ids=lambda value: value.partition(" -")[0].partition(" {")[0] if isinstance(value, str) else "",
)
@pytest.mark.parametrize(
    "error", [RuntimeError("broken"), PermissionError(13, "Permission denied", "a.yaml")]
)
def test_a_bug_is_told_as_one(
    *,
    asked: str,
    broken: str,
    status: int,
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    config = shutil.copytree(CONFIG, tmp_path / "config", ignore=shutil.ignore_patterns(".aibackend"))
    monkeypatch.setattr(f"pytest_aibackend.{broken}", fail)
    words = [word.format(config) for word in asked.split()]
    assert main(words) == status
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Traceback (most recent call last):\n")
    assert told.err.endswith(
        f"{error}\naibackend {words[0]}: this is a bug of aibackend, not of the configuration\n"
    )
