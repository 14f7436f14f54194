"""The eleven checks are complete: every group has its test, every rule its group and its documentation."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.rules.registry import GROUPS, RULES
from pytest_aibackend.sources.backend import FILES

ROOT = Path(__file__).parents[2]
KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MODULES = {int(path.name[5:7]): path for path in (ROOT / "checks").glob("test_*.py")}


def marks_of(expression: ast.expr | None) -> list[str]:
    """Return the marks in a decorator, or in the value of pytestmark, as they are written."""
    if isinstance(expression, ast.List | ast.Tuple):
        return [mark for element in expression.elts for mark in marks_of(element)]
    return [] if expression is None else [ast.unparse(expression).removeprefix("pytest.mark.")]


def read_module(path: Path) -> tuple[list[str], dict[str, ast.FunctionDef]]:
    """Return the marks of a module of checks, and its test functions by name."""
    marks: list[str] = []
    tests: dict[str, ast.FunctionDef] = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            marks = marks_of(node.value)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert node.name not in tests, f"{path.name} has two {node.name}"
            tests[node.name] = node
    return marks, tests


READ = {number: read_module(path) for number, path in MODULES.items()}


def test_there_are_eleven_modules() -> None:
    names = [f"test_{check.number:02}_{check.slug.replace('-', '_')}.py" for check in CHECKS.values()]
    assert sorted(path.name for path in MODULES.values()) == names
    assert len(names) == 11


@pytest.mark.parametrize("group_id", GROUPS)
def test_group_has_one_test(group_id: str) -> None:
    name = f"test_{group_id.replace('-', '_')}"
    holders = [number for number, (_, tests) in READ.items() if name in tests]
    assert holders == [GROUPS[group_id].check]


@pytest.mark.parametrize("group_id", GROUPS)
def test_test_has_the_marks_of_its_group(group_id: str) -> None:
    group = GROUPS[group_id]
    check = CHECKS[group.check]
    module_marks, tests = READ[group.check]
    test = tests[f"test_{group_id.replace('-', '_')}"]
    marks = [*module_marks, *(mark for decorator in test.decorator_list for mark in marks_of(decorator))]
    wanted = [f"aibackend({group.check})"]
    wanted += ["critical"] if check.critical else []
    wanted += ["live"] if group.live else []
    assert sorted(marks) == sorted(wanted)


@pytest.mark.parametrize("group_id", GROUPS)
def test_test_takes_the_groups_subjects(group_id: str) -> None:
    group = GROUPS[group_id]
    test = READ[group.check][1][f"test_{group_id.replace('-', '_')}"]
    assert [argument.arg for argument in test.args.args] == [group.argument, "assert_clean"]
    assert group.argument.isidentifier()
    assert ast.get_docstring(test)


@pytest.mark.parametrize("number", CHECKS)
def test_every_test_belongs_to_a_group(number: int) -> None:
    groups = {f"test_{group.id.replace('-', '_')}" for group in GROUPS.values() if group.check == number}
    assert set(READ[number][1]) == groups
    assert groups


@pytest.mark.parametrize("number", CHECKS)
def test_live_checks_have_live_groups_only(number: int) -> None:
    live = {group.live for group in GROUPS.values() if group.check == number}
    assert (live == {True}) == CHECKS[number].live


@pytest.mark.parametrize("group_id", GROUPS)
def test_group_needs_files_that_exist(group_id: str) -> None:
    assert set(GROUPS[group_id].needs) <= {*FILES, "deployed"}
    assert KEBAB.fullmatch(group_id)


@pytest.mark.parametrize("rule_id", RULES)
def test_rule_belongs_to_groups_of_one_check(rule_id: str) -> None:
    groups = RULES[rule_id].groups
    assert groups
    assert set(groups) <= set(GROUPS)
    if RULES[rule_id].find is None:  # found while any of the files is matched against its model
        assert all(GROUPS[group].built_in for group in groups)
    else:
        assert len({GROUPS[group].check for group in groups}) == 1


@pytest.mark.parametrize("rule_id", RULES)
def test_rule_is_named_and_documented(rule_id: str) -> None:
    assert KEBAB.fullmatch(rule_id)
    assert RULES[rule_id].id == rule_id
    first, _, rest = RULES[rule_id].documentation.partition("\n\n")
    assert first.endswith(".")
    assert "\n" not in first
    # What was seen of a service may need no more words; what stands in a file is to be understood and mended.
    assert re.search(r"[.!]", rest), "a sentence on why it matters or what to do must follow"


@pytest.mark.parametrize("group_id", GROUPS)
def test_group_can_find_something(group_id: str) -> None:
    assert any(group_id in rule.groups for rule in RULES.values()) or GROUPS[group_id].built_in
