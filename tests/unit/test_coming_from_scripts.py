"""docs/coming-from-scripts.md: each line of the table is run, and says what the table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.walkthrough import ROOT, Block, deployed_repository, shell

OLDER = {
    "reload-litellm-config.sh",
    "validate-all-configs.sh",
    "validate-unified-backend.sh",
    "check-port-conflicts.sh",
    "check-generated-configs.sh",
    "generate-litellm-config.py",
    "validate-config-schema.py",
    "validate-config-consistency.py",
    "test-backup-rotation.sh",
    "verify-backup.sh",
    "common.sh",
    "common_utils.py",
}
PAGE = (ROOT / "docs" / "coming-from-scripts.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.*?) *\|$", PAGE, re.MULTILINE)


def command(text: str) -> Block:
    return Block(line=0, what="runnable", argument="", language="sh", text=text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deployed_repository(tmp_path_factory.mktemp("older") / "repository")


def test_the_table_has_each_of_them_once() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(OLDER)


@pytest.mark.parametrize(("older", "now", "said"), ROWS, ids=[row[0] for row in ROWS])
def test_line_of_the_table(older: str, now: str, said: str, folder: Path) -> None:
    done = shell(command(now), folder)
    # Nothing runs here: the live checks have to fail, and nothing else.
    assert done.returncode == (1 if "--live" in now else 0), done.stdout + done.stderr
    expected = re.match(r"`([^`]+)`", said)
    assert expected is None or expected[1] in done.stdout + done.stderr
    if "--live" in now:
        assert "skipped  needs running services" not in done.stdout
