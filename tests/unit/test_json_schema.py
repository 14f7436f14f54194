"""The exported JSON Schemas: equal to the models, true of our own files, strict where the models are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pytest_aibackend.findings import Severity
from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.json_schema import export, schema_of
from pytest_aibackend.sources.schema import check_against
from pytest_aibackend.sources.source_file import MODELS

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config" / "schemas"
PROVIDER = "providers: {a: {type: ollama, base_url: 'http://x:1'"

BAD = [
    ("providers", "providers: []"),
    ("providers", "providers: {a: {type: ollama}}"),
    ("providers", "providers: {a: {base_url: 'http://x:1'}}"),
    ("providers", "providers: {a: {type: olama, base_url: 'http://x:1'}}"),
    ("providers", f"{PROVIDER}, statsu: active}}}}"),
    ("providers", f"{PROVIDER}, status: on hold}}}}"),
    ("providers", f"{PROVIDER}, health_endpoint: api/tags}}}}"),
    ("providers", f"{PROVIDER}, env_var: 'sk-1'}}}}"),
    ("providers", f"{PROVIDER}, models: [{{size: 8B}}]}}}}"),
    ("providers", f"{PROVIDER}, models: ['']}}}}"),
    ("providers", f"{PROVIDER}, models: [[a]]}}}}"),
    ("providers", f"{PROVIDER}, rate_limits: {{requests_per_minute: 0}}}}}}"),
    ("providers", f"{PROVIDER}, gpu_memory_utilization: 1.5}}}}"),
    ("model-mappings", "exact_matches: {a: {backend_model: b}}"),
    ("model-mappings", "exact_matches: {a: ollama}"),
    ("model-mappings", "patterns: {pattern: a, provider: b}"),
    ("model-mappings", "patterns: [{pattern: a}]"),
    ("model-mappings", "fallback_chains: {a: {chian: [b]}}"),
    ("model-mappings", "fallback_chains: {a: b}"),
    ("model-mappings", "fallback_chains: {a: [{b: c}]}"),
    ("model-mappings", "load_balancing: {a: {providers: [{provider: b, weight: '1'}]}}"),
    ("model-mappings", "load_balancing: {a: {providers: [{provider: b, weight: -1}]}}"),
    ("model-mappings", "exact_match: {}"),
    ("ports", "a: {port: 0}"),
    ("ports", "a: {port: 65536}"),
    ("ports", "a: {port: '80'}"),
    ("ports", "a: {port: 1.5}"),
    ("ports", "a: {protocol: http}"),
    ("ports", "a: {port: 80, protocol: udp}"),
    ("ports", "a: {port: 80, prot: http}"),
    ("ports", "a: 80"),
    ("ports", "reserved: {a: {description: b}}"),
    ("gateway", "litellm_setting: {}"),
    ("gateway", "router_settings: []"),
    ("gateway", "deploy: {retention: {recent: 0}}"),
    ("gateway", "deploy: {service: {kind: sysv}}"),
]
GOOD = [
    ("providers", f"{PROVIDER}, models: [b, {{name: c}}], x-note: 1, notes: [2]}}}}\nx-a: 1\nmetadata: [1]"),
    ("model-mappings", "fallback_chains: {a: [b], c: {chain: [d]}, default: {chain: []}}"),
    ("ports", "a: {port: 80}\nx-note: free\nranges: {web: 80-89}\nreserved: {b: {port: 81}}"),
    ("gateway", "litellm_settings: {anything: {at: all}}\nx-b: {}"),
]


def data_of(text: str | bytes) -> Any:
    document, problems = yaml_text.parse(text.encode() if isinstance(text, str) else text)
    assert document is not None, problems
    return document.data


def schema_errors(role: str, data: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema_of(role)).iter_errors(data)]


def model_errors(role: str, data: Any) -> list[str]:
    found = check_against(MODELS[role], role, data).problems
    return [problem.message for _, problem in found if problem.severity is not Severity.WARNING]


def test_committed_schemas_are_what_the_models_give(tmp_path: Path) -> None:
    fresh = {path.name: path.read_text(encoding="utf-8") for path in export(tmp_path / "new")}
    committed = {path.name: path.read_text(encoding="utf-8") for path in SHIPPED.glob("*.json")}
    assert committed == fresh, "config/schemas is out of date: run `aibackend schema export`"


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    assert [p.read_bytes() for p in export(tmp_path / "a")] == [
        p.read_bytes() for p in export(tmp_path / "b")
    ]


@pytest.mark.parametrize("role", MODELS)
def test_is_a_json_schema(role: str) -> None:
    Draft202012Validator.check_schema(schema_of(role))


@pytest.mark.parametrize("directory", ["config", "examples/embedded"])
@pytest.mark.parametrize("role", MODELS)
def test_our_own_sources_are_valid(directory: str, role: str) -> None:
    raw = (ROOT / directory / f"{role}.yaml").read_bytes()
    assert schema_errors(role, json.loads(json.dumps(data_of(raw), default=str))) == []


@pytest.mark.parametrize("role", MODELS)
def test_shipped_sources_name_their_schema(role: str) -> None:
    first = (ROOT / "config" / f"{role}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema=schemas/{role}.schema.json"


@pytest.mark.parametrize(("role", "text"), BAD, ids=[f"{role}-{n}" for n, (role, _) in enumerate(BAD)])
def test_schema_and_model_refuse_the_same(role: str, text: str) -> None:
    data = data_of(text)
    assert schema_errors(role, data), text
    assert model_errors(role, data), text


@pytest.mark.parametrize(("role", "text"), GOOD, ids=[role for role, _ in GOOD])
def test_schema_and_model_accept_the_same(role: str, text: str) -> None:
    data = data_of(text)
    assert schema_errors(role, data) == []
    assert model_errors(role, data) == []
