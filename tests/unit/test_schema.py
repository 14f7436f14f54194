"""Files against their models: every error at once, the rest kept, and every place that of the file."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from pytest_aibackend.findings import Severity
from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.models import GatewayFile, ModelMappingsFile, PortsFile, ProvidersFile
from pytest_aibackend.sources.schema import Checked, check_against

MODELS: dict[str, type[BaseModel]] = {
    "providers": ProvidersFile,
    "model-mappings": ModelMappingsFile,
    "ports": PortsFile,
    "gateway": GatewayFile,
}
WORDS = [
    *(
        "providers",
        "a",
        "type",
        "base_url",
        "models",
        "name",
        "status",
        "active",
        "ollama",
        "port",
        "http",
        "x-y",
    ),
    *(
        "exact_matches",
        "patterns",
        "pattern",
        "provider",
        "fallback_chains",
        "chain",
        "load_balancing",
        "weight",
    ),
    *("reserved", "ranges", "deploy", "retention", "recent", "rate_limits", "providres", "litellm_settings"),
]
LEAVES = st.one_of(
    st.sampled_from(WORDS), st.none(), st.booleans(), st.integers(-1, 70000), st.floats(), st.text(max_size=3)
)
KEYS = st.one_of(st.sampled_from(WORDS), st.integers(0, 3), st.booleans(), st.text(max_size=3))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


def check(role: str, text: str) -> tuple[Checked, dict[str, tuple[str, str]]]:
    """Return what is left, and by `line:column` the rule and message of each problem."""
    document, troubles = yaml_text.parse(text.encode())
    assert document is not None, troubles
    checked = check_against(MODELS[role], role, document.data)
    places: dict[str, tuple[str, str]] = {}
    for rule, problem in checked.problems:
        line, column = document.locate(problem.path)
        places[f"{line}:{column}"] = (rule, problem.message)
    return checked, places


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(MODELS)), st.dictionaries(KEYS, VALUES, max_size=5))
def test_never_raises_and_always_leaves_a_model(role: str, data: dict[Any, Any]) -> None:
    before = repr(data)
    checked = check_against(MODELS[role], role, data)
    assert isinstance(checked.model, MODELS[role])
    assert repr(data) == before, "the file's data is not touched"
    for rule, problem in checked.problems:
        assert rule
        assert problem.message
        assert problem.hint
        assert problem.source == role


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["good", "bad", "worse"]), max_size=8))
def test_places_are_right_after_items_were_left_out(kinds: list[str]) -> None:
    entries: dict[str, dict[str, Any]] = {
        "good": {"pattern": "a", "provider": "b"},
        "bad": {"pattern": "a"},
        "worse": {"pattern": ["a"], "provider": {}},
    }
    text = yaml.safe_dump({"patterns": [dict(entries[kind]) for kind in kinds]}, sort_keys=False)
    document, _ = yaml_text.parse(text.encode())
    assert document is not None
    checked = check_against(ModelMappingsFile, "model-mappings", document.data)
    good = [index for index, kind in enumerate(kinds) if kind == "good"]
    assert len(checked.model.patterns) == len(good)
    for position, index in enumerate(good):
        original = checked.original(("patterns", position, "provider"))
        assert original == ("patterns", index, "provider")
        assert document.locate(original) == document.marks[id(document.data["patterns"][index])]["provider"]


def test_all_errors_of_a_file_at_once() -> None:
    text = """\
providers:
  a:
    type: olama
    base_url: http://x:1
    statsu: active
  b:
    type: vllm
    base_url: 5
    models:
      - one
      - {size: 8B}
      - {name: two, context_length: -1}
      - three
  c: nothing
  d: {type: ollama, base_url: http://y:2, required: 7}
"""
    checked, places = check("providers", text)
    assert {place: rule for place, (rule, _) in places.items()} == {
        "3:5": "unknown-value",
        "5:5": "unknown-key",
        "8:5": "wrong-type",
        "11:9": "missing-key",
        "12:21": "value-out-of-range",
        "14:3": "wrong-type",
        "15:43": "wrong-type",
    }
    assert "d" in checked.model.providers


def test_one_bad_item_does_not_hide_its_list() -> None:
    text = (
        "providers:\n  a:\n    type: vllm\n    base_url: http://x:1\n    models: [one, {size: 8B}, three]\n"
    )
    checked, _ = check("providers", text)
    assert checked.model.providers["a"].model_names == ("one", "three")
    assert checked.original(("providers", "a", "models", 1)) == ("providers", "a", "models", 2)


@pytest.mark.parametrize(
    ("role", "text", "place", "rule", "says"),
    [
        ("ports", "a:\n  port: 70000\n", "2:3", "port-out-of-range", "70000"),
        ("ports", "a:\n  port: '80'\n", "2:3", "wrong-type", "whole number"),
        ("ports", "a:\n  port: 80\n  depends_on: b\n", "3:3", "wrong-type", "list"),
        ("model-mappings", "fallback_chains:\n  a: b\n", "2:3", "wrong-type", "mapping"),
        ("model-mappings", "exact_matches:\n  yes: {provider: a}\n", "2:3", "wrong-key-type", "true"),
        ("gateway", "deploy:\n  retention:\n    recent: 0\n", "3:5", "value-out-of-range", "at least 1"),
    ],
)
def test_says_what_is_wrong(role: str, text: str, place: str, rule: str, says: str) -> None:
    _, places = check(role, text)
    assert list(places) == [place]
    assert places[place][0] == rule
    assert says in places[place][1]


@pytest.mark.parametrize(
    ("key", "severity", "hint"),
    [
        ("statsu", Severity.ERROR, "did you mean 'status'?"),
        ("colour", Severity.WARNING, "x-"),
        ("x-a", None, ""),
    ],
)
def test_unknown_keys(key: str, severity: Severity | None, hint: str) -> None:
    data = {"providers": {"a": {"type": "vllm", "base_url": "http://x:1", key: "active"}}}
    problems = check_against(ProvidersFile, "providers", data).problems
    assert [problem.severity for _, problem in problems] == ([severity] if severity else [])
    for _, problem in problems:
        assert hint in problem.hint
        assert problem.path == ("providers", "a", key)
        assert problem.subject == "a"


def test_a_misspelt_needed_key_is_named_once() -> None:
    data = {"providers": {"a": {"tpye": "vllm", "base_url": "http://x:1", "colour": 1}}}
    problems = check_against(ProvidersFile, "providers", data).problems
    assert [(rule, problem.path) for rule, problem in problems] == [
        ("missing-key", ("providers", "a")),
        ("unknown-key", ("providers", "a", "colour")),
    ]
    assert "'tpye'" in problems[0][1].hint


def test_a_service_with_a_misspelt_key_keeps_its_others() -> None:
    data = {"web": {"prot": 80}, "x-note": {"port": "any"}, "db": {"port": 81, "colour": "red"}}
    problems = check_against(PortsFile, "ports", data).problems
    assert [(rule, problem.path) for rule, problem in problems] == [
        ("missing-key", ("web",)),
        ("unknown-key", ("db", "colour")),
    ]
