"""docs/checks.md: complete, and what the rules say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_aibackend.reporting.catalogue import render
from pytest_aibackend.rules.registry import GROUPS, RULES

ROOT = Path(__file__).resolve().parents[2]


def test_docs_are_up_to_date() -> None:
    committed = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    if committed != render():
        pytest.fail("docs/checks.md is out of date: aibackend docs checks > docs/checks.md", pytrace=False)


def test_every_rule_has_one_section() -> None:
    lines = render().splitlines()
    assert sorted(line[4:] for line in lines if line.startswith("### ")) == sorted(RULES)


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_every_rule_is_documented(rule_id: str) -> None:
    title = RULES[rule_id].documentation.partition("\n\n")[0]
    assert title.endswith("."), "the docstring's first line states the trouble, as a sentence"


@pytest.mark.parametrize("group_id", sorted(GROUPS))
def test_every_group_has_its_test(group_id: str) -> None:
    (module,) = (ROOT / "checks").glob(f"test_{GROUPS[group_id].check:02}_*.py")
    assert f"def test_{group_id.replace('-', '_')}(" in module.read_text(encoding="utf-8")
