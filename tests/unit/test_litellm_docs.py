"""What LiteLLM documents is no trouble to the linter, nor to an editor: tests/examples/litellm_docs."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft7Validator

from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import load_schema
from pytest_aibackend.litellm.schema.editor import editor_schema, text_of

FOLDER = Path(__file__).parents[1] / "examples" / "litellm_docs"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
NEWEST = load_schema("1.106")
Expected = tuple[str, str, str]  # file, rule, and the last name of the path


@cache
def expected() -> list[Expected]:
    """Return the lines of findings.txt; each ends in a reason."""
    found = []
    for line in (FOLDER / "findings.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            file, rule, path, reason = line.split(": ", 3)
            assert reason.strip(), line
            found.append((file, rule, path.rpartition(".")[2].partition("[")[0]))
    return found


@pytest.mark.parametrize("name", FILES)
def test_lint_says_only_what_is_listed(name: str) -> None:
    raw = (FOLDER / name).read_bytes()
    lines = raw.decode().splitlines()
    due = Counter(entry for entry in expected() if entry[0] == name)
    for finding in lint(LintDocument.read(raw, name, str(FOLDER / name)), NEWEST).findings:
        line = lines[(finding.location.line or 1) - 1]
        entry = next(
            (each for each in due if each[1] == finding.rule and each[2] in line and due[each]), None
        )
        assert entry is not None, f"not listed: {finding}"
        due[entry] -= 1
    assert not +due, "listed, and not said"


@pytest.mark.parametrize("name", [name for name in FILES if name != "stale.yaml"])
def test_an_editor_marks_nothing(name: str) -> None:
    schema = json.loads(text_of(editor_schema(NEWEST)))
    document = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    assert [error.message for error in Draft7Validator(schema).iter_errors(document)] == []


def test_every_line_of_the_list_is_of_a_file() -> None:
    assert {file for file, _rule, _key in expected()} <= set(FILES)
    assert len(FILES) >= 18
