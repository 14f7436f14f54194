"""The schema for editors: draft-07, silent on what is right, and loud on unknown keys and wrong types."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator

from pytest_aibackend.cli import main
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import Key, load_schema, shipped_lines
from pytest_aibackend.litellm.schema.editor import editor_schema, text_of
from tests.oracle.cases import Case, load_cases, load_verdicts

ROOT = Path(__file__).resolve().parents[2]
VERDICTS = load_verdicts()
CASES = {case.name: case for case in load_cases() if case.name in VERDICTS}
# An editor cannot see that a section of another name is there for its anchors; lint can.
UNSEEN = {"correct/anchors"}
CORRECT = sorted(name for name in CASES if CASES[name].kind == "correct" and name not in UNSEEN)
SEEN = {"unknown-key", "misplaced-key", "unread-section", "wrong-type", "unknown-value", "missing-key"}
MODEL = {"model_name": "m", "litellm_params": {"model": "openai/m"}}
VALUES: tuple[Any, ...] = (None, True, 0, 3, -1, 0.5, "", "600", "20s", "os.environ/X", [], ["a"], {})


@cache
def validator(line: str) -> Draft7Validator:
    """Return what an editor does with the schema of a release line."""
    return Draft7Validator(json.loads(text_of(editor_schema(load_schema(line)))))


def marked(document: Any, line: str = "1.106") -> list[str]:
    """Return the places that an editor marks."""
    return sorted(error.json_path for error in validator(line).iter_errors(document))


def parsed(case: Case) -> Any:
    """Return a case as data: with placeholders for ports, which are numbers."""
    return yaml.safe_load(case.text.replace("@REDIS@", "6379"))


def rules_found(name: str) -> set[str]:
    """Return the rules that the linter names for a case."""
    document = LintDocument.read(CASES[name].text.encode(), "config.yaml", None)
    return {finding.rule for finding in lint(document, load_schema("1.106")).findings}


@pytest.mark.parametrize("line", shipped_lines())
def test_is_a_draft_07_schema_and_tells_of_every_setting(line: str) -> None:
    document = validator(line).schema
    assert isinstance(document, dict)
    Draft7Validator.check_schema(document)
    assert "$defs" not in json.dumps(document)
    assert '"x-litellm":' not in json.dumps(document)
    for name in (
        "general_settings",
        "litellm_settings",
        "router_settings",
        "litellm_params",
        "guardrail_params",
    ):
        for key, about in document["definitions"][name]["properties"].items():
            assert f"LiteLLM {load_schema(line).version}: " in about["description"], (name, key)


@pytest.mark.parametrize("name", CORRECT)
def test_marks_nothing_in_what_the_gateway_takes(name: str) -> None:
    assert marked(parsed(CASES[name])) == []


@pytest.mark.parametrize("line", shipped_lines())
def test_marks_nothing_in_documented_settings(line: str) -> None:
    text = Path(__file__).with_name("documented_config.yaml").read_text(encoding="utf-8")
    assert marked(yaml.safe_load(text), line) == []


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("", "models", []),
        ("general_settings", "mastre_key", "x"),
        ("general_settings", "fallbacks", [{"a": ["b"]}]),
        ("general_settings", "health_check_interval", "5m"),
        ("litellm_settings", "num_retries", "often"),
        ("litellm_settings", "success_callback", "langfuse"),
        ("litellm_settings", "fallbacks", {"a": ["b"]}),
        ("router_settings", "enable_pre_call_check", True),
        ("router_settings", "routing_strategy", "round-robin"),
        ("router_settings", "timeout", "25s"),
        ("router_settings", "retry_policy", {"TimeoutErrorRetries": "many"}),
    ],
)
def test_marks_unknown_keys_and_wrong_types(section: str, key: str, value: Any) -> None:
    document: dict[str, Any] = {"model_list": [MODEL]}
    assert marked(document) == []
    holder = document.setdefault(section, {}) if section else document
    holder[key] = value
    (where,) = marked(document)
    path = f"$.{section}" if section else "$"
    assert where in {path, f"{path}.{key}", f"{path}.{key}.TimeoutErrorRetries"}


def test_marks_the_corpus_types_and_keys() -> None:
    """What lint says of keys and types in the file itself, an editor shows, too."""
    faults = [name for name in CASES if VERDICTS[name]["verdict"] != "works" and SEEN & rules_found(name)]
    unmarked = {name for name in faults if not marked(parsed(CASES[name]))}
    assert len(faults) > 30
    assert len(unmarked) <= len(faults) // 8, sorted(unmarked)


def test_a_reference_to_the_environment_may_stand_for_any_scalar() -> None:
    for name in ("general_settings", "litellm_settings", "router_settings"):
        for key in load_schema().section(name).keys.values():
            if key.types & {"string", "integer", "number", "boolean"}:
                assert marked({name: {key.name: "os.environ/SOME_NAME"}}) == [], key


@given(data=st.data())
def test_marks_what_the_schema_does_not_allow_and_nothing_else(data: st.DataObject) -> None:
    schema = load_schema()
    section = data.draw(st.sampled_from(["general_settings", "litellm_settings", "router_settings"]))
    key: Key = data.draw(
        st.sampled_from(sorted(schema.section(section).keys.values(), key=lambda key: key.name))
    )
    value = data.draw(st.sampled_from(VALUES))
    allowed = value is None or Draft202012Validator(schema.document).is_valid({section: {key.name: value}})
    assert (marked({section: {key.name: value}}) == []) == allowed, (key, value)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "litellm.json"
    assert main(["schema", "litellm", "--litellm-version", "1.96.0", "--output", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert json.loads(target.read_text(encoding="utf-8"))["title"] == "config.yaml of LiteLLM 1.96"
    assert main(["schema", "litellm", "--litellm-version", "1.96.0"]) == 0
    assert capsys.readouterr().out == target.read_text(encoding="utf-8")
    assert main(["schema", "litellm", "--output", str(tmp_path / "no" / "x.json")]) == 2
    assert "cannot write" in capsys.readouterr().err
    assert main(["schema", "litellm", "--litellm-version", "nonsense"]) == 2
    assert "'nonsense' is no LiteLLM version; there are schemas for 1.85" in capsys.readouterr().err


def test_command_imports_nothing_heavy() -> None:
    program = (
        "import sys; from pytest_aibackend.cli import main; main(['schema', 'litellm']);"
        "heavy = ('litellm', 'pydantic', 'yaml', 'jsonschema');"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stderr == "[]\n"
