"""Check 5, consistency: what one file says of another is true, and the gateway's own file can work.

Its categories: provider references, model availability, URLs, URLs against the port registry, fallback
chains, what the sources ask of LiteLLM, and the model groups and settings of the gateway's file.
"""

import pytest

from pytest_aibackend.checklist import AssertClean, Subjects

pytestmark = [pytest.mark.aibackend(5), pytest.mark.critical]

# Provider references


def test_route_provider(route: Subjects, assert_clean: AssertClean) -> None:
    """The route leads to a provider that exists and is active."""
    assert_clean(route)


def test_pattern_provider(pattern: Subjects, assert_clean: AssertClean) -> None:
    """The pattern leads to a provider that exists and is active."""
    assert_clean(pattern)


def test_capability_provider(capability: Subjects, assert_clean: AssertClean) -> None:
    """The capability's providers exist and are active."""
    assert_clean(capability)


def test_load_balancing_provider(load_balancing_group: Subjects, assert_clean: AssertClean) -> None:
    """The group's providers exist and are active."""
    assert_clean(load_balancing_group)


def test_routing_rules_provider(routing_rule: Subjects, assert_clean: AssertClean) -> None:
    """The providers that routing rules name exist and are active."""
    assert_clean(routing_rule)


def test_health_check_endpoints(health_endpoint: Subjects, assert_clean: AssertClean) -> None:
    """The health endpoint belongs to a provider and points at it."""
    assert_clean(health_endpoint)


# Model availability


def test_route_model(route: Subjects, assert_clean: AssertClean) -> None:
    """The route's model is one of its provider's."""
    assert_clean(route)


def test_load_balancing_model(load_balancing_group: Subjects, assert_clean: AssertClean) -> None:
    """The models that the group's members name are their providers'."""
    assert_clean(load_balancing_group)


def test_capability_members(capability: Subjects, assert_clean: AssertClean) -> None:
    """The capability's models are served, and none of them is a provider."""
    assert_clean(capability)


# URLs, keys, and the port registry


def test_provider_url(provider: Subjects, assert_clean: AssertClean) -> None:
    """The provider's URL is one that can be asked, without credentials in it."""
    assert_clean(provider)


def test_provider_port(provider: Subjects, assert_clean: AssertClean) -> None:
    """The port in the provider's URL is registered for it, and for nobody else."""
    assert_clean(provider)


def test_provider_key(provider: Subjects, assert_clean: AssertClean) -> None:
    """A provider that needs a key names the variable that holds it."""
    assert_clean(provider)


# Fallback chains


def test_chain_members(chain: Subjects, assert_clean: AssertClean) -> None:
    """All members of the chain are served; it has no cycle, no duplicate, and not itself."""
    assert_clean(chain)


# What the sources ask of LiteLLM


def test_translation(mapping: Subjects, assert_clean: AssertClean) -> None:
    """LiteLLM can do what is asked for, and no two things become one by accident."""
    assert_clean(mapping)


# The gateway


def test_gateway_schema(file: Subjects, assert_clean: AssertClean) -> None:
    """gateway.yaml is well-formed, and no secret stands in it."""
    assert_clean(file)


def test_gateway_address(setting: Subjects, assert_clean: AssertClean) -> None:
    """The gateway's address agrees with the port registry."""
    assert_clean(setting)


def test_gateway_settings(section: Subjects, assert_clean: AssertClean) -> None:
    """LiteLLM reads the section, and what stands in it has the effect it seems to have."""
    assert_clean(section)


def test_model_group(model_group: Subjects, assert_clean: AssertClean) -> None:
    """The model group of the gateway's file can be answered."""
    assert_clean(model_group)
