"""What the generated file makes the real LiteLLM do: who answers, and who when the first is stopped.

One gateway for all tests here, without default routes, retries and cooldown, so that each answer has one
cause. `test_translation_defaults.py` has those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml

from tests.fakes.ollama import OllamaServer
from tests.fakes.translation import World, listening, world
from tests.fakes.vllm import VllmServer

SECRET = "sk-secret-of-the-provider"  # an invented value, to see where it goes


def _providers(urls: dict[str, str]) -> dict[str, Any]:
    def llama(name: str, *models: str) -> dict[str, Any]:
        return {"type": "llama_cpp", "base_url": urls[name], "models": list(models)}

    return {
        "first": llama("first")
        | {"models": ["m1", "shared", "unrouted", {"name": "timid", "timeout_seconds": 0.4},
                      {"name": "narrow", "max_parallel_requests": 1},
                      {"name": "tuned", "options": {"temperature": 0.1, "top_k": 7}}]},
        "second": llama("second", "m2", "shared"),
        "single": llama("single", "only"),
        "own": {"type": "openai_compatible", "base_url": f"{urls['third']}/v1/", "models": ["m3"]},
        "cloud": {"type": "openai", "base_url": f"{urls['third']}/v1", "env_var": "CLOUD_KEY",
                  "models": ["gpt-4"], "requires_api_key": True},
        "claude": {"type": "anthropic", "base_url": f"{urls['third']}/v1", "env_var": "CLOUD_KEY",
                   "models": ["claude-x"], "requires_api_key": True},
        "recorded_ollama": {"type": "ollama", "base_url": urls["third"], "env_var": "CLOUD_KEY", "models": [
            {"name": "tuned:7b", "options": {"num_ctx": 2048, "temperature": 0.1}},
            {"name": "vectors", "mode": "embedding", "options": {"num_ctx": 512}},
        ]},
        "ollama": {"type": "ollama", "base_url": urls["ollama"], "models": [
            "llama3.1:8b", {"name": "nomic-embed-text", "mode": "embedding"}]},
        "vllm": {"type": "vllm", "base_url": urls["vllm"], "models": ["Org/Model-7B"]},
        "off": llama("third", "m1", "never") | {"status": "disabled"},
    }  # fmt: skip


MAPPINGS: dict[str, Any] = {
    "exact_matches": {
        "a": {"provider": "first", "backend_model": "m1"},
        "b": {"provider": "second", "backend_model": "m2"},
        "c": {"provider": "own", "backend_model": "m3"},
        "local-chat": {"provider": "ollama", "backend_model": "llama3.1:8b"},
        "coder": {"provider": "vllm", "backend_model": "Org/Model-7B"},
        "shared": {"provider": "first", "fallback": "second"},
        "to-single": {"provider": "first", "backend_model": "m1", "fallback": "single"},
        "to-group": {"provider": "first", "backend_model": "m1", "fallback": "c"},
        "chained": {"provider": "first", "backend_model": "m1"},
        "nested": {"provider": "first", "backend_model": "m1"},
        "nested-2": {"provider": "second", "backend_model": "m2"},
        "lonely": {"provider": "first", "backend_model": "m1"},
        "gone": {"provider": "off", "backend_model": "never"},
    },
    "load_balancing": {
        "balanced": {"providers": [
            {"provider": "first", "model": "m1", "weight": 0.8},
            {"provider": "second", "model": "m2", "weight": 0.2},
        ]},
        "third-only": {"providers": [{"provider": "single", "weight": 1}, {"provider": "off", "weight": 9}]},
    },
    "capabilities": {
        "code": {"preferred_models": ["a", "b", "c"]},
        "short": {"preferred_models": ["chained"]},
        "quick": {"provider": "single", "fallback": "own"},
        "both": {"preferred_models": ["balanced", "c"]},
        "lost": {"preferred_models": ["a", "gone"]},
        "lost-b": {"preferred_models": ["gone", "b"]},
    },
    "patterns": [
        {"pattern": "^wild/special.*", "provider": "vllm"},
        {"pattern": "^wild/.*", "provider": "first", "fallback": "b"},
        {"pattern": "^pass/.*", "provider": "first", "fallback": "single"},
        {"pattern": "^alias/.*", "provider": "first", "fallback": "lost-b"},
        {"pattern": "^Org/.*", "provider": "second", "fallback": "vllm"},
        {"pattern": "^cloud-.*-mini", "provider": "cloud"},
        {"pattern": "^ol/.*", "provider": "recorded_ollama"},
        {"pattern": "^claude-.*", "provider": "claude"},
        {"pattern": r"^file-.*\.gguf$", "provider": "own"},
        {"pattern": r"^.*:\d+b$", "provider": "ollama"},
    ],
    "fallback_chains": {
        "chained": ["b", "c"],
        "nested": ["nested-2"],
        "nested-2": ["c"],
        "code": ["quick"],
        "wild/known": ["c"],
        "timid": ["b"],
        "balanced": ["c"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with (
        listening("first", "second", "third", "single") as servers,
        OllamaServer(models=("llama3.1:8b", "nomic-embed-text")) as ollama,
        VllmServer(models=("Org/Model-7B",)) as vllm,
    ):
        urls = {name: server.url for name, server in servers.items()} | {
            "ollama": ollama.url,
            "vllm": vllm.url,
        }
        settings = {"num_retries": 0, "allowed_fails": 10_000}
        with world(
            tmp_path_factory.mktemp("translation"),
            servers,
            {"CLOUD_KEY": SECRET},
            providers={"providers": _providers(urls)},
            model_mappings=MAPPINGS,
            gateway={"router_settings": settings},
        ) as made:
            yield made


@pytest.fixture(autouse=True)
def clean(running: World) -> None:
    running.reset()


def test_served_names_are_those_that_the_gateway_lists(running: World) -> None:
    assert running.gateway.served() == list(running.plan.served_names)
    assert not [name for name in running.plan.served_names if "*" in name]


def test_generated_text_is_yaml_without_the_secret(running: World) -> None:
    data = yaml.safe_load(running.generated)
    assert SECRET not in running.generated
    keys = {entry["litellm_params"].get("api_key") for entry in data["model_list"]}
    assert keys == {"os.environ/CLOUD_KEY", "not-needed", None}


def test_the_only_problem_is_the_pattern_that_cannot_be_translated(running: World) -> None:
    assert [rule for rule, _ in running.plan.problems] == [
        "pattern-wider-than-written", "pattern-not-expressible",
    ]  # fmt: skip


class TestProviderTypes:
    def test_llama_cpp_gets_the_openai_path_and_a_placeholder(self, running: World) -> None:
        assert running.answer("a") == "first"
        asked = running["first"].asked[0]
        assert (asked.path, asked.model) == ("/v1/chat/completions", "m1")
        assert asked.headers["authorization"] == "Bearer not-needed"

    def test_a_v1_in_the_url_is_not_doubled(self, running: World) -> None:
        assert running.answer("c") == "third"
        assert running["third"].asked[0].path == "/v1/chat/completions"

    def test_ollama_chats_and_embeds_in_its_own_protocol(self, running: World) -> None:
        assert running.answer("local-chat") == "ollama llama3.1:8b hears: hello"
        assert running.embed("nomic-embed-text").status_code == 200

    def test_vllm_is_asked_for_its_model(self, running: World) -> None:
        assert "Org/Model-7B" in running.answer("coder")

    def test_a_named_key_comes_from_the_environment(self, running: World) -> None:
        assert running.answer("gpt-4") == "third"
        assert running["third"].asked[0].headers["authorization"] == f"Bearer {SECRET}"

    def test_anthropic_gets_its_own_path_once(self, running: World) -> None:
        assert running.answer("claude-x") == "third"
        asked = running["third"].asked[0]
        assert asked.path == "/v1/messages"
        assert asked.headers["x-api-key"] == SECRET

    def test_ollama_takes_a_key(self, running: World) -> None:
        assert running.answer("tuned:7b") == "third"
        assert running["third"].asked[0].headers["authorization"] == f"Bearer {SECRET}"


class TestModelSettings:
    def test_options_reach_ollama_and_the_client_has_the_last_word(self, running: World) -> None:
        running.answer("tuned:7b")
        running.answer("tuned:7b", temperature=0.9)
        first, second = (
            asked.body["options"] for asked in running["third"].asked if asked.path == "/api/chat"
        )
        assert first == {"num_ctx": 2048, "temperature": 0.1}
        assert second == {"num_ctx": 2048, "temperature": 0.9}

    def test_options_reach_ollama_for_embeddings(self, running: World) -> None:
        assert running.embed("vectors").status_code == 200
        asked = running["third"].asked[0]
        assert (asked.path, asked.body["options"]) == ("/api/embed", {"num_ctx": 512})

    def test_options_reach_an_openai_compatible_server(self, running: World) -> None:
        running.answer("tuned")
        running.answer("tuned", temperature=0.9)
        first, second = (asked.body for asked in running["first"].asked)
        assert (first["temperature"], first["top_k"]) == (0.1, 7)
        assert (second["temperature"], second["top_k"]) == (0.9, 7)

    def test_timeout_ends_a_slow_answer_and_the_chain_goes_on(self, running: World) -> None:
        running["first"].delay = 3
        assert running.answer("timid") == "second"

    def test_max_parallel_requests_refuses_the_others(self, running: World) -> None:
        running["first"].delay = 0.2
        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(running.answer, ["narrow"] * 6)) == {"first", "status 429"}
        assert running["first"].most_at_once["narrow"] == 1
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(running.answer, ["unrouted"] * 6))
        assert running["first"].most_at_once["unrouted"] > 1


class TestOwnNames:
    def test_a_model_that_nothing_leads_to_is_served_under_its_own_name(self, running: World) -> None:
        assert running.answer("unrouted") == "first"

    def test_an_inactive_provider_serves_nothing(self, running: World) -> None:
        assert running.answer("gone") == "status 400"
        assert running.answer("never") == "status 400"


class TestFallbackOfARoute:
    def test_provider_with_the_same_model_answers_in_the_same_request(self, running: World) -> None:
        assert running.answer("shared") == "first"
        running["first"].stop()
        assert running.answer("shared") == "second"
        assert running["second"].models == ["shared"]

    def test_provider_with_one_model_answers_with_it(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("to-single") == "single"
        assert running["single"].models == ["only"]

    def test_model_group_answers(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("to-group") == "third"

    def test_without_any_the_request_fails(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("lonely") == "status 500"


class TestLoadBalancing:
    def test_weights_share_the_requests_out(self, running: World) -> None:
        with ThreadPoolExecutor(4) as pool:
            shares = Counter(pool.map(running.answer, ["balanced"] * 80))
        assert set(shares) == {"first", "second"}
        assert 46 <= shares["first"] <= 79  # 64 expected

    @pytest.mark.parametrize("how", ["stopped", "500", "429"])
    def test_the_other_member_answers_every_request(self, running: World, how: str) -> None:
        if how == "stopped":
            running["first"].stop()
        else:
            running["first"].status = int(how)
        assert {running.answer("balanced") for _ in range(8)} == {"second"}

    def test_the_chain_comes_after_all_members(self, running: World) -> None:
        running["first"].status = running["second"].status = 500
        assert running.answer("balanced") == "third"
        assert (running["first"].models, running["second"].models) == (["m1"], ["m2"])

    def test_an_inactive_member_gets_nothing(self, running: World) -> None:
        assert {running.answer("third-only") for _ in range(5)} == {"single"}


class TestCapabilities:
    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
    def test_members_answer_in_order_whatever_goes_wrong(self, running: World, status: int) -> None:
        assert running.answer("code") == "first"
        running["first"].status = status
        assert running.answer("code") == "second"

    def test_members_answer_in_order_when_servers_are_stopped(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("code") == "second"
        running["second"].stop()
        assert running.answer("code") == "third"

    def test_the_chain_of_a_capability_comes_after_its_members(self, running: World) -> None:
        for name in ("first", "second", "third"):
            running[name].status = 500
        assert running.answer("code") == "single"
        assert [running[name].models for name in ("first", "second")] == [["m1"], ["m2"]]

    def test_an_alias_has_the_chain_of_its_model_group(self, running: World) -> None:
        assert running.plan.aliases["short"] == "chained"
        assert running.answer("short") == "first"
        running["first"].stop()
        assert running.answer("short") == "second"

    def test_provider_and_fallback_provider(self, running: World) -> None:
        assert running.answer("quick") == "single"
        running["single"].stop()
        assert running.answer("quick") == "third"

    def test_a_balanced_member_stays_balanced(self, running: World) -> None:
        assert {running.answer("both") for _ in range(40)} == {"first", "second"}
        running["first"].stop()
        running["second"].stop()
        assert running.answer("both") == "third"

    def test_an_unusable_member_leaves_an_alias(self, running: World) -> None:
        assert running.plan.aliases["lost"] == "a"
        assert running.answer("lost") == "first"


class TestChains:
    def test_members_are_tried_in_order(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("chained") == "second"
        running["second"].stop()
        assert running.answer("chained") == "third"

    def test_the_chain_of_a_fallback_is_followed_too(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("nested") == "second"
        running["second"].stop()
        assert running.answer("nested") == "third"

    def test_a_name_that_a_wildcard_serves_may_have_a_chain(self, running: World) -> None:
        running["first"].stop()
        running["second"].stop()
        assert running.answer("wild/known") == "third"
        assert running.answer("wild/other") == "status 500"


class TestPatterns:
    def test_the_name_asked_for_is_passed_on(self, running: World) -> None:
        assert running.answer("wild/some-7B") == "first"
        assert running["first"].models == ["wild/some-7B"]

    @pytest.mark.parametrize(
        ("name", "server", "path"),
        [
            ("cloud-9-mini", "third", "/v1/chat/completions"),
            ("cloud-9-mini-2", "third", "/v1/chat/completions"),
            ("ol/openai/llama:7b", "third", "/api/chat"),
            ("claude-next", "third", "/v1/messages"),
        ],
    )
    def test_of_every_type_of_provider(self, running: World, name: str, server: str, path: str) -> None:
        assert running.answer(name) == server
        assert (path, name) in [(asked.path, asked.model) for asked in running[server].asked]

    def test_the_longer_wildcard_wins(self, running: World) -> None:
        running.answer("wild/special-1")
        assert running["first"].asked == []

    def test_an_exact_name_wins_over_a_wildcard(self, running: World) -> None:
        assert running.answer("claude-x") == "third"
        assert running["third"].models == ["claude-x"]

    def test_the_beginning_is_anchored(self, running: World) -> None:
        assert running.answer("my-wild/model") == "status 400"

    def test_the_end_is_not_and_the_rest_is_cut_off(self, running: World) -> None:
        assert running.answer("file-my.gguf") == "third"
        assert running.answer("file-my.gguf.bak") == "third"
        assert running["third"].models == ["file-my.gguf", "file-my.gguf"]

    def test_fallback_to_a_model_group(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("wild/x") == "second"
        assert running["second"].models == ["m2"]

    def test_fallback_to_a_capability_that_is_an_alias(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("alias/x") == "second"

    def test_fallback_to_a_provider_with_one_model(self, running: World) -> None:
        running["first"].stop()
        assert running.answer("pass/x") == "single"
        assert running["single"].models == ["only"]

    def test_fallback_to_a_provider_with_such_names(self, running: World) -> None:
        running["second"].stop()
        assert "Org/Model-7B" in running.answer("Org/Model-7B")
