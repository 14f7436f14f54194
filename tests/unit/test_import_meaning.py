"""What means the same to LiteLLM, and that nothing else is taken for the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_aibackend.litellm.meaning import differences, same_meaning
from tests.fakes.litellm_configs import configs


def with_params(**params: Any) -> dict[str, Any]:
    return {"model_list": [{"model_name": "m", "litellm_params": params}]}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if items is None:
        yield path
        return
    for key, item in items:
        yield from leaves(item, (*path, key))


@given(configs, st.randoms(use_true_random=False))
def test_order_does_not_matter(config: dict[str, Any], random: Any) -> None:
    def shuffled(value: Any, path: tuple[Any, ...] = ()) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            random.shuffle(keys)
            return {key: shuffled(value[key], (*path, key)) for key in keys}
        if isinstance(value, list) and path == ("model_list",):
            value = random.sample(value, len(value))
        return [shuffled(item, (*path, 0)) for item in value] if isinstance(value, list) else value

    assert differences(config, shuffled(copy.deepcopy(config))) == []


@given(configs, st.data())
def test_every_change_is_seen(config: dict[str, Any], data: Any) -> None:
    """But for the settings that the other place's fallbacks hide."""
    places = [path for path in leaves(config) if not any("fallbacks" in str(step) for step in path)]
    path = data.draw(st.sampled_from(places))
    assume(path != ("router_settings",))
    changed = copy.deepcopy(config)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = "something else"
    assert not same_meaning(config, changed)
    assert not same_meaning(changed, config)


SAME = {
    "null": (with_params(model="azure/x", rpm=None), with_params(model="azure/x")),
    "whole number": (with_params(model="azure/x", rpm=60), with_params(model="azure/x", rpm=60.0)),
    "address of OpenAI": (
        with_params(model="openai/x"),
        with_params(
            model="openai/x", api_base="https://api.openai.com/v1", api_key="os.environ/OPENAI_API_KEY"
        ),
    ),
    "placeholders": (
        with_params(model="openai/x", api_base="http://h/v1", api_key="none"),
        with_params(model="openai/x", api_base="http://h/v1", api_key="not-needed"),
    ),
    "a placeholder for vLLM": (
        with_params(model="hosted_vllm/x", api_base="http://h/v1", api_key="EMPTY"),
        with_params(model="hosted_vllm/x", api_base="http://h/v1"),
    ),
    "place of fallbacks": (
        {"litellm_settings": {"fallbacks": [{"a": ["b"]}], "default_fallbacks": ["c"]}},
        {"router_settings": {"fallbacks": [{"a": ["b"]}], "default_fallbacks": ["c"]}},
    ),
    "hidden fallbacks": (
        {"router_settings": {"fallbacks": [{"a": ["b"]}]}, "litellm_settings": {"fallbacks": [{"c": ["d"]}]}},
        {"router_settings": {"fallbacks": [{"a": ["b"]}]}},
    ),
    "order of fallbacks": (
        {"router_settings": {"fallbacks": [{"a": ["b"]}, {"c": ["d"]}]}},
        {"router_settings": {"fallbacks": [{"c": ["d"]}, {"a": ["b"]}]}},
    ),
    "off by default": ({"router_settings": {"enable_weighted_failover": False}}, {}),
    "defaults written down": (
        {
            "router_settings": {"routing_strategy": "simple-shuffle", "retry_after": 0.0},
            "litellm_settings": {"cache": False, "ssl_verify": True},
        },
        {},
    ),
    "numbers in quotes that LiteLLM reads as numbers": (
        with_params(model="azure/x", rpm="60", input_cost_per_token="1e-06"),
        with_params(model="azure/x", rpm=60, input_cost_per_token=0.000001),
    ),
    "the port of Redis in quotes": (
        {
            "litellm_settings": {"cache": True, "cache_params": {"port": "6379"}},
            "router_settings": {"redis_port": "6380"},
        },
        {
            "litellm_settings": {"cache": True, "cache_params": {"port": 6379}},
            "router_settings": {"redis_port": 6380},
        },
    ),
    "empty sections": ({"general_settings": None, "router_settings": {}, "litellm_settings": {}}, {}),
}
DIFFERENT = {
    "text for a number": (
        with_params(model="azure/x", timeout=60),
        with_params(model="azure/x", timeout="60"),
    ),
    "text that is no number to LiteLLM": (
        with_params(model="azure/x", rpm=60),
        with_params(model="azure/x", rpm="6e1"),
    ),
    "another than the default": ({"router_settings": {"routing_strategy": "least-busy"}}, {}),
    "a word for off": ({"litellm_settings": {"cache": "false"}}, {}),
    "true for 1": (with_params(model="azure/x", stream=1), with_params(model="azure/x", stream=True)),
    "a key for a placeholder": (
        with_params(model="openai/x", api_base="http://h/v1", api_key="none"),
        with_params(model="openai/x", api_base="http://h/v1", api_key="os.environ/KEY"),
    ),
    "no key for a placeholder": (
        with_params(model="openai/x", api_base="http://h/v1", api_key="none"),
        with_params(model="openai/x", api_base="http://h/v1"),
    ),
    "a placeholder that cannot be sent": (
        with_params(model="openai/x", api_base="http://h/v1", api_key="none"),
        with_params(model="openai/x", api_base="http://h/v1", api_key="none\n"),
    ),
    "an address that the settings change": (
        with_params(model="openai/x") | {"litellm_settings": {"api_base": "http://h/v1"}},
        with_params(model="openai/x", api_base="https://api.openai.com/v1")
        | {"litellm_settings": {"api_base": "http://h/v1"}},
    ),
    "ollama without an address": (
        with_params(model="ollama/x"),
        with_params(model="ollama/x", api_base="http://localhost:11434"),
    ),
    "another prefix": (
        with_params(model="ollama/x", api_base="a"),
        with_params(model="ollama_chat/x", api_base="a"),
    ),
    "one deployment for two": (
        {"model_list": with_params(model="azure/x")["model_list"] * 2},
        with_params(model="azure/x"),
    ),
    "order of what resembles": (
        {"router_settings": {"fallbacks": [{"openai/a": ["b"]}, {"a": ["d"]}]}},
        {"router_settings": {"fallbacks": [{"a": ["d"]}, {"openai/a": ["b"]}]}},
    ),
    "on": ({"router_settings": {"enable_weighted_failover": True}}, {}),
    "a section": ({"guardrails": []}, {}),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same(name: str) -> None:
    assert differences(*SAME[name]) == differences(*reversed(SAME[name])) == []


@pytest.mark.parametrize("name", DIFFERENT)
def test_not_the_same(name: str) -> None:
    assert differences(*DIFFERENT[name]) == differences(*reversed(DIFFERENT[name])) != []
