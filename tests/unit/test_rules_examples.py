"""Every offline rule finds its trouble in its bad example, and not in its good one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pytest_aibackend.findings import Finding, sort_findings
from pytest_aibackend.litellm.generate import render
from pytest_aibackend.rules.registry import GROUPS, RULES, evaluate
from pytest_aibackend.sources.backend import load_backend

EXAMPLES = Path(__file__).parents[1] / "examples"
FOLDERS = sorted(path.name for path in (EXAMPLES / "rules").iterdir() if path.is_dir())
INSTRUCTIONS = ("DELETE", "MAKE_DIRECTORY", "LINK_TO_ITSELF", "GROW", "MODE", "GENERATE", "expected.txt")
ALWAYS_SHOWN = range(1, 7)
UPDATE = os.environ.get("UPDATE_EXAMPLES") == "1"


def lay_out(overlay: Path, target: Path) -> Path:
    """Put the base configuration and an overlay into a directory, as tests/examples/README.md says."""
    shutil.copytree(EXAMPLES / "base", target)
    shutil.copytree(overlay, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*INSTRUCTIONS))
    for instruction in INSTRUCTIONS[:-1]:
        told = overlay / instruction
        for line in told.read_text().splitlines() if told.exists() else ():
            follow(instruction, target, *line.split())
    return target


def follow(instruction: str, target: Path, name: str, size: str = "0") -> None:
    path = target / name
    if instruction == "GROW":
        path.write_bytes(path.read_bytes() + b"#\n" * ((int(size) - path.stat().st_size + 1) // 2))
        return
    if instruction == "MODE":
        path.chmod(int(size, 8))
        return
    if instruction == "GENERATE":
        path.write_text(render(load_backend(target)), encoding="utf-8")
        return
    path.unlink()
    if instruction == "MAKE_DIRECTORY":
        path.mkdir()
    elif instruction == "LINK_TO_ITSELF":
        path.symlink_to(path.name)


def checks_of(rule_id: str) -> set[int]:
    return {GROUPS[group].check for group in RULES[rule_id].groups}


def find_all(config: Path, shown: set[int]) -> list[Finding]:
    results = evaluate(load_backend(config))
    for result in results.values():
        if result.crash:
            raise result.crash
    return sort_findings(
        finding
        for group, result in results.items()
        if GROUPS[group].check in shown
        for findings in result.findings.values()
        for finding in findings
    )


def text_of(findings: list[Finding], config: Path) -> str:
    lines = [f"{finding}\n  hint: {finding.hint}\n" for finding in findings]
    return "".join(lines).replace(str(config), "CONFIG")


@pytest.mark.parametrize("rule_id", FOLDERS)
def test_bad_example(rule_id: str, tmp_path: Path) -> None:
    overlay = EXAMPLES / "rules" / rule_id / "bad"
    config = lay_out(overlay, tmp_path / "config")
    findings = find_all(config, {*ALWAYS_SHOWN, *checks_of(rule_id)})
    assert rule_id in {finding.rule for finding in findings}
    said = text_of(findings, config)
    expected = overlay / "expected.txt"
    if UPDATE:
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("rule_id", FOLDERS)
def test_good_example(rule_id: str, tmp_path: Path) -> None:
    config = lay_out(EXAMPLES / "rules" / rule_id / "good", tmp_path / "config")
    findings = find_all(config, checks_of(rule_id))
    assert [str(finding) for finding in findings if finding.rule == rule_id] == []


def test_base_is_clean(tmp_path: Path) -> None:
    config = shutil.copytree(EXAMPLES / "base", tmp_path / "config")
    assert text_of(find_all(config, set(ALWAYS_SHOWN)), config) == ""


def test_every_offline_rule_has_examples() -> None:
    offline = {each.id for each in RULES.values() if not all(GROUPS[group].live for group in each.groups)}
    assert sorted(offline - set(FOLDERS)) == []


def test_every_folder_is_of_a_rule() -> None:
    assert sorted(set(FOLDERS) - set(RULES)) == []


@pytest.mark.parametrize("rule_id", FOLDERS)
def test_documentation_says_what_and_how(rule_id: str) -> None:
    first, _, rest = RULES[rule_id].documentation.partition("\n\n")
    assert first.endswith(".")
    assert "\n" not in first
    assert rest.strip()
