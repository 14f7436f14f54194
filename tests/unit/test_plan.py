"""What becomes of each concept, and what is said of what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.litellm.generate import render
from pytest_aibackend.litellm.plan import PROBLEM_SEVERITIES, GatewayPlan, plan_gateway
from pytest_aibackend.litellm.plan.capabilities import model_size
from pytest_aibackend.litellm.plan.deployments import api_base_of
from pytest_aibackend.sources.backend import load_backend
from pytest_aibackend.sources.models import Provider
from tests.fakes.translation import write_sources
from tests.work import calls

ROOT = Path(__file__).resolve().parents[2]


def local(port: int, *models: Any, **more: Any) -> dict[str, Any]:
    return {"type": "llama_cpp", "base_url": f"http://127.0.0.1:{port}", "models": list(models), **more}


PROVIDERS: dict[str, Any] = {
    "one": local(8001, "m", {"name": "small", "size": "7B", "context_length": 4096, "specialty": "code"}),
    "two": local(8002, {"name": "big", "size": "70B", "context_length": 32768, "specialty": "general_chat"}),
    "off": local(8003, "x", status="disabled"),
}


class Planner:
    """Plans sources given as data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, mappings: Any = None, *, providers: Any = None, router: Any = None, litellm: Any = None
    ) -> GatewayPlan:
        write_sources(
            self.folder,
            providers={"providers": providers or PROVIDERS},
            model_mappings=mappings or {},
            gateway={"router_settings": router or {}, "litellm_settings": litellm or {}},
        )
        backend = load_backend(self.folder)
        plan = plan_gateway(backend)
        for rule, problem in plan.problems:
            finding = backend.finding(rule, PROBLEM_SEVERITIES[rule], problem)
            assert finding.location.line is not None, finding
            assert finding.hint
        return plan


@pytest.fixture
def plan(tmp_path: Path) -> Planner:
    return Planner(tmp_path)


def found(plan: GatewayPlan) -> list[tuple[str, tuple[Any, ...]]]:
    return [(rule, problem.path) for rule, problem in plan.problems]


def members(plan: GatewayPlan, group: str) -> list[tuple[str, str, Any]]:
    return [(each.provider, each.model, each.order) for each in plan.model_groups[group]]


def test_models_without_routes_are_served_under_their_names(plan: Planner) -> None:
    made = plan()
    assert made.served_names == ("big", "m", "small")
    assert made.problems == ()
    assert made.model_groups["m"][0].litellm_params == {
        "model": "openai/m",
        "api_base": "http://127.0.0.1:8001/v1",
        "api_key": "not-needed",
    }
    assert made.model_groups["m"][0].source == ("providers", "one", "models", 0)


@pytest.mark.parametrize(
    ("kind", "url", "base"),
    [
        ("ollama", "http://h:1/", "http://h:1"),
        ("ollama", "http://h:1/v1", "http://h:1"),
        ("ollama", "http://h:1/api/", "http://h:1"),
        ("anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com"),
        ("vllm", "http://h:1", "http://h:1/v1"),
        ("vllm", "http://h:1/v1/", "http://h:1/v1"),
        ("openai_compatible", "https://h/proxy", "https://h/proxy/v1"),
        ("openai_compatible", "https://h/api/v4", "https://h/api/v4"),
        ("ollama", "http://v1", "http://v1"),
    ],
)
def test_api_base(kind: Any, url: str, base: str) -> None:
    assert api_base_of(Provider(type=kind, base_url=url)) == base


@pytest.mark.parametrize(
    ("text", "size"),
    [("7B", 7e9), ("7.6b", 7.6e9), ("1T", 1e12), ("350M", 3.5e8), ("13", 13e9), ("big", None), (None, None)],
)
def test_model_size(text: str | None, size: float | None) -> None:
    assert model_size(text) == size


