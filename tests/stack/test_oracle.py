"""The linter against the real gateway: what LiteLLM says of the corpus in tests/oracle is the truth.

A verdict other than `works` is a fault, and the linter must say something of its file; of a file that works
it must say nothing. What it does not do yet is listed in tests/oracle/known_gaps.txt, and nothing else is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import load_schema
from tests.oracle.cases import CORPUS, Case, fill_in, load_cases, load_verdicts
from tests.oracle.gateway import Host, Oracle
from tests.oracle.standins import stand_ins

VERDICTS = load_verdicts()
CASES = [case for case in load_cases() if case.name in VERDICTS]
GAPS_FILE = CORPUS.parent / "known_gaps.txt"
SAMPLE = 12
PORTS = {"OPENAI": 8000, "ANTHROPIC": 8001, "VLLM": 8002, "OLLAMA": 11434, "LLAMACPP": 8080, "REDIS": 6379}


@cache
def rules_found(case: Case) -> tuple[str, ...]:
    """Return the rules that the linter names for a case; it knows the gateway's environment."""
    here = case.at(PORTS)
    included = CORPUS.parent / "included" / "config.yaml"  # what a case includes lies beside it
    document = LintDocument.read(
        here.text.encode(),
        "config.yaml",
        str(included),
        read_included=lambda path: fill_in(Path(path).read_text(encoding="utf-8"), PORTS).encode(),
    )
    result = lint(document, load_schema("1.106"), environment=here.environment)
    return tuple(sorted({finding.rule for finding in result.findings}))


def is_fault(case: Case) -> bool:
    return bool(VERDICTS[case.name]["verdict"] != "works")


def known_gaps() -> dict[str, str]:
    """Return the cases that the linter judges wrongly today, each with the reason."""
    lines = [line for line in GAPS_FILE.read_text(encoding="utf-8").splitlines() if line.strip()]
    pairs = [line.split(": ", 1) for line in lines if not line.startswith("#")]
    return {pair[0]: pair[1] for pair in pairs}


@dataclass
class Tally:
    """How often something was said, of faults and of files that work."""

    faults: int = 0
    good: int = 0
    found: int = 0
    false_alarms: int = 0
    validate_found: int = 0
    validate_false_alarms: int = 0

    def add(self, case: Case) -> None:
        said = bool(rules_found(case))
        refused = VERDICTS[case.name]["validate_config"] == "refuses"
        if is_fault(case):
            self.faults, self.found = self.faults + 1, self.found + said
            self.validate_found += refused
        else:
            self.good, self.false_alarms = self.good + 1, self.false_alarms + said
            self.validate_false_alarms += refused


def table() -> Iterator[str]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for case in CASES:
        for name in (case.kind, f"verdict: {VERDICTS[case.name]['verdict']}", "all"):
            tallies[name].add(case)
    yield f"{'class':<24} {'faults':>6} {'lint':>5} {'validate':>9}   {'good':>5} {'lint':>5} {'validate':>9}"
    for name in sorted(tallies, key=lambda name: (name == "all", name.startswith("verdict"), name)):
        one = tallies[name]
        yield (
            f"{name:<24} {one.faults:>6} {one.found:>5} {one.validate_found:>9}   "
            f"{one.good:>5} {one.false_alarms:>5} {one.validate_false_alarms:>9}"
        )


def test_every_case_has_a_verdict() -> None:
    assert sorted(VERDICTS) == sorted(case.name for case in load_cases()), "see tests/oracle/README.md"
    assert {verdict["litellm_version"] for verdict in VERDICTS.values()} == {version("litellm")}


def test_lint_agrees_with_the_gateway() -> None:
    """Recall, and false alarms, beside those of `litellm --validate_config`; the table is printed."""
    print("\nfaults that were found, and files that work of which something was said:")
    print(*table(), sep="\n")
    wrong = {
        case.name: f"{VERDICTS[case.name]['verdict']}: lint says {' '.join(rules_found(case)) or 'nothing'}"
        for case in CASES
        if is_fault(case) != bool(rules_found(case))
    }
    gaps = known_gaps()
    assert {name: said for name, said in wrong.items() if name not in gaps} == {}, "not listed as a gap"
    assert sorted(set(gaps) - set(wrong)) == [], "listed as a gap, and is none"


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
