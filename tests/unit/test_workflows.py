"""The workflows: what they run is here, no stranger has a hand in it, and the page tells them as they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflows import FOLDER, NAMES, ROOT, load, needs, steps

STAGES = ("yaml", "quality", "schema", "secrets", "docs", "generated", "integration", "comprehensive")
PAGE = ROOT / "docs" / "ci.md"
# Nothing is installed by a test: make takes it for done.
STAMPS = tuple(f"--old-file={Path(sys.prefix, name)}" for name in (".tools", ".dev"))
MAKE = ("make", f"--file={ROOT / 'Makefile'}", *STAMPS, "VENV=" + sys.prefix.replace(" ", r"\ "))
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
def test_every_runner_keeps_what_pip_fetched_but_the_one_that_publishes(name: str) -> None:
    for job in load(name)["jobs"].values():
        for step in job["steps"]:
            if "setup-python" in step.get("uses", ""):
                assert step["with"].get("cache") == (None if name == "release" else "pip")
        assert all(step.get("name") for step in job["steps"])


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
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.yaml", "*.yml", "*.md", "*.toml", "*.sh", "config", "constraints.txt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    patterns = [
        re.escape(path).replace(r"\*\*", ".*").replace(r"\*", "[^/]*") for path in on["push"]["paths"]
    ]
    assert [path for path in listed if not re.fullmatch("|".join(patterns), path)] == []
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


def annotation(line: str) -> tuple[str | None, ...] | None:
    """What GitHub makes of a line: file, line, column and how grave it is."""
    if match := re.match(r"::(error|warning) (?:title=[^,]*,)?file=([^,]+),line=(\d+)(?:,col=(\d+))?", line):
        return match[2], match[3], match[4], match[1]
    for matcher in json.loads((ROOT / ".github" / "findings-matcher.json").read_text())["problemMatcher"]:
        (pattern,) = matcher["pattern"]
        if match := re.match(pattern["regexp"], line):
            file, number, column, severity = (
                match[pattern[key]] if key in pattern else None
                for key in ("file", "line", "column", "severity")
            )
            assert match[pattern["message"]]
            return file, number, column, severity or matcher["severity"]
    return None


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("config/ports.yaml:12:5: error: port-conflict: 1 and 2", ("config/ports.yaml", "12", "5", "error")),
        ("pytest_aibackend/cli/a.py:3: error: Name [x]", ("pytest_aibackend/cli/a.py", "3", None, "error")),
        ("config/gateway.yaml:26:3: warning: no-backup: x", ("config/gateway.yaml", "26", "3", "warning")),
        ("a.py:1:1: error: new secret: AWS Access Key", ("a.py", "1", "1", "error")),
        (".env:1:1: error: new secret: Secret Keyword", (".env", "1", "1", "error")),
        ("Makefile:9:1: error: new secret: Secret Keyword", ("Makefile", "9", "1", "error")),
        (
            "config/litellm-unified.yaml: error: generated-missing: it does not exist",
            ("config/litellm-unified.yaml", None, None, "error"),
        ),
        (
            "  .github/workflows/a.yml::$.jobs.b: {} is not valid",
            (".github/workflows/a.yml", None, None, "error"),
        ),
        ("  .github/workflows/a.yaml::$.on: x", (".github/workflows/a.yaml", None, None, "error")),
        ("- pytest_aibackend.findings -> pytest_aibackend.sources (l.7)", (None, None, None, "error")),
        ("  hint: run `aibackend generate`", None),
        ("pytest_aibackend/a.py:3: note: see there", None),
        ("error: something else", None),
        ("FAILED checks/test_02.py::test_a[b] - Failed: config/a.yaml:6:5: error: unknown-value: x", None),
    ],
)
def test_matcher_finds_findings(line: str, seen: tuple[str | None, ...] | None) -> None:
    assert annotation(line) == seen


@pytest.mark.parametrize("ending", ["yml", "yaml"])
@pytest.mark.parametrize(
    ("tool", "good", "bad", "seen"),
    [
        ("zizmor", r"(actions/checkout)@\w+ # \S+", r"\1@v6", ("24", None, "error")),
        ("zizmor", "run: make review", "run: echo ${{ github.head_ref }}", ("42", None, "error")),
        ("check-jsonschema", "timeout-minutes", "timeout-minuts", (None, None, "error")),
    ],
)
def test_a_bad_workflow_is_told_on_github(
    tool: str, good: str, bad: str, seen: tuple[str | None, ...], *, ending: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    shipped = tmp_path / ".github" / "workflows" / "pr-validation.yml"
    workflow = shipped.rename(shipped.with_suffix(f".{ending}"))
    text, count = re.subn(good, bad, workflow.read_text(encoding="utf-8"))
    assert count == 1
    workflow.write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    made = subprocess.run(
        [*MAKE, "--dry-run", "GITHUB_ACTIONS=true", "lint"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (line, *_) = (line for line in made.splitlines() if f"/{tool} " in line)
    done = subprocess.run(
        ["bash", "-c", line.removesuffix(" || status=1; \\")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    told = [annotation(line) for line in (done.stdout + done.stderr).splitlines()]
    assert (f".github/workflows/{workflow.name}", *seen) in told, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("stage", "faults", "said"),
    [
        (
            "yaml",
            {"ports.yaml": ("  port: 4000\n", "  port: 4000\n  port: 4001\n")},
            ('duplication of key "port"', "config/ports.yaml:6:3: error: duplicate-key: "),
        ),
        (
            "schema",
            {
                "providers.yaml": ("type: ollama", "type: olama"),
                "litellm-unified.yaml": ("model_list:", "model_lst:"),
            },
            ("config/providers.yaml:6:5: error: unknown-value: ", ":7:1: error: unread-section: "),
        ),
    ],
    ids=["yaml", "schema"],
)
def test_a_stage_says_all_that_it_has_to_say(
    stage: str, faults: dict[str, tuple[str, str]], said: tuple[str, ...], tmp_path: Path
) -> None:
    for folder in ("config", "checks", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py", ".yamllint.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    for file, (good, bad) in faults.items():
        path = tmp_path / "config" / file
        text = path.read_text(encoding="utf-8")
        assert good in text
        path.write_text(text.replace(good, bad, 1), encoding="utf-8")
    for words in ("init --quiet", "add ."):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "MAKE"))}
    done = subprocess.run(
        [*MAKE, f"ci-{stage}"], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert [words for words in said if words not in done.stdout] == [], done.stdout


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
