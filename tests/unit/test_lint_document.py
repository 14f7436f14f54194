"""A config put together from files: what LiteLLM has of it, and where each part stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import load_schema

NAMES = ["config.yaml", "a.yaml", "b.yaml", "sub/c.yaml", "sub/d.yaml"]
SECTIONS = st.sampled_from(["model_list", "litellm_settings", "general_settings", "guardrails"])
VALUES = st.one_of(
    st.lists(st.fixed_dictionaries({"model_name": st.text("abc", min_size=1, max_size=3)}), max_size=3),
    st.dictionaries(st.text("xyz", min_size=1, max_size=2), st.integers(0, 9), max_size=3),
)
INCLUDES = st.lists(st.sampled_from([*NAMES, "c.yaml", "d.yaml", "../a.yaml"]), max_size=3)
FILES = st.fixed_dictionaries(
    {
        name: st.tuples(st.dictionaries(SECTIONS, VALUES, max_size=3), st.one_of(st.none(), INCLUDES))
        for name in NAMES
    }
)


def read(root: Path, name: str = "config.yaml") -> LintDocument:
    path = root / name
    return LintDocument.read(path.read_bytes(), name, str(path))


def as_litellm_merges(root: Path) -> dict[str, Any] | None:
    """Merge as LiteLLM 1.106.2 does (proxy/common_utils/config_includes.py), None where it refuses."""
    first = str(root / "config.yaml")
    loaded = {first}
    config = yaml.safe_load(Path(first).read_text()) or {}
    pending = [(entry, first) for entry in config.pop("include", [])]
    while pending:
        entry, declared_in = pending.pop(0)
        beside, beside_root = (
            os.path.abspath(os.path.join(os.path.dirname(file), entry)) for file in (declared_in, first)
        )
        location = beside if os.path.exists(beside) or not os.path.exists(beside_root) else beside_root
        if location in loaded:
            continue
        if not os.path.exists(location):
            return None
        loaded.add(location)
        included = yaml.safe_load(Path(location).read_text()) or {}
        pending += [(each, location) for each in included.pop("include", [])]
        for key, value in included.items():
            before = config.get(key)
            config[key] = before + value if isinstance(before, list) and isinstance(value, list) else value
    return config


@given(files=FILES)
def test_includes_are_merged_as_litellm_merges_them(
    files: dict[str, tuple[dict[str, Any], list[str] | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("config")
    (root / "sub").mkdir()
    for name, (sections, includes) in files.items():
        listed = {} if includes is None else {"include": includes}
        (root / name).write_text(yaml.safe_dump({**listed, **sections}, sort_keys=False))
    document = read(root)
    expected = as_litellm_merges(root)
    missing = [problem for problem in document.include_problems if problem.rule == "include-missing"]
    assert bool(missing) == (expected is None)
    if expected is None:
        return
    assert {key: value for key, value in document.data.items() if key != "include"} == expected
    # Each place is in the file, and on the line, where the thing is written.
    for index, deployment in enumerate(document.deployments):
        place = document.locate(("model_list", index, "model_name"))
        assert place.line is not None
        line = (root / place.file).read_text().splitlines()[place.line - 1]
        assert yaml.safe_load(line.strip().removeprefix("- "))["model_name"] == deployment.entry["model_name"]


def test_a_finding_in_an_included_file_is_shown_and_silenced_there(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "include: [models/list.yaml]\ngeneral_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n"
        "model_list:\n  - model_name: a\n    litellm_params: {model: ollama/a, api_base: 'http://127.0.0.1:1'}\n"
    )
    (tmp_path / "models").mkdir()
    included = tmp_path / "models" / "list.yaml"
    text = "model_list:\n  - model_name: b\n    litellm_params: {model: ollama/b, api_base: 5}\n"
    included.write_text(text)
    result = lint(read(tmp_path), load_schema("1.106"))
    assert [(f.rule, str(f.location), f.subject) for f in result.findings] == [
        ("wrong-type", "models/list.yaml:3:39", "b")
    ]
    included.write_text(text.replace("5}", "5} # aibackend: ignore[wrong-type] for a test"))
    result = lint(read(tmp_path), load_schema("1.106"))
    assert result.findings == ()
    assert [finding.rule for finding in result.ignored] == ["wrong-type"]


def test_what_an_anchor_gives_to_many_is_told_once_where_it_stands() -> None:
    text = "x-p: &p {rpm: 9/min}\nmodel_list:\n" + "".join(
        f"  - model_name: m{i}\n    litellm_params: {{<<: *p, model: ollama/m{i}, api_base: 'http://h:1'}}\n"
        for i in range(3)
    )
    document = LintDocument.read(text.encode(), "c.yaml")
    found = [f for f in lint(document, load_schema("1.106")).findings if f.rule == "wrong-type"]
    assert [(f.location.line, f.location.column) for f in found] == [(1, 10)]


def test_a_config_cannot_make_the_linter_read_a_device_or_without_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "config.yaml").write_text(f"include: [pipe, /dev/zero, {', '.join(['x.yaml'] * 3000)}]\n")
    problems = read(tmp_path).include_problems
    assert [problem.rule for problem in problems[:3]] == [
        "include-unreadable",
        "include-unreadable",
        "include-missing",
    ]
    (tmp_path / "config.yaml").write_text("include: [" + ", ".join(f"{i}.yaml" for i in range(3000)) + "]\n")
    assert len(read(tmp_path).include_problems) < 300
