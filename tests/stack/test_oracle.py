"""The linter against the real gateway: what LiteLLM says of the corpus in tests/oracle is the truth.

A verdict other than `works` is a fault, and the linter must speak of that fault, with one of the rules that
the case names, and of nothing else. Of a file that works it must say nothing. What it does not do yet is in
tests/oracle/known_gaps.txt, and nothing else is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from pytest_aibackend.litellm.lint.catalogue import lint_rules
from tests.oracle.cases import CORPUS, Case, load_cases, load_verdicts
from tests.oracle.gateway import Host, Oracle
from tests.oracle.standins import stand_ins
from tests.oracle.table import is_fault, is_found, rules_found, table, table_in

VERDICTS = load_verdicts()
CASES = [case for case in load_cases() if case.name in VERDICTS]
GAPS_FILE = CORPUS.parent / "known_gaps.txt"
PAGE = Path(__file__).parents[2] / "docs" / "from-validate-config.md"
SAMPLE = 10


def known_gaps() -> dict[str, str]:
    """Return the cases that the linter judges wrongly today, each with the reason."""
    lines = [line for line in GAPS_FILE.read_text(encoding="utf-8").splitlines() if line.strip()]
    pairs = [line.split(": ", 1) for line in lines if not line.startswith("#")]
    return {pair[0]: pair[1] for pair in pairs}


def is_judged_well(case: Case) -> bool:
    found = rules_found(case)
    return is_found(case) and found <= case.rules if is_fault(case) else not found


def test_every_case_has_a_verdict() -> None:
    assert sorted(VERDICTS) == sorted(case.name for case in load_cases()), "see tests/oracle/README.md"
    assert {verdict["litellm_version"] for verdict in VERDICTS.values()} == {version("litellm")}


def test_the_rules_of_faults_are_named() -> None:
    """Faults alone name rules, and rules that there are; what names none is a gap."""
    known = set(lint_rules())
    assert {case.name: case.rules - known for case in CASES if case.rules - known} == {}
    assert [case.name for case in CASES if case.rules and not is_fault(case)] == []
    unnamed = {case.name for case in CASES if is_fault(case) and not case.rules}
    assert sorted(unnamed - set(known_gaps())) == []


def test_lint_agrees_with_the_gateway() -> None:
    """Recall, and false alarms, beside those of `litellm --validate_config`; the table is printed."""
    print(f"\n{table(CASES)}")
    wrong = {
        case.name: f"{VERDICTS[case.name]['verdict']}: lint says {' '.join(sorted(rules_found(case)))}"
        f", the case {' '.join(sorted(case.rules))}"
        for case in CASES
        if not is_judged_well(case)
    }
    gaps = known_gaps()
    assert {name: said for name, said in wrong.items() if name not in gaps} == {}, "not listed as a gap"
    assert sorted(set(gaps) - set(wrong)) == [], "listed as a gap, and is none"


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table_in(page) == table(), f"python -m tests.oracle.table --page docs/{PAGE.name}"


def sample() -> list[Case]:
    """Return some cases of each verdict, spread over the corpus."""
    by_verdict: dict[str, list[Case]] = defaultdict(list)
    for case in CASES:
        by_verdict[VERDICTS[case.name]["verdict"]].append(case)
    share = SAMPLE // len(by_verdict)
    return [case for cases in by_verdict.values() for case in cases[:: max(1, len(cases) // share)][:share]]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Host() as host, stand_ins() as standins:
        yield Oracle(host, standins)


@pytest.mark.parametrize("case", sample(), ids=lambda case: case.name)
def test_the_gateway_says_it_again(oracle: Oracle, case: Case) -> None:
    again = oracle.judge(case, validate=False)
    assert again.verdict == VERDICTS[case.name]["verdict"], again.detail
