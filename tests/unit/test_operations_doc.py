"""What docs/operations.md and the README say of commands, options, keys and exit codes is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pytest_aibackend.cli import build_parser
from pytest_aibackend.deploy.report import EXIT
from pytest_aibackend.sources.models import Deploy

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "operations.md", ROOT / "deploy" / "systemd" / "README.md"]
COMMAND = re.compile(
    r"(?:^ {4}(?:\$ )?|`)(?:sudo -u litellm /opt/aibackend/bin/)?(aibackend [^`\n]*)", re.MULTILINE
)


def commands() -> list[str]:
    found = {
        re.split(r"\s+(?:#|&|--\s)", match[1] + " ")[0].strip()
        for page in PAGES
        for match in COMMAND.finditer(page.read_text())
    }
    return sorted(found)


def test_there_are_commands() -> None:
    assert {"aibackend reload", "aibackend serve", "aibackend backups verify --all"} <= set(commands())


@pytest.mark.parametrize("line", commands())
def test_command_of_the_documentation_exists(line: str) -> None:
    words = shlex.split(line.rstrip("."))[1:]
    options = build_parser().parse_args(words)
    assert callable(options.run)


def test_exit_codes_of_the_table() -> None:
    table = (
        (ROOT / "docs" / "operations.md").read_text().partition("| exit status | |")[2].partition("\n\n")[0]
    )
    assert {int(code) for code in re.findall(r"^\| (\d) \|", table, re.MULTILINE)} == {
        code for code in EXIT.values() if code < 128
    }


def test_keys_of_deploy() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("| key | | default |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(Deploy.model_fields)
    assert f"`{Deploy().state_dir}`" in table
    assert f"`{Deploy().url}`" in table
