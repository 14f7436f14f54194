"""The oracle sees no difference between a case of its corpus that works and what its import generates."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.cli import main
from pytest_aibackend.sources.backend import FILES
from tests.oracle.cases import CORPUS, Case, fill_in, load_cases, load_verdicts
from tests.oracle.gateway import Host, Oracle
from tests.oracle.interview import Observed
from tests.oracle.reading import names_of
from tests.oracle.standins import StandIns, stand_ins
from tests.unit.litellm_reads import value_at

VERDICTS = load_verdicts()
WORKING = [case for case in load_cases() if VERDICTS.get(case.name, {}).get("verdict") == "works"]
SAMPLE = WORKING if os.environ.get("AIBACKEND_SOAK") else WORKING[3 :: len(WORKING) // 6 + 1]


@pytest.fixture(scope="module")
def standins() -> Iterator[StandIns]:
    with stand_ins() as found:
        yield found


@pytest.fixture(scope="module")
def oracle(standins: StandIns) -> Iterator[Oracle]:
    with Host() as host:
        yield Oracle(host, standins)


def imported(case: Case, folder: Path, ports: dict[str, int], capsys: pytest.CaptureFixture[str]) -> Case:
    """Return the case with the file that its import generates, and secrets in the variables of its report."""
    for part in (CORPUS.parent / "included").glob("*.*"):
        (folder / part.name).write_text(fill_in(part.read_text(encoding="utf-8"), ports), encoding="utf-8")
    config = folder / "config.yaml"
    config.write_text(case.text, encoding="utf-8")
    assert main(["import", str(config), "--output", str(folder / "sources"), "--json"]) == 0
    secrets: list[Any] = json.loads(capsys.readouterr().out)["secrets"]
    original = yaml.safe_load(case.text)
    variables = [("env", f"{each['variable']}={value_at(original, each['from'])}") for each in secrets]
    text = (folder / "sources" / FILES["generated"]).read_text(encoding="utf-8")
    return replace(case, text=text, directives=(*case.directives, *variables))


@pytest.mark.parametrize("case", SAMPLE, ids=[case.name for case in SAMPLE])
def test_the_gateway_sees_no_difference(
    oracle: Oracle, standins: StandIns, case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = case.at(standins.ports)
    there = imported(here, tmp_path, standins.ports, capsys)
    names = names_of(case.text)
    before, after = oracle._observe(here, names), oracle._observe(there, names)
    assert after.failures == before.failures
    assert meant(after) == meant(before)


def meant(observed: Observed) -> Any:
    """Return what must be the same.

    Which of several deployments is asked is chance; fallbacks are the router's, wherever it has them from.
    """
    (listed, answers, *rest), groups, settings = observed.effect
    answered = {name: (answer.status, answer.requests and answer.asked) for name, answer in answers.items()}
    library = {name: value for name, value in settings["litellm"].items() if "fallbacks" not in name}
    return listed, answered, rest, groups, settings["router"], library
