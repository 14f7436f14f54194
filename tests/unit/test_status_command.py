"""`aibackend status` without `--config`: the embedded stack while that is up, else `config`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_aibackend.cli import main
from pytest_aibackend.stack.state import StackState, StateDir
from tests.walkthrough import ROOT

EMBEDDED = Path("examples/embedded")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place with both configurations, of which nothing runs."""
    for name in (Path("config"), EMBEDDED):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(".aibackend"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def looked_at(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["status", "--json", *options]) == 1
    return str(json.loads(capsys.readouterr().out)["config"])


def test_which_configuration_is_looked_at(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert looked_at(capsys) == "config"
    stack = StateDir(EMBEDDED)
    stack.create()
    stack.save(
        StackState(
            config_dir=str(stack.config_dir),
            supervisor=None,
            key_from_environment=False,
            pidfile=None,
            services=(),
        )
    )
    assert looked_at(capsys) == "examples/embedded"
    assert looked_at(capsys, "--config", "config") == "config"
    main(["status"])
    assert capsys.readouterr().out.startswith(
        "the embedded stack of examples/embedded; for the gateway of config: "
    )


def test_where_there_is_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["status"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "aibackend status: there is no configuration directory config",
        "  hint: name it with --config DIR",
    ]
