"""Default routes, default chain, cooldown, limits and context lengths, through the real LiteLLM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.translation import World, listening, world

NAMES = ("default", "spare", "steady", "flaky")
MAPPINGS: dict[str, Any] = {
    "exact_matches": {
        "plain": {"provider": "flaky", "backend_model": "f"},
        "off": {"provider": "steady", "backend_model": "s"},
        "4.6": {"provider": "steady", "backend_model": "s"},
        "café": {"provider": "steady", "backend_model": "s"},
        "short-context": {"provider": "flaky", "backend_model": "small"},
        "either-context": {"provider": "flaky", "backend_model": "small"},
    },
    "load_balancing": {
        "cooling": {
            "providers": [
                {"provider": "flaky", "model": "f", "weight": 1},
                {"provider": "steady", "model": "s", "weight": 1},
            ]
        }
    },
    "capabilities": {
        "ordered": {"preferred_models": ["plain", "off"]},
        "by-context": {"preferred_models": ["short-context", "off"]},
    },
    "fallback_chains": {"default": ["off", "plain"], "either-context": ["off"]},
    "routing_rules": {"default_provider": "default", "default_fallback": "spare"},
    "special_cases": {
        "error_based_routing": {"enabled": True, "error_threshold": 3, "cooldown_seconds": 300},
        "geographic_routing": {"enabled": False},
    },
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with listening(*NAMES) as servers:

        def provider(name: str, *models: Any, **more: Any) -> dict[str, Any]:
            return {"type": "llama_cpp", "base_url": servers[name].url, "models": list(models), **more}

        providers = {
            "default": provider("default"),
            "spare": provider("spare", "spare-model"),
            "steady": provider("steady", "s"),
            "flaky": provider("flaky", "f", {"name": "small", "context_length": 20}),
            "by-minute": provider(
                "default", "two-a-minute", rate_limits={"requests_per_minute": 2, "tokens_per_minute": 10_000}
            ),
            "by-token": provider("default", {"name": "few-tokens", "tpm": 3}),
        }
        gateway = {
            "router_settings": {
                "num_retries": 0,
                "enable_pre_call_checks": True,
                "model_group_alias": {"nick": "off", "secret": {"model": "off", "hidden": True}},
            }
        }
        folder = tmp_path_factory.mktemp("defaults")
        files = {"providers": {"providers": providers}, "model_mappings": MAPPINGS, "gateway": gateway}
        with world(folder, servers, {}, **files) as made:
            yield made


@pytest.fixture(autouse=True)
def clean(running: World) -> None:
    running.reset()


def test_served_names_are_those_that_the_gateway_lists(running: World) -> None:
    assert running.gateway.served() == list(running.plan.served_names)
    assert "nick" in running.plan.served_names
    assert "secret" not in running.plan.served_names
    assert running.plan.problems == ()


@pytest.mark.parametrize("name", ["off", "4.6", "café", "nick", "secret"])
def test_names_that_yaml_or_headers_could_spoil(running: World, name: str) -> None:
    assert running.answer(name) == "steady"


class TestDefaultProvider:
    @pytest.mark.parametrize("name", ["anything", "ollama/llama3", "gpt-4o", "a/b:c"])
    def test_gets_every_other_name_as_it_is(self, running: World, name: str) -> None:
        assert running.answer(name) == "default"
        assert running["default"].models == [name]

    def test_the_name_of_its_own_type_is_taken_off(self, running: World) -> None:
        """LiteLLM does so with `custom_llm_provider` (get_llm_provider, 1.106.2); no option prevents it."""
        assert running.answer("openai/gpt-4o") == "default"
        assert running["default"].models == ["gpt-4o"]

    def test_default_fallback_answers_when_it_is_stopped(self, running: World) -> None:
        running["default"].stop()
        assert running.answer("anything") == "spare"
        assert running["spare"].models == ["spare-model"]

    def test_the_default_chain_comes_last(self, running: World) -> None:
        running["default"].stop()
        running["spare"].stop()
        assert running.answer("anything") == "steady"


def test_the_default_chain_helps_a_group_that_has_none(running: World) -> None:
    running["flaky"].stop()
    assert running.answer("plain") == "steady"


class TestErrorBasedRouting:
    def test_after_that_many_errors_a_provider_is_left_out(self, running: World) -> None:
        running["flaky"].status = 500
        for _ in range(24):
            assert running.answer("cooling") == "steady"
        assert len(running["flaky"].asked) == 3
        running["flaky"].status = 200
        assert {running.answer("cooling") for _ in range(10)} == {"steady"}

    def test_of_a_capability_too(self, running: World) -> None:
        running["flaky"].status = 500
        for _ in range(8):
            assert running.answer("ordered") == "steady"
        assert len(running["flaky"].asked) == 3


class TestRateLimits:
    def test_requests_of_a_provider(self, running: World) -> None:
        answers = [running.gateway.chat("two-a-minute", fallbacks=[]).status_code for _ in range(3)]
        asked = len(running["default"].asked)
        assert asked <= 2, answers

    def test_tokens_of_a_model(self, running: World) -> None:
        for _ in range(4):
            running.answer("few-tokens")
        assert len(running["default"].asked) <= 2  # of two tokens each


class TestContextLength:
    LONG = "word " * 200

    def test_short_requests_go_to_the_first(self, running: World) -> None:
        assert running.answer("by-context") == "flaky"

    def test_a_capability_passes_long_requests_to_a_model_that_can(self, running: World) -> None:
        assert running.answer("by-context", text=self.LONG) == "steady"
        assert running["flaky"].asked == []

    def test_a_chain_does_as_well(self, running: World) -> None:
        assert running.answer("either-context", text=self.LONG) == "steady"
        assert running["flaky"].asked == []
