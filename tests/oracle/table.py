"""How well the linter judges the corpus, beside `litellm --validate_config`: `python -m tests.oracle.table`.

Prints the table as Markdown; `--page F` writes it into a page, between the two comments that mark its place.
A fault counts as found by the linter if one of the rules that the case names speaks of it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import load_schema
from tests.oracle.cases import CORPUS, Case, fill_in, load_cases, load_verdicts

__all__ = ["Tally", "is_fault", "is_found", "main", "rules_found", "table", "table_in"]

BEGIN: Final = "<!-- Generated: `python -m tests.oracle.table`. -->\n"
END: Final = "<!-- end of the table -->\n"
PORTS: Final = {
    "OPENAI": 8000,
    "ANTHROPIC": 8001,
    "VLLM": 8002,
    "OLLAMA": 11434,
    "LLAMACPP": 8080,
    "REDIS": 6379,
}
VERDICTS: Final = load_verdicts()


@cache
def rules_found(case: Case) -> frozenset[str]:
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
    return frozenset(finding.rule for finding in result.findings)


def is_fault(case: Case) -> bool:
    """Tell whether the gateway says that something is wrong with a case."""
    return bool(VERDICTS[case.name]["verdict"] != "works")


def is_found(case: Case) -> bool:
    """Tell whether the linter speaks of the fault of a case."""
    return not rules_found(case).isdisjoint(case.rules)


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
        """Count a case."""
        refused = VERDICTS[case.name]["validate_config"] != "passes"
        if is_fault(case):
            self.faults += 1
            self.found += is_found(case)
            self.validate_found += refused
        else:
            self.good += 1
            self.false_alarms += bool(rules_found(case))
            self.validate_false_alarms += refused

    def row(self, name: str) -> str:
        """Return its line of the table."""
        numbers = (
            self.faults,
            self.found,
            self.validate_found,
            self.good,
            self.false_alarms,
            self.validate_false_alarms,
        )
        return f"| {name} | {' | '.join(map(str, numbers))} |\n"


def table(cases: Iterable[Case] | None = None) -> str:
    """Return the table: a line for each class of the corpus, then for each verdict, then for all."""
    return "".join(_lines(load_cases() if cases is None else cases))


def table_in(page: str) -> str:
    """Return the table that a page holds."""
    return page.partition(BEGIN)[2].partition(END)[0]


def _lines(cases: Iterable[Case]) -> Iterator[str]:
    classes: dict[str, Tally] = defaultdict(Tally)
    verdicts: dict[str, Tally] = defaultdict(Tally)
    everything = Tally()
    for case in cases:
        for tally in (classes[case.kind], verdicts[VERDICTS[case.name]["verdict"]], everything):
            tally.add(case)
    yield "| | faults | `lint` finds | `--validate_config` finds | good files | `lint` complains |"
    yield " `--validate_config` complains |\n"
    yield "|---|--:|--:|--:|--:|--:|--:|\n"
    yield from (classes[name].row(f"`{name}/`") for name in sorted(classes))
    yield from (verdicts[name].row(f"verdict: {name}") for name in sorted(verdicts))
    yield everything.row("**all**")


def main() -> None:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="the page to write it into")
    page: Path | None = parser.parse_args().page
    if page is None:
        print(table(), end="")
        return
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    page.write_text(before + begin + table() + end + after, encoding="utf-8")


if __name__ == "__main__":
    main()