class TestAmbiguousModelGroup:
    def test_one_name_on_two_providers(self, plan: Planner) -> None:
        made = plan(providers={"one": local(1, "m"), "two": local(2, "m")})
        assert found(made) == [("ambiguous-model-group", ("providers", "two", "models", 0))]
        assert members(made, "m") == [("one", "m", None)]

    @pytest.mark.parametrize(
        "mappings",
        [
            {"load_balancing": {"m": {"providers": [{"provider": "one"}, {"provider": "two"}]}}},
            {"exact_matches": {"m": {"provider": "one", "fallback": "two"}}},
            {"exact_matches": {"m1": {"provider": "one", "backend_model": "m"}}},
        ],
    )
    def test_not_where_the_mappings_say_what_is_meant(self, plan: Planner, mappings: Any) -> None:
        assert plan(mappings, providers={"one": local(1, "m"), "two": local(2, "m")}).problems == ()

    @pytest.mark.parametrize("mappings", [
        {"exact_matches": {"m": {"provider": "one"}},
         "load_balancing": {"m": {"providers": [{"provider": "one"}, {"provider": "two", "model": "big"}]}}},
        {"exact_matches": {"m": {"provider": "one", "fallback": "two"}},
         "load_balancing": {"m": {"providers": [{"provider": "one"}, {"provider": "two", "model": "big"}]}}},
    ])  # fmt: skip
    def test_balanced_group_that_has_what_the_exact_match_names(self, plan: Planner, mappings: Any) -> None:
        made = plan(mappings)
        assert made.problems == ()
        assert members(made, "m") == [("one", "m", None), ("two", "big", None)]

    def test_a_model_that_one_provider_lists_twice(self, plan: Planner) -> None:
        made = plan(providers={"one": local(1, "m", "m")})
        assert made.problems == ()
        assert members(made, "m") == [("one", "m", None)]

    def test_a_priority_orders_nothing(self, plan: Planner) -> None:
        made = plan({"exact_matches": {"m": {"provider": "one", "priority": "secondary"}}})
        assert found(made) == [("setting-without-effect", ("exact_matches", "m", "priority"))]
        assert "orders nothing: the name has one deployment" in made.problems[0][1].message
        assert members(made, "m") == [("one", "m", None)]

    def test_a_model_that_an_exact_match_hides_is_a_warning(self, plan: Planner) -> None:
        made = plan(
            {"exact_matches": {"m": {"provider": "one"}}},
            providers={"one": local(1, "m"), "two": local(2, "m")},
        )
        assert [(rule, problem.severity) for rule, problem in made.problems] == [
            ("ambiguous-model-group", "warning")
        ]

    def test_balanced_group_and_exact_match_that_disagree(self, plan: Planner) -> None:
        made = plan({
            "exact_matches": {"m": {"provider": "one"}},
            "load_balancing": {"m": {"providers": [{"provider": "two", "model": "big"}]}},
        })  # fmt: skip
        assert ("ambiguous-model-group", ("exact_matches", "m")) in found(made)

    def test_capability_with_the_name_of_a_model(self, plan: Planner) -> None:
        made = plan({"capabilities": {"m": {"preferred_models": ["big", "small"]}}})
        assert found(made) == [("ambiguous-model-group", ("capabilities", "m"))]
        assert members(made, "m") == [("one", "m", None)]

    def test_patterns_that_become_one_wildcard(self, plan: Planner) -> None:
        patterns = [{"pattern": "^a/.*", "provider": "one"}, {"pattern": "a/", "provider": "two"}]
        assert found(plan({"patterns": patterns})) == [("ambiguous-model-group", ("patterns", 1))]


