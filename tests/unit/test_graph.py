"""What is in the picture, whatever its format: everything of the plan once, and what is wrong, marked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_aibackend.graph.build import build_graph
from pytest_aibackend.graph.command import FORMATS, render
from pytest_aibackend.graph.mermaid import is_drawn_by_github
from pytest_aibackend.graph.model import EdgeKind, Kind
from pytest_aibackend.litellm.plan import plan_gateway
from pytest_aibackend.sources.backend import load_backend
from tests.fakes.routing import write_fleet
from tests.fakes.translation import write_sources
from tests.pictures import Page, agrees, complete, drawn, geometry
from tests.work import calls

ROOT = Path(__file__).resolve().parents[2]
SECRET = "sk-abcdef0123456789abcdef"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return write_fleet(tmp_path, 100)


@pytest.mark.parametrize("folder", ["config", "examples/embedded"])
def test_what_is_shipped_is_drawn_whole_and_sound(folder: str) -> None:
    graph = drawn(ROOT / folder)
    agrees(graph, plan_gateway(load_backend(ROOT / folder)))
    complete(graph)
    assert {node.state for node in graph.nodes} == {"sound"}


def test_a_hundred_groups_are_drawn_whole(fleet: Path) -> None:
    graph = drawn(fleet)
    agrees(graph, plan_gateway(load_backend(fleet)))
    complete(graph)
    assert is_drawn_by_github(render(graph, "mermaid"))


# What can be written in YAML, and what means something in one of the formats.
names = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\"'`<>&#;\\|{}[]()%/.-_*\n")),
    min_size=1,
    max_size=12,
).filter(lambda text: text.isprintable() and "@" not in text and "*" not in text and "=" not in text)


@st.composite
def sources(draw: st.DrawFn) -> dict[str, Any]:
    models = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    providers = {
        name: {
            "type": draw(st.sampled_from(["ollama", "vllm", "llama_cpp"])),
            "base_url": f"http://{draw(st.sampled_from(['127.0.0.1', 'far.example']))}:{9000 + place % 2}",
            "models": draw(st.lists(st.sampled_from(models), unique=True)),
            "status": draw(st.sampled_from(["active", "active", "disabled"])),
        }
        for place, name in enumerate(draw(st.lists(names, min_size=1, max_size=3, unique=True)))
    }
    known = st.sampled_from([*providers, "unknown"])
    routes = draw(st.dictionaries(names, st.fixed_dictionaries({"provider": known}), max_size=4))
    capabilities = draw(st.lists(names, max_size=3, unique=True))
    anything = st.sampled_from([*models, *routes, *capabilities, "nobody"])
    return {
        "providers": {"providers": providers},
        "model_mappings": {
            "exact_matches": {
                name: {**route, "backend_model": draw(st.sampled_from(models))}
                for name, route in routes.items()
            },
            "capabilities": {
                name: {"preferred_models": draw(st.lists(anything, max_size=3))} for name in capabilities
            },
            "load_balancing": {
                name: {"providers": [{"provider": draw(known), "model": draw(st.sampled_from(models))}]}
                for name in draw(st.lists(names, max_size=2, unique=True))
            },
            "patterns": [
                {"pattern": text, "provider": draw(known)} for text in draw(st.sampled_from([[], ["^a/.*"]]))
            ],
            "fallback_chains": {
                name: draw(st.lists(anything, max_size=3))
                for name in draw(st.lists(st.one_of(anything, st.just("default")), max_size=4, unique=True))
            },
        },
        "ports": {"service": {"port": 9000}},
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(files=sources())
def test_whatever_the_sources_ask_for_is_drawn_whole(tmp_path: Path, files: dict[str, Any]) -> None:
    backend = load_backend(write_sources(tmp_path, **files))
    if not backend.is_loaded("providers", "model-mappings"):
        return
    graph = build_graph(backend)
    agrees(graph, plan_gateway(backend))
    complete(graph)
    geometry(graph)
    page = Page(render(graph, "html"))
    assert page.labels == {node.id: node.label for node in graph.nodes}
    told = {finding for node in graph.nodes for finding in node.findings} | set(graph.findings)
    assert {each.rule for each in told} == {each.rule for each in graph.all_findings}


def test_a_hundred_groups_do_not_overlap(fleet: Path) -> None:
    graph = drawn(fleet)
    assert len(graph.of(Kind.GROUP)) > 100
    geometry(graph)


def test_what_is_broken_is_there_with_its_findings(fleet: Path) -> None:
    graph = drawn(fleet)
    by_label = {(node.kind, node.label): node for node in graph.nodes}
    for kind, label, rule in (
        (Kind.GROUP, "lost/route", "unknown-provider"),
        (Kind.PROVIDER, "olama_0", "unknown-provider"),
        (Kind.PROVIDER, "gone", "unknown-provider"),
        (Kind.PROVIDER, "typo", "unknown-value"),
        (Kind.GROUP, "nobody-serves-this", "unknown-model"),
        (Kind.GROUP, "^(a|b)[0-9]+$", "pattern-not-expressible"),
    ):
        node = by_label[kind, label]
        assert node.is_missing
        assert rule in node.rules, node
    chain = by_label[Kind.GROUP, "qwen2.5-coder/1"]
    assert [(edge.mark, edge.is_broken) for edge in graph.fallbacks[chain.id]] == [("1", False), ("x1", True)]
    assert by_label[Kind.GROUP, "balanced-0"].state == "error"
    assert by_label[Kind.GROUP, "balanced-1"].state == "sound"
    for picture in ("svg", "html", "dot"):
        text = render(graph, picture)
        assert "which providers.yaml does not define" in text
        assert "did you mean" in text
    assert "✗ lost/route" in render(graph, "mermaid")


def test_a_provider_that_is_not_active_looks_like_it(fleet: Path) -> None:
    graph = drawn(fleet)
    (idle,) = (node for node in graph.nodes if node.is_idle)
    assert (idle.label, idle.detail, idle.state) == ("pasture", "type ollama, disabled", "warning")
    assert f"  class {idle.id} idle\n" in render(graph, "mermaid")
    assert re.search(rf'^  {idle.id} \[label="pasture.*style="dotted"', render(graph, "dot"), re.MULTILINE)
    for picture in ("svg", "html"):
        assert render(graph, picture).count('provider warning idle"') == 1


def test_what_gateway_yaml_says_itself_is_drawn(tmp_path: Path) -> None:
    write_sources(
        tmp_path,
        providers={
            "providers": {"one": {"type": "vllm", "base_url": "http://127.0.0.1:1", "models": ["a", "b"]}}
        },
        gateway={
            "router_settings": {
                "model_group_alias": {"shown": "a", "secret": {"model": "b", "hidden": True}, "lost": "gone"},
                "context_window_fallbacks": [{"a": ["b"]}],
            },
            "litellm_settings": {"content_policy_fallbacks": [{"b": [{"model": "a"}]}]},
            "passthrough": {
                "model_list": [
                    {
                        "model_name": "cloud",
                        "litellm_params": {"model": "gemini/pro", "api_key": SECRET, "weight": '\x01\n<"'},
                    },
                    {
                        "model_name": "far/*",
                        "litellm_params": {
                            "model": "openai/*",
                            "api_base": f"https://me:{SECRET}@far.example/v1",
                        },
                    },
                ]
            },
        },
    )
    graph = drawn(tmp_path)
    labels = {node.label: node for node in graph.nodes}
    kinds = {
        (edge.kind, graph.by_id[edge.source].label, graph.by_id[edge.target].label)
        for edge in graph.edges
        if edge.is_fallback
    }
    assert kinds == {(EdgeKind.CONTEXT_WINDOW, "a", "b"), (EdgeKind.CONTENT_POLICY, "b", "a")}
    assert labels["secret"].detail == "alias, hidden"
    assert labels["gone"].is_missing
    assert labels["gemini"].detail == "passed through, to LiteLLM's own address"
    assert labels["far.example:443"].detail in ("passed through", "outside this network")
    assert "far.example:443" in labels
    for picture in FORMATS:
        assert SECRET not in render(graph, picture)
        assert "far.example" in render(graph, picture)
    complete(graph)


def test_names_that_a_wildcard_matches_lead_to_it(tmp_path: Path) -> None:
    write_sources(
        tmp_path,
        providers={"providers": {"one": {"type": "vllm", "base_url": "http://127.0.0.1:1", "models": ["a"]}}},
        model_mappings={
            "patterns": [{"pattern": "^far/.*", "provider": "one"}],
            "routing_rules": {"default_provider": "one"},
            "fallback_chains": {"far/x": ["a"], "a": ["far/y"], "far/y": ["far/x"]},
        },
        gateway={"router_settings": {"model_group_alias": {"nick": "far/z"}}},
    )
    graph = drawn(tmp_path)
    ids = {node.label: node.id for node in graph.nodes if node.kind in (Kind.NAME, Kind.GROUP)}
    assert len(graph.of(Kind.NAME)) == 3
    for name in ("far/x", "far/y", "nick"):
        assert [edge.target for edge in graph.leads[ids[name]]] == [ids["far/*"]]
    ways = {
        (graph.by_id[edge.source].label, graph.by_id[edge.target].label) for edge in graph.edges if edge.label
    }
    assert ways == {("far/x", "a"), ("a", "far/y"), ("far/y", "far/x")}
    assert graph.by_id[ids["*"]].detail == "any other name, to the default provider"
    agrees(graph, plan_gateway(load_backend(tmp_path)))
    complete(graph)
    geometry(graph)


def test_a_thousand_groups_cost_ten_times_a_hundred(tmp_path: Path) -> None:
    def cost(groups: int) -> int:
        folder = tmp_path / str(groups)
        folder.mkdir()
        backend = load_backend(write_fleet(folder, groups))

        def draw() -> None:
            graph = build_graph(backend)
            for picture in FORMATS:
                render(graph, picture)

        return calls(draw)

    assert cost(1000) < 11 * cost(100)
