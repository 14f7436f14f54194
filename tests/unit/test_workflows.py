"""The workflows: what they run is here, no stranger has a hand in it, and the page tells them as they are."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.workflows import FOLDER, NAMES, ROOT, load, needs, steps

STAGES = ("yaml", "quality", "schema", "secrets", "docs", "generated", "integration", "comprehensive")
PAGE = ROOT / "docs" / "ci.md"
PINNED = re.compile(r"uses: ([\w/.-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")


def make_graph() -> dict[str, list[str]]:
    """What `make ci` does before each stage, as make itself has read the Makefile."""
    database = subprocess.run(
        ["make", "--print-data-base", "--question", "GRAPH=1", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.findall(r"^ci-(\w+):(.*)$", database, re.MULTILINE)
    return {stage: re.findall(r"\bci-(\w+)", rest) for stage, rest in found}


def targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {
        name for line in re.findall(r"^([a-z][\w -]*):(?!=)", text, re.MULTILINE) for name in line.split()
    }


def table() -> list[list[str]]:
    rows = re.findall(r"^\| (\d .*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


# -- what they run


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_ours(name: str) -> None:
    for step in steps(name):
        if step.run is None:
            continue
        assert "${{" not in step.run, "what others wrote reaches a program through env alone"
        made = re.fullmatch(r"make ([\w-]+)", step.run)
        assert (made and made[1] in targets()) or step.run == ".ci/run", step.run


def test_each_stage_is_one_target() -> None:
    assert list(load("validate-config")["jobs"]) == list(STAGES)
    ran: dict[str, list[str]] = {}
    for step in steps("validate-config"):
        if step.run is not None:
            ran.setdefault(step.job, []).append(step.run)
    assert ran == {stage: [f"make ci-{stage}"] for stage in STAGES}


def test_graph_is_the_same_on_a_desk() -> None:
    graph = needs("validate-config")
    assert {stage: sorted(before) for stage, before in make_graph().items()} == {
        stage: sorted(before) for stage, before in graph.items()
    }
    assert graph["yaml"] == []
    assert all(graph[stage] == ["yaml"] for stage in ("quality", "schema", "secrets"))
    assert graph["docs"] == ["schema"]
    assert sorted(graph["comprehensive"]) == ["schema", "yaml"]


def test_stages_alone_need_no_other_stage() -> None:
    plain = subprocess.run(
        ["make", "--print-data-base", "--question", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert not re.findall(r"^ci-\w+:.*\bci-", plain, re.MULTILINE)


# -- what they may


@pytest.mark.parametrize("name", NAMES)
def test_least_permissions(name: str) -> None:
    workflow = load(name)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 45
        allowed = {"contents": "read"} if "environment" not in job else {"id-token": "write"}
        assert job["permissions"] == allowed


def test_only_the_release_may_publish() -> None:
    assert set(load("release")["on"]) == {"push"}
    assert load("release")["on"]["push"] == {"tags": ["v*"]}
    assert not [name for name in NAMES if "pull_request_target" in load(name)["on"]]


def test_actions_are_pinned_and_the_same_everywhere() -> None:
    lines = [
        line.strip()
        for name in NAMES
        for line in (FOLDER / f"{name}.yml").read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    found = [PINNED.search(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    pins = {match.groups() for match in found if match}
    assert len({action for action, _, _ in pins}) == len(pins), sorted(pins)


def test_validate_config_is_started_by_what_it_looks_at() -> None:
    on: dict[str, Any] = load("validate-config")["on"]
    assert on["push"]["branches"] == ["main", "master"]
    folders = {path.split("/")[0] for path in on["push"]["paths"] if path.endswith("/**")}
    assert {"config", "checks", "pytest_aibackend", "scripts", "docs", ".github"} <= folders
    assert all((ROOT / path.split("/")[0]).exists() for path in on["push"]["paths"] if "*" not in path)
    assert on["workflow_dispatch"]["inputs"]["integration"]["type"] == "boolean"
    assert "pull_request" in on


# -- what is said of them


def test_page_has_the_stages_as_they_are() -> None:
    jobs, graph = load("validate-config")["jobs"], needs("validate-config")
    numbers = {stage: str(index) for index, stage in enumerate(STAGES, start=1)}
    rows = [
        [jobs[stage]["name"], f"`make ci-{stage}`", ", ".join(numbers[each] for each in graph[stage]) or "-"]
        for stage in STAGES
    ]
    assert [row[:3] for row in table()] == rows


def test_picture_has_the_graph() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    graph = needs("validate-config")
    assert sorted(drawn) == sorted((before, stage) for stage in STAGES for before in graph[stage])


@pytest.mark.parametrize("name", NAMES)
def test_page_names_every_workflow(name: str) -> None:
    assert f"(../.github/workflows/{name}.yml)" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("config/ports.yaml:12:5: error: port-conflict: 1 and 2", ("config/ports.yaml", "12", "5", "error")),
        ("pytest_aibackend/cli/a.py:3: error: Name [x]", ("pytest_aibackend/cli/a.py", "3", None, "error")),
        ("config/gateway.yaml:26:3: warning: no-backup: x", ("config/gateway.yaml", "26", "3", "warning")),
        ("a.py:1:1: error: new secret: AWS Access Key", ("a.py", "1", "1", "error")),
        ("  hint: run `aibackend generate`", None),
        ("pytest_aibackend/a.py:3: note: see there", None),
        ("error: something else", None),
    ],
)
def test_matcher_finds_findings(line: str, seen: tuple[str | None, ...] | None) -> None:
    matcher = json.loads((ROOT / ".github" / "findings-matcher.json").read_text(encoding="utf-8"))
    (pattern,) = matcher["problemMatcher"][0]["pattern"]
    match = re.match(pattern["regexp"], line)
    assert (match and tuple(match[pattern[key]] for key in ("file", "line", "column", "severity"))) == seen


def test_findings_matcher_is_loaded_on_github_alone() -> None:
    told = {
        given: subprocess.run(
            ["make", "--dry-run", "--old-file=.venv/.tools", f"GITHUB_ACTIONS={given}", "ci-docs", "ci-yaml"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for given in ("", "true")
    }
    assert Path(ROOT / ".github" / "findings-matcher.json").is_file()
    assert "::add-matcher::.github/findings-matcher.json" in told["true"]
    assert "::add-matcher::" not in told[""]
