"""CONFIG-SCHEMA.md: what the models say, an example for every field, and the examples are good ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from pytest_aibackend.cli import main
from pytest_aibackend.findings import Finding
from pytest_aibackend.sources import models
from pytest_aibackend.sources.backend import Backend, load_backend
from pytest_aibackend.sources.documentation import EXAMPLES, examples_of
from pytest_aibackend.sources.meanings import MEANINGS, NO_EFFECT, meaning_of
from pytest_aibackend.sources.source_file import MODELS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "CONFIG-SCHEMA.md"


def fields_of(name: str) -> set[str]:
    fields = set(getattr(models, name).model_fields)
    return fields - {"services"} if name == "PortsFile" else fields


def examples_on_the_page() -> dict[str, str]:
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"^## ([\w-]+)\.yaml\n\n```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


@pytest.fixture
def written(tmp_path: Path) -> Backend:
    """The examples of the page, as a directory."""
    for role, text in examples_on_the_page().items():
        (tmp_path / f"{role}.yaml").write_text(text, encoding="utf-8")
    return load_backend(tmp_path)


def test_page_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["docs", "schema"]) == 0
    if PAGE.read_text(encoding="utf-8") != capsys.readouterr().out:
        pytest.fail("out of date: aibackend docs schema > CONFIG-SCHEMA.md", pytrace=False)


def test_every_model_has_a_section() -> None:
    sources = {
        name
        for name in models.__all__
        if isinstance(each := getattr(models, name), type) and issubclass(each, BaseModel)
    }
    assert set(EXAMPLES) == sources


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_field_has_an_example_and_a_meaning(name: str) -> None:
    assert fields_of(name) <= set(examples_of(name))
    assert all(meaning_of(name, field) for field in fields_of(name))
    assert set(MEANINGS.get(name, ())) <= fields_of(name)


def test_examples_load(written: Backend) -> None:
    assert set(examples_on_the_page()) == set(MODELS)
    found: list[Finding] = [
        *(each for role in MODELS for each in written.load_findings(role)),
        *(each for role in MODELS for each in written.schema_findings(role)),
    ]
    assert found == []
    assert written.is_loaded(*MODELS)


def test_examples_pass_the_checks_but_for_what_has_no_effect(
    written: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written.config_dir
    assert main(["generate", "--config", str(config)]) == 0
    capsys.readouterr()
    command = [sys.executable, "-m", "pytest_aibackend.cli", "check", "--json", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    findings = [each for check in json.loads(done.stdout)["checks"] for each in check["findings"]]
    assert {each["rule"] for each in findings} == {"no-backup", "setting-without-effect"}
    lines = (config / "model-mappings.yaml").read_text(encoding="utf-8").splitlines()
    told = [each["line"] - 1 for each in findings if each["file"].endswith("model-mappings.yaml")]
    keys = {lines[line].strip(" -").split(":")[0] for line in told}
    assert keys == {field for fields in MEANINGS.values() for field in fields if fields[field] == NO_EFFECT}
