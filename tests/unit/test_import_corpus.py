"""The importer on the oracle's corpus: all of it means the same afterwards, or is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.cli import main
from pytest_aibackend.importer.verify import check
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import load_schema
from pytest_aibackend.sources.backend import FILES
from tests.oracle.cases import CORPUS, Case, fill_in, load_cases, load_verdicts
from tests.unit.litellm_reads import read, value_at

PORTS: Final = {
    "OPENAI": 8000,
    "ANTHROPIC": 8003,
    "VLLM": 8001,
    "OLLAMA": 11434,
    "LLAMACPP": 8080,
    "REDIS": 6379,
}
VERDICTS: Final = {name: verdict["verdict"] for name, verdict in load_verdicts().items()}
CASES: Final = load_cases()
# What the critical checks find in a configuration with which LiteLLM works, and why they are right; what the
# linter says of the original is judged by tests/stack/test_oracle.py.
TRUE_FINDINGS: Final = {
    "endpoints/vllm-full-path": "url-path-mismatch",  # LiteLLM cuts the path off; the probes would ask there
}


def lay_out(case: Case, folder: Path) -> Path:
    """Write a case, and beside it what it may include."""
    for part in (CORPUS.parent / "included").glob("*.*"):
        (folder / part.name).write_text(fill_in(part.read_text(encoding="utf-8"), PORTS), encoding="utf-8")
    path = folder / "config.yaml"
    path.write_text(case.text, encoding="utf-8")
    return path


def moved_values(original: Path, report: dict[str, Any]) -> dict[str, str]:
    """Return what the variables have to hold that took the places of secrets."""
    data = yaml.safe_load(original.read_bytes())
    return {secret["variable"]: value_at(data, secret["from"]) for secret in report["secrets"]}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_corpus(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = case.at(PORTS)
    original, output = lay_out(here, tmp_path), tmp_path / "sources"
    status = main(["import", str(original), "--output", str(output), "--json"])
    said = capsys.readouterr()
    if status:
        assert (status, said.out) == (1, "")
        assert VERDICTS.get(case.name) != "works"
        assert not output.exists()
        assert_names_its_reason(said.err)
        return
    report = json.loads(said.out)
    fresh = tmp_path / "fresh.yaml"
    assert main(["generate", "--config", str(output), "--output", str(fresh)]) == 0
    capsys.readouterr()
    assert fresh.read_bytes() == (output / FILES["generated"]).read_bytes()
    environment = {**here.environment, **moved_values(original, report)}
    meant = read(original, here.environment)
    for name in re.findall(r"'(\S+)' only held anchors", "\n".join(report["remarks"])):
        del meant[name]
    assert read(fresh, environment) == meant
    if VERDICTS.get(case.name) == "works":
        critical = {each.number for each in CHECKS.values() if each.critical}
        found = [finding for number, finding in check(output) if number in critical]
        failed = {finding.rule for finding in found if finding.severity == "error"}
        assert failed <= {*linted(original, here.environment), TRUE_FINDINGS.get(case.name, "")}


def linted(path: Path, environment: dict[str, str]) -> set[str]:
    document = LintDocument.read(path.read_bytes(), str(path), str(path))
    return {finding.rule for finding in lint(document, load_schema(), environment=environment).findings}


def assert_names_its_reason(said: str) -> None:
    """Say that a refusal has file and line, a reason, and what to do."""
    *lines, last = said.splitlines()
    assert last == "aibackend import: nothing was written"
    assert lines
    for reason, hint in zip(lines[::2], lines[1::2], strict=True):
        assert re.match(r"\S.*\.yaml:\d+:\d+: \S", reason)
        assert re.match(r"  hint: \S", hint)