class TestLoadBalancing:
    @pytest.mark.parametrize(
        ("group", "member", "model"),
        [
            ("g", {"model": "small"}, "small"),
            ("g", {"preferred_model": "m"}, "m"),
            ("small", {}, "small"),
            ("code", {}, "small"),
            ("code-generation", {}, "small"),
        ],
    )
    def test_the_model_of_a_member(self, plan: Planner, group: str, member: Any, model: str) -> None:
        made = plan(
            {"load_balancing": {group: {"providers": [{"provider": "one", "weight": 2.0, **member}]}}}
        )
        assert members(made, group) == [("one", model, None)]
        weight = made.model_groups[group][0].litellm_params["weight"]
        assert (weight, type(weight)) == (2, int)

    def test_one_that_cannot_be_told(self, plan: Planner) -> None:
        made = plan({"load_balancing": {"g": {"providers": [{"provider": "one"}, {"provider": "two"}]}}})
        assert found(made) == [("ambiguous-member", ("load_balancing", "g", "providers", 0))]
        assert members(made, "g") == [("two", "big", None)]

    def test_nobody_left(self, plan: Planner) -> None:
        made = plan({"load_balancing": {"g": {"providers": [{"provider": "off"}]}}})
        assert found(made) == [("no-usable-member", ("load_balancing", "g"))]
        assert "g" not in made.model_groups

    def test_what_has_no_effect(self, plan: Planner) -> None:
        group = {
            "providers": [{"provider": "two", "condition": "x"}],
            "strategy": "least_loaded",
            "parameters": {"a": 1},
        }
        made = plan({"load_balancing": {"g": group}})
        assert [path[2:] for rule, path in found(made)] == [
            ("strategy",),
            ("parameters",),
            ("providers", 0, "condition"),
        ]
        assert {rule for rule, _ in found(made)} == {"setting-without-effect"}
        assert "least-busy" in made.problems[0][1].hint
        made = plan({"load_balancing": {"g": {**group, "strategy": "by_the_moon"}}})
        assert made.problems[0][1].hint == "remove it, or let the client ask for the model it wants"

    def test_another_strategy_of_the_router(self, plan: Planner) -> None:
        group = {"providers": [{"provider": "two"}, {"provider": "one", "model": "m"}]}
        made = plan({"load_balancing": {"g": group}}, router={"routing_strategy": "least-busy"})
        assert found(made) == [("conflicting-setting", ("router_settings", "routing_strategy"))]
        assert made.router_settings["enable_weighted_failover"] is True


class TestCapabilities:
    def test_order_and_alias(self, plan: Planner) -> None:
        made = plan(
            {
                "capabilities": {
                    "c": {"preferred_models": ["big", "m", "big"]},
                    "d": {"preferred_models": ["m"]},
                }
            }
        )
        assert members(made, "c") == [("two", "big", 1), ("one", "m", 2)]
        assert made.aliases == {"d": "m"}
        assert made.router_settings["model_group_alias"] == {"d": "m"}

    def test_what_is_too_small_is_left_out(self, plan: Planner) -> None:
        made = plan({"capabilities": {
            "c": {"provider": "one", "fallback": "two", "min_model_size": "13B"},
            "d": {"preferred_models": ["small", "big", "m"], "min_context": 8192},
        }})  # fmt: skip
        assert members(made, "c") == [("one", "m", 1), ("two", "big", 2)]
        assert members(made, "d") == [("two", "big", 1), ("one", "m", 2)]

    def test_nobody_left(self, plan: Planner) -> None:
        made = plan({"capabilities": {
            "c": {"provider": "two", "min_model_size": "100B"}, "d": {"preferred_models": ["x"]}, "e": {},
            "f": {"preferred_models": ["small"], "min_model_size": "13B", "min_context": 8192},
        }})  # fmt: skip
        assert found(made) == [("no-usable-member", ("capabilities", name)) for name in "cdef"]
        assert [problem.message.partition(" has no usable member")[2] for _, problem in made.problems] == [
            ": none of two is an active model of at least 100B",
            ": none of x is an active model",
            "",
            ": none of small is an active model of at least 13B and with a context of at least 8192",
        ]

    def test_a_fallback_may_be_a_model_group(self, plan: Planner) -> None:
        made = plan({"capabilities": {"c": {"provider": "one", "fallback": "big"},
                                      "d": {"preferred_models": ["m"], "fallback": "off"}}})  # fmt: skip
        assert made.problems == ()
        assert made.aliases == {"d": "m"}
        assert members(made, "c") == [("one", "m", 1), ("one", "small", 2), ("two", "big", 3)]

    def test_what_has_no_effect(self, plan: Planner) -> None:
        capability = {
            "preferred_models": ["m"],
            "routing_strategy": "usage_based",
            "context_thresholds": {"a": "m"},
        }
        made = plan(
            {
                "capabilities": {
                    "c": capability,
                    "d": {"preferred_models": ["m"], "routing_strategy": "direct"},
                }
            }
        )
        assert found(made) == [
            ("setting-without-effect", ("capabilities", "c", "routing_strategy")),
            ("setting-without-effect", ("capabilities", "c", "context_thresholds")),
        ]


