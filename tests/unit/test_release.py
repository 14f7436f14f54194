"""What is released: all of the package, all of the repository, under one version that all agree on."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hatchling.builders.plugin.interface import BuilderInterface
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import pytest_aibackend
from tests.walkthrough import ROOT
from tests.workflows import load, steps


def packed(builder: BuilderInterface[Any, Any]) -> set[str]:
    """Return the files that a distribution would hold, by their path in it."""
    forced = builder.recurse_forced_files(builder.config.get_force_include())
    return {file.distribution_path for files in (builder.recurse_included_files(), forced) for file in files}


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git repository")
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_wheel_is_the_package_and_its_checks(tracked: set[str]) -> None:
    ours = {name for name in tracked if name.startswith("pytest_aibackend/")}
    checks = {f"pytest_aibackend/{name}" for name in tracked if name.startswith("checks/")}
    assert {"pytest_aibackend/py.typed", "pytest_aibackend/litellm/schema/litellm-1.106.json"} <= ours
    there = packed(WheelBuilder(str(ROOT)))
    assert ours | checks <= there
    # What nobody has committed yet may lie beside it on a desk; nothing of another folder does.
    assert all(name.startswith("pytest_aibackend/") for name in there)
    assert not [name for name in there if re.search(r"__pycache__|\.pyc$|\.aibackend/|/tests?/", name)]


def test_source_distribution_is_the_repository(tracked: set[str]) -> None:
    there = packed(SdistBuilder(str(ROOT)))
    assert tracked <= there, sorted(tracked - there)
    ignored = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.isdisjoint(ignored.stdout.split("\0"))


def test_nothing_that_is_tracked_is_ignored(tracked: set[str]) -> None:
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=ROOT,
        input="\0".join(sorted(tracked)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


def test_version_is_written_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "pytest_aibackend/__init__.py"
    assert WheelBuilder(str(ROOT)).metadata.version == pytest_aibackend.__version__
    assert importlib.metadata.version("pytest-aibackend") == pytest_aibackend.__version__


def test_changelog_goes_up_to_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[(.+?)\](.*)$", text, re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    released = [name for name, _ in sections[1:]]
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", rest) for _, rest in sections[1:])
    assert not released or released[0] == pytest_aibackend.__version__


def test_the_same_pythons_everywhere(try_wheel: ModuleType) -> None:
    wanted = try_wheel.supported()
    assert wanted[0] == "3.11"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["project"]["requires-python"] == f">={wanted[0]}"
    assert settings["tool"]["mypy"]["python_version"] == wanted[0]
    assert settings["tool"]["ruff"]["target-version"] == f"py{wanted[0].replace('.', '')}"
    assert load("tests")["jobs"]["lint-and-test"]["strategy"]["matrix"]["python"] == wanted
    (set_up,) = [
        step["with"]["python-version"]
        for step in load("release")["jobs"]["build"]["steps"]
        if "setup-python" in step.get("uses", "")
    ]
    assert sorted(set_up.split()) == wanted


@pytest.fixture
def try_wheel(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("try-wheel")


@pytest.mark.parametrize(
    ("tag", "refused"),
    [
        (None, None),
        ("v1.2.3", None),
        ("v1.2.4", "the tag is v1.2.4, but pytest_aibackend/__init__.py says 1.2.3"),
        ("1.2.3", "the tag is 1.2.3, but "),
    ],
)
def test_a_tag_publishes_no_other_version(
    try_wheel: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tag: str | None,
    refused: str | None,
) -> None:
    monkeypatch.setattr(try_wheel, "ROOT", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-30\n")
    wheel = Path("pytest_aibackend-1.2.3-py3-none-any.whl")
    if refused is None:
        assert try_wheel.agreed_version(wheel, tag) == "1.2.3"
    else:
        with pytest.raises(try_wheel.TrialError, match=f"^{re.escape(refused)}"):
            try_wheel.agreed_version(wheel, tag)


def test_a_tag_publishes_nothing_that_the_changelog_lacks(tmp_path: Path) -> None:
    wheel = tmp_path / "pytest_aibackend-98.7.6-py3-none-any.whl"
    wheel.touch()
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "try-wheel.py"), str(wheel)],
        env={"PATH": "/usr/bin:/bin", "RELEASE_TAG": "v98.7.6"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "error: CHANGELOG.md has no section [98.7.6]\n")


def test_the_tag_reaches_the_trial_and_only_what_was_tried_is_published() -> None:
    (build,) = [step for step in steps("release") if step.run == "make dist"]
    assert build.job == "build"
    jobs = load("release")["jobs"]
    (made,) = [step for step in jobs["build"]["steps"] if step.get("run") == "make dist"]
    assert made["env"] == {"RELEASE_TAG": "${{ github.ref_name }}"}
    assert jobs["publish"]["needs"] == ["build"]
    assert not [step for step in jobs["publish"]["steps"] if "run" in step]
    assert jobs["publish"]["environment"]["name"] == "pypi"
