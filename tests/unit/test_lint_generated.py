"""Configs made from the schema: nothing is said of one that is right, and what is wrong in one is found."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, note, settings
from hypothesis import strategies as st

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import LintResult, lint
from pytest_aibackend.litellm.schema import load_schema
from tests.generated.configs import Generated, configs, drawn_keys, untyped_keys
from tests.generated.faults import FAULTS, Broken, broken
from tests.generated.meanings import BUILT, OMITTED, has_meaning

SCHEMA = load_schema("1.106")
CONFIGS = configs(SCHEMA)
SECTIONS = (*BUILT,)


def run(text: str, environment: Any) -> LintResult:
    return lint(LintDocument.read(text.encode(), "config.yaml"), SCHEMA, environment=environment)


@given(config=CONFIGS, known=st.booleans())
def test_nothing_is_said_of_a_config_that_is_right(config: Generated, known: bool) -> None:
    note(config.text)
    result = run(config.text, config.environment if known else None)
    assert [str(finding) for finding in result.findings] == []


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_is_found_where_it_is(name: str) -> None:
    found_where_it_is(broken(name, CONFIGS, SCHEMA))


def found_where_it_is(faulty: st.SearchStrategy[Broken]) -> None:
    @settings(max_examples=settings().max_examples // 10)  # of the profile: there are many faults
    @given(config=faulty)
    def is_found(config: Broken) -> None:
        result = run(config.text, config.environment)
        note(config.text)
        for finding in result.findings:
            note(f"{finding} at {result.paths[finding]}")
        found = [finding for finding in result.findings if result.paths[finding] == config.path]
        assert found, "nothing is said of it"
        assert found[0].location.line == line_of(config.text, config.path)

    is_found()


def line_of(text: str, path: Path) -> int:
    """Return the line of a key or item, or of what it is missing from, as PyYAML has it."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    assert node is not None
    mark = node.start_mark
    for step in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = [pair for pair in pairs if yaml.safe_load(pair[0].value) == step or pair[0].value == step]
        if found:
            mark, node = found[0][0].start_mark, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            mark = node.start_mark
    return int(mark.line) + 1


@given(config=CONFIGS, data=st.data())
def test_a_key_that_stands_twice_is_found(config: Generated, data: st.DataObject) -> None:
    lines = config.text.splitlines()
    simple = [place for place, line in enumerate(lines) if re.fullmatch(r" +\w+: [^\[{|>\n]+", line)]
    place = data.draw(st.sampled_from(simple))
    text = "\n".join([*lines[: place + 1], *lines[place:]])
    found = [each for each in run(text, config.environment).findings if each.rule == "duplicate-key"]
    assert [finding.location.line for finding in found] == [place + 2], text


def test_every_key_is_drawn_or_left_out_for_a_reason() -> None:
    for section in SECTIONS:
        keys = set(SCHEMA.section(section).keys)
        drawn, built = set(drawn_keys(SCHEMA, section)), BUILT[section]
        omitted = {name for where, name in OMITTED if where == section}
        assert built | omitted <= keys
        assert drawn | built | omitted | untyped_keys(SCHEMA, section) == keys
    assert not [key for key in OMITTED if has_meaning(key)]
    assert len(OMITTED) == 46  # each is a key that nobody looks at: no more without a reason