class TestFallbacks:
    def test_provider_whose_model_cannot_be_told(self, plan: Planner) -> None:
        made = plan({
            "exact_matches": {"a": {"provider": "two", "backend_model": "big", "fallback": "one"},
                              "b": {"provider": "one", "backend_model": "m", "fallback": "one"},
                              "c": {"provider": "one", "backend_model": "m", "fallback": "off"}},
        })  # fmt: skip
        assert found(made) == [
            ("fallback-without-effect", ("exact_matches", name, "fallback")) for name in "ab"
        ]

    def test_chains_hold_what_is_served_once(self, plan: Planner) -> None:
        made = plan({
            "exact_matches": {"a": {"provider": "one", "backend_model": "m", "fallback": "big"}},
            "capabilities": {"alias": {"preferred_models": ["a"]}},
            "fallback_chains": {"a": ["small", "a", "nobody", "small"], "default": ["big", "x"], "big": []},
        })  # fmt: skip
        assert made.fallbacks == {"a": ("small", "big"), "alias": ("small", "big")}
        assert made.default_fallbacks == ("big",)
        assert made.router_settings["fallbacks"] == [{"a": ["small", "big"]}, {"alias": ["small", "big"]}]
        assert made.problems == ()

    def test_a_chain_of_nothing(self, plan: Planner) -> None:
        made = plan({
            "exact_matches": {"gone": {"provider": "off", "backend_model": "x"}},
            "fallback_chains": {"two": ["m"], "gone": ["m"], "nobody": ["m"]},
        })  # fmt: skip
        assert found(made) == [
            ("chain-without-source", ("fallback_chains", name)) for name in ("two", "nobody")
        ]
        assert "it is a provider" in made.problems[0][1].message


