"""Check 3, model-mappings-schema: routes, patterns, capabilities, groups and chains are well-formed."""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(3), pytest.mark.critical]


def test_route_schema(route: Subjects, assert_clean: AssertClean) -> None:
    """The route names its provider, and nothing misspelt."""
    assert_clean(route)


def test_pattern_schema(pattern: Subjects, assert_clean: AssertClean) -> None:
    """The pattern is a regular expression that compiles, with its provider."""
    assert_clean(pattern)


def test_capability_schema(capability: Subjects, assert_clean: AssertClean) -> None:
    """The capability is well-formed."""
    assert_clean(capability)


def test_load_balancing_schema(load_balancing_group: Subjects, assert_clean: AssertClean) -> None:
    """The group's members and weights are well-formed."""
    assert_clean(load_balancing_group)


def test_chain_schema(chain: Subjects, assert_clean: AssertClean) -> None:
    """The fallback chain is a list of names."""
    assert_clean(chain)


def test_routing_rules_schema(file: Subjects, assert_clean: AssertClean) -> None:
    """What stands beside routes and chains is well-formed, too."""
    assert_clean(file)
