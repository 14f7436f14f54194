"""The JSON document: true to its schema, the same wherever it is read, and with and without xdist."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

import pytest_aibackend.reporting

from .conftest import Site

SCHEMA = json.loads(
    Path(pytest_aibackend.reporting.__file__).with_name("report.schema.json").read_text(encoding="utf-8")
)
Edit = Callable[[Site], object]


def validate(document: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA).validate(document)
    summary, checks = document["summary"], document["checks"]
    assert [each["number"] for each in checks] == list(range(1, 12))
    assert sum(summary[word] for word in ("passed", "warned", "failed", "skipped")) == summary["total"] == 11
    found = [finding["severity"] for each in checks for finding in each["findings"]]
    assert found.count("error") == summary["findings"]["error"]
    assert found.count("warning") == summary["findings"]["warning"]


def without_durations(document: dict[str, Any]) -> dict[str, Any]:
    plain = copy.deepcopy(document)
    for each in plain["checks"]:
        del each["duration_s"]
    return plain


def leave_as_it_is(site: Site) -> None:
    pass


def break_much(site: Site) -> None:
    site.edit("model-mappings.yaml", "provider: ollama\n", "provider: olama\n", count=2)
    site.edit("ports.yaml", "port: 8001", "port: 8000")
    site.edit("providers.yaml", "status: active", "statsu: active")
    site.edit("gateway.yaml", "drop_params: true", "drop_parms: true")


def break_syntax(site: Site) -> None:
    site.edit("providers.yaml", "    type: ollama\n", "    type: [ollama\n")


def stop_everything(site: Site) -> None:
    site.move_ports()


CASES = {
    "shipped": (leave_as_it_is, ()),
    "failing": (break_much, ()),
    "strict": (break_much, ("--aibackend-strict",)),
    "blocked": (break_syntax, ()),
    "live": (stop_everything, ("--live", "--aibackend-timeout=2")),
    "one-check": (leave_as_it_is, ("-m", "critical", "-k", "yaml_syntax")),
}


@pytest.mark.parametrize("case", CASES)
def test_same_with_and_without_xdist(make_site: Callable[[], Site], case: str) -> None:
    edit, options = CASES[case]
    site = make_site()
    edit(site)
    alone, document = site.document(*options)
    validate(document)
    site.distribution = ("-n", "2")
    together, distributed = site.document(*options)
    validate(distributed)
    assert without_durations(document) == without_durations(distributed)
    assert alone.ret == together.ret
    # xdist does not tell its controller what it deselects.
    assert {**alone.parseoutcomes(), "deselected": 0} == {**together.parseoutcomes(), "deselected": 0}


def test_command_line_prints_exactly_the_document(
    make_site: Callable[[], Site], capsys: pytest.CaptureFixture[str]
) -> None:
    site = make_site()
    break_much(site)
    _, document = site.document()
    capsys.readouterr()
    done = site.pytester.run(sys.executable, "-m", "pytest_aibackend.cli", "check", "--json")
    assert done.ret == 1
    printed = json.loads(done.stdout.str())
    assert without_durations(printed) == without_durations(document)
    assert done.stderr.str() == ""


def test_document_needs_the_report_plugin_only(make_site: Callable[[], Site]) -> None:
    site = make_site()
    assert site.run("-k", "yaml_syntax").ret == 0
    assert not (site.path / ".report.json").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("summary"),
        lambda d: d.update(schema_version=2),
        lambda d: d.update(more=1),
        lambda d: d["checks"].pop(),
        lambda d: d["checks"][0].update(status="good"),
        lambda d: d["checks"][0].update(findings=[{"rule": "x"}]),
        lambda d: d["checks"][0].update(number=12),
        lambda d: d["checks"][6].update(reason=""),
        lambda d: d["summary"].update(total=10),
    ],
    ids=["no-summary", "version", "more", "ten", "status", "finding", "number", "no-reason", "total"],
)
def test_schema_refuses(spoil: Callable[[dict[str, Any]], object]) -> None:
    document = copy.deepcopy(SAMPLE)
    validate(document)
    spoil(document)
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(document)


def _sample() -> dict[str, Any]:
    from pytest_aibackend.reporting.results import RunResults

    results = RunResults()
    for number in (1, 2):
        results.record(
            nodeid=str(number),
            payload={"check": number, "findings": [], "ignored": 0},
            verdict="passed",
            when="call",
            outcome="passed",
            duration_s=0.1,
            reason="",
        )
    return results.document("config")


SAMPLE = _sample()