class TestPatterns:
    def test_reasons(self, plan: Planner) -> None:
        made = plan({"patterns": [
            {"pattern": r"^a\d.*", "provider": "one"},
            {"pattern": r".*\.gguf$", "provider": "one"},
            {"pattern": r"^a\d.*", "provider": "off"},
            {"pattern": "^(b", "provider": "one"},
        ]})  # fmt: skip
        assert found(made) == [
            ("pattern-not-expressible", ("patterns", 0, "pattern")),
            ("pattern-wider-than-written", ("patterns", 1, "pattern")),
        ]
        assert list(made.wildcards) == ["*.gguf"]

    def test_the_order_of_the_file_is_not_that_of_the_gateway(self, plan: Planner) -> None:
        made = plan({"patterns": [
            {"pattern": "^a/.*", "provider": "one"}, {"pattern": "^a/b.*", "provider": "two"},
            {"pattern": "^c/.*", "provider": "two"},
        ]})  # fmt: skip
        assert found(made) == [("pattern-order", ("patterns", 0, "pattern"))]
        assert "'a/b'" in made.problems[0][1].message

    def test_the_order_of_the_file_is_that_of_the_gateway(self, plan: Planner) -> None:
        patterns = [{"pattern": f"^{start}.*", "provider": "one"} for start in ("a/b", "a/")]
        assert plan({"patterns": patterns}).problems == ()

    def test_fallback_with_one_model_answers_with_that(self, plan: Planner) -> None:
        made = plan({"patterns": [{"pattern": "^q/.*", "provider": "one", "fallback": "two"}]})
        assert made.problems == ()
        assert [(each.provider, each.model) for each in made.wildcards["q/*"]] == [
            ("one", "q/*"),
            ("two", "big"),
        ]

    def test_fallback_that_cannot_have_such_a_name(self, plan: Planner) -> None:
        made = plan({"patterns": [{"pattern": "^q/.*", "provider": "two", "fallback": "one"}]})
        assert found(made) == [("fallback-without-effect", ("patterns", 0, "fallback"))]

    def test_fallback_that_is_the_provider_itself_or_disabled(self, plan: Planner) -> None:
        made = plan({"patterns": [{"pattern": "^q/.*", "provider": "two", "fallback": "two"},
                                  {"pattern": "^r/.*", "provider": "two", "fallback": "off"}]})  # fmt: skip
        assert found(made) == [("fallback-without-effect", ("patterns", 0, "fallback"))]
        assert "it is the provider that has failed" in made.problems[0][1].message
        assert {name: len(group) for name, group in made.wildcards.items()} == {"q/*": 1, "r/*": 1}

    def test_fallback_that_is_a_group_of_whole_deployments(self, tmp_path: Path) -> None:
        """Its model is named as LiteLLM knows it, without a provider: it is taken as it is."""
        entry = {"model_name": "cloud", "litellm_params": {"model": "gpt-4o"}}
        write_sources(
            tmp_path,
            providers={"providers": PROVIDERS},
            model_mappings={"patterns": [{"pattern": "^q/.*", "provider": "two", "fallback": "cloud"}]},
            gateway={"passthrough": {"model_list": [entry]}},
        )
        made = plan_gateway(load_backend(tmp_path))
        assert made.problems == ()
        assert [(each.litellm_params["model"], each.order) for each in made.wildcards["q/*"]] == [
            ("q/*", 1),
            ("gpt-4o", 2),
        ]

    def test_default_provider(self, plan: Planner) -> None:
        """A second one with one model answers with that; one with several is asked for the name."""
        for first, second, model in (("one", "two", "big"), ("two", "one", "*")):
            made = plan({"routing_rules": {"default_provider": first, "default_fallback": second}})
            assert made.problems == ()
            assert [(each.provider, each.model, each.order) for each in made.wildcards["*"]] == [
                (first, "*", 1),
                (second, model, 2),
            ]

    def test_default_provider_that_is_disabled_or_stands_behind_a_pattern(self, plan: Planner) -> None:
        assert plan({"routing_rules": {"default_provider": "off"}}).wildcards == {}
        made = plan({"patterns": [{"pattern": ".*", "provider": "one"}],
                     "routing_rules": {"default_provider": "two"}})  # fmt: skip
        assert found(made) == [("ambiguous-model-group", ("routing_rules", "default_provider"))]
        assert [each.provider for each in made.wildcards["*"]] == ["one"]

    def test_default_fallback_alone(self, plan: Planner) -> None:
        made = plan({"routing_rules": {"default_fallback": "one", "model_size_routing": [{"size": "< 8B"}]}})
        assert [rule for rule, _ in found(made)] == ["fallback-without-effect", "setting-without-effect"]


