"""Check 1, yaml-syntax: every file can be read, is YAML without surprises, and is a mapping."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(1), pytest.mark.critical]


def test_yaml_syntax(config_file: Subjects, assert_clean: AssertClean) -> None:
    """The file is there, is UTF-8 YAML, holds no key twice and is a mapping."""
    assert_clean(config_file)
