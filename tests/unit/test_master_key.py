"""Which key a gateway has, as LiteLLM finds it (proxy/proxy_server.py, load_config, 1.106.2)."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_aibackend.deploy.site import master_key
from pytest_aibackend.litellm.master_key import master_key_of

ENVIRONMENT = {"LITELLM_MASTER_KEY": "sk-of-the-environment", "OTHER": "sk-other"}


def named(key: object) -> dict[str, Any]:
    return {"general_settings": {"master_key": key}}


def block(key: object) -> dict[str, Any]:
    return {"environment_variables": {"LITELLM_MASTER_KEY": key}}


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({}, "sk-of-the-environment"),
        ({"general_settings": None, "environment_variables": None}, "sk-of-the-environment"),
        (None, "sk-of-the-environment"),
        (named("sk-written"), "sk-written"),
        (named("os.environ/OTHER"), "sk-other"),
        (named("os.environ/NOWHERE"), None),
        (named(None), None),  # LiteLLM looks no further, and refuses to start
        (named(1234), None),  # the same
        (block("sk-of-the-block"), "sk-of-the-block"),  # it is set before LiteLLM looks for it
        (block(1234), "1234"),
        (block("os.environ/OTHER"), "sk-other"),
        (block(None), "sk-of-the-environment"),
        (named("sk-written") | block("sk-of-the-block"), "sk-written"),
        # Resolved before the block is read: the environment's own.
        (named("os.environ/LITELLM_MASTER_KEY") | block("sk-of-the-block"), "sk-of-the-environment"),
    ],
)
def test_the_key_of_a_gateway(config: object, key: str | None) -> None:
    assert master_key_of(config, ENVIRONMENT) == key


def test_the_key_of_a_deployed_file() -> None:
    assert master_key(b"general_settings:\n  master_key: os.environ/OTHER\n", ENVIRONMENT) == "sk-other"
    assert master_key(b"general_settings: [}", ENVIRONMENT) == "sk-of-the-environment"
    assert master_key(b"", {}) is None