class TestSettings:
    def test_ollama_options(self, plan: Planner) -> None:
        model = {"name": "m", "options": {"num_gpu_layers": -1, "num_ctx": 2048, "timeout": 3}}
        made = plan(providers={"o": {"type": "ollama", "base_url": "http://h:1", "models": [model]}})
        place = ("providers", "o", "models", 0, "options")
        assert found(made) == [
            ("setting-without-effect", (*place, "num_gpu_layers")),
            ("setting-without-effect", (*place, "timeout")),
        ]  # fmt: skip
        assert made.problems[0][1].hint == "did you mean 'num_gpu'?"
        assert "timeout" not in made.model_groups["m"][0].litellm_params

    def test_limits_switch_their_check_on(self, plan: Planner) -> None:
        limited = local(
            1, {"name": "a", "rpm": 5}, "b", rate_limits={"requests_per_minute": 9, "tokens_per_minute": 8}
        )
        made = plan(providers={"p": limited}, router={"optional_pre_call_checks": ["prompt_caching"]})
        params = {name: group[0].litellm_params for name, group in made.model_groups.items()}
        assert [(params[name]["rpm"], params[name]["tpm"]) for name in "ab"] == [(5, 8), (9, 8)]
        checks = made.router_settings["optional_pre_call_checks"]
        assert checks == ["prompt_caching", "enforce_model_rate_limits"]

    def test_context_length_only_where_it_is_read(self, plan: Planner) -> None:
        assert plan().model_groups["small"][0].model_info == {}
        checked = plan(router={"enable_pre_call_checks": True})
        assert checked.model_groups["small"][0].model_info == {"max_input_tokens": 4096}

    def test_what_contradicts_gateway_yaml(self, plan: Planner) -> None:
        made = plan(
            {
                "capabilities": {"c": {"preferred_models": ["m"]}},
                "fallback_chains": {"m": ["big"], "small": ["big"], "default": ["big"]},
                "special_cases": {"error_based_routing": {"error_threshold": 3, "cooldown_seconds": 9}},
            },
            router={
                "model_group_alias": {"c": "small", "big": "m"},
                "fallbacks": [{"m": ["small"]}, {"small": ["big"]}],
                "default_fallbacks": ["m"],
                "allowed_fails": 2,
                "cooldown_time": 10,
            },
            litellm={"fallbacks": [{"x": ["y"]}]},
        )
        assert [(rule, path[1:]) for rule, path in found(made)] == [
            ("conflicting-setting", ("model_group_alias", "big")),
            ("conflicting-setting", ("model_group_alias", "c")),
            ("conflicting-setting", ("fallbacks", 0)),
            ("conflicting-setting", ("default_fallbacks",)),
            ("conflicting-setting", ("fallbacks",)),
            ("conflicting-setting", ("cooldown_time",)),
        ]
        assert made.router_settings["model_group_alias"] == {"c": "small", "big": "m"}
        assert made.router_settings["fallbacks"][:2] == [{"m": ["small"]}, {"small": ["big"]}]

    def test_special_cases(self, plan: Planner) -> None:
        made = plan({"special_cases": {
            "rate_limited_fallback": {"enabled": True}, "geographic_routing": {"enabled": False}, "other": {},
        }})  # fmt: skip
        assert found(made) == [
            ("setting-without-effect", ("special_cases", name)) for name in ("rate_limited_fallback", "other")
        ]

    @pytest.mark.parametrize(
        ("case", "settings"),
        [
            ({"error_threshold": 3}, {"allowed_fails": 2}),
            ({"cooldown_seconds": 30}, {"cooldown_time": 30}),
            ({"error_threshold": 0, "cooldown_seconds": 0}, {}),
        ],
    )
    def test_routing_by_errors(self, plan: Planner, case: dict[str, int], settings: dict[str, int]) -> None:
        made = plan({"special_cases": {"error_based_routing": {"enabled": True, **case}}})
        assert made.problems == ()
        assert made.router_settings == settings

    def test_names_that_cannot_be_served(self, plan: Planner) -> None:
        made = plan({"exact_matches": {"模型": {"provider": "one", "backend_model": "m"},
                                       "a*": {"provider": "one", "backend_model": "small"}}})  # fmt: skip
        assert found(made) == [("unservable-name", ("exact_matches", name)) for name in ("模型", "a*")]


def test_the_shipped_configuration_has_no_problems() -> None:
    assert plan_gateway(load_backend(ROOT / "config")).problems == ()


def test_cost_is_linear_in_a_fleet(tmp_path: Path) -> None:
    def cost(size: int) -> int:
        folder = tmp_path / str(size)
        folder.mkdir()
        names = [f"m{number}" for number in range(10 * size)]
        providers = {f"p{n}": local(1000 + n, *names[n * 10 : n * 10 + 10]) for n in range(size)}
        mappings = {
            "exact_matches": {
                f"r{n}": {"provider": f"p{n // 10}", "backend_model": f"m{n}"} for n in range(5 * size)
            },
            "capabilities": {f"c{n}": {"preferred_models": [f"r{n}", f"r{n + 1}"]} for n in range(size // 2)},
            "fallback_chains": {f"r{n}": [f"r{n + 1}"] for n in range(2 * size)},
            "patterns": [{"pattern": f"^org{n}/.*", "provider": f"p{n}"} for n in range(size // 3)],
        }
        write_sources(folder, providers={"providers": providers}, model_mappings=mappings)
        backend = load_backend(folder)
        plans: list[GatewayPlan] = []
        count = calls(lambda: plans.append(plan_gateway(backend)))
        assert (len(plans[0].model_groups), plans[0].problems) == (10 * size + size // 2, ())
        return count

    assert cost(600) < 12 * cost(60)


class TestPassthrough:
    def test_the_most_particular_has_the_last_word(self, plan: Planner) -> None:
        providers = {
            "one": local(
                1,
                {"name": "m", "rpm": 5, "passthrough": {"litellm_params": {"rpm": 9, "b": 2}}},
                passthrough={"litellm_params": {"a": 1, "b": 1, "api_key": None}, "model_info": {"id": "x"}},
            )
        }
        route = {"provider": "one", "passthrough": {"litellm_params": {"b": 3}, "model_info": {"id": None}}}
        made = plan({"exact_matches": {"m": route}}, providers=providers).model_groups["m"][0]
        assert made.litellm_params == {
            "model": "openai/m",
            "api_base": "http://127.0.0.1:1/v1",
            "rpm": 9,
            "a": 1,
            "b": 3,
        }
        assert made.model_info == {}

    def test_nothing_is_added_on_its_account(self, plan: Planner) -> None:
        members = [
            {
                "provider": name,
                "model": model,
                "weight": None,
                "passthrough": {"litellm_params": {"weight": 1, "rpm": 1}},
            }
            for name, model in (("one", "m"), ("two", "big"))
        ]
        made = plan({"load_balancing": {"g": {"providers": members}}})
        assert [each.litellm_params["weight"] for each in made.model_groups["g"]] == [1, 1]
        assert made.router_settings == {}

    def test_whole_deployments_are_groups_like_others(self, tmp_path: Path) -> None:
        def carried(name: str) -> dict[str, Any]:
            return {"model_name": name, "rpm": 3, "litellm_params": {"model": "azure/x", "weight": 2}}

        write_sources(
            tmp_path,
            providers={"providers": PROVIDERS},
            model_mappings={
                "capabilities": {
                    "best": {"preferred_models": ["azure", "big"]},
                    "only": {"preferred_models": ["azure"]},
                },
                "fallback_chains": {"m": ["azure", "wild/x"], "azure": ["big"]},
            },
            gateway={
                "passthrough": {
                    "model_list": [
                        carried("azure"),
                        carried("azure"),
                        carried("wild/*"),
                        carried("small"),
                        {"model": 1},
                    ],
                    "sections": {"guardrails": [], "model_list": []},
                }
            },
        )
        made = plan_gateway(load_backend(tmp_path))
        assert [(rule, problem.path) for rule, problem in made.problems] == [
            ("passthrough-shape", ("passthrough", "model_list", 4)),
            ("ambiguous-model-group", ("passthrough", "model_list", 3)),
            ("conflicting-setting", ("passthrough", "sections", "model_list")),
        ]
        assert [each.order for each in made.model_groups["best"]] == [1, 1, 2]
        assert made.aliases == {"only": "azure"}
        assert made.fallbacks == {"m": ("azure", "wild/x"), "azure": ("big",), "only": ("big",)}
        assert "enable_weighted_failover" not in made.router_settings
        assert "azure" in made.served_names
        text = yaml.safe_load(render(load_backend(tmp_path)))
        beside = [entry for entry in text["model_list"] if "rpm" in entry and entry["model_name"] != "best"]
        assert beside == [carried(name) for name in ("small", "azure", "azure", "wild/*")]
        assert text["guardrails"] == []
