"""The shipped schemas of LiteLLM's config.yaml: valid, complete where it matters, and quickly loaded."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_aibackend.litellm import schema as schemas
from pytest_aibackend.litellm.schema import Key, Schema, SchemaError, load_schema, shipped_lines, stand_in

ROOT = Path(__file__).resolve().parents[2]
LINES = shipped_lines()
NEWEST = LINES[-1]
PLACED = {
    "": "",
    "general_settings": "general_settings",
    "litellm_settings": "litellm_settings",
    "router_settings": "router_settings",
    "cache_params": "litellm_settings.cache_params",
    "deployment": "model_list[]",
    "litellm_params": "model_list[].litellm_params",
    "model_info": "model_list[].model_info",
    "guardrail": "guardrails[]",
    "guardrail_params": "guardrails[].litellm_params",
    "mcp_server": "mcp_servers.*",
    "prompt": "prompts[]",
    "prompt_params": "prompts[].litellm_params",
    "policy": "policies.*",
    "policy_guardrails": "policies.*.guardrails",
    "policy_condition": "policies.*.condition",
    "policy_attachment": "policy_attachments[]",
    "agent_of_list": "agent_list[]",
    "credential": "credential_list[]",
    "search_tool": "search_tools[]",
    "search_tool_params": "search_tools[].litellm_params",
    "vector_store": "vector_store_registry[]",
    "vector_store_params": "vector_store_registry[].litellm_params",
    "worker": "worker_registry[]",
    "assistants": "assistant_settings",
    "vertex_config": "default_vertex_config",
    "mcp_tool": "mcp_tools[]",
    "files_provider": "files_settings[]",
    "finetune_provider": "finetune_settings[]",
    "jwt_auth": "general_settings.litellm_jwtauth",
}
UNKNOWN = ": what is newer than that counts as unknown"
NEWER = {
    "agent": "agents[]",
    "sandbox_tool": "sandbox_tools[]",
    "sandbox_tool_params": "sandbox_tools[].litellm_params",
}
# Objects of Python's, which the module `litellm` has among its settings.
NO_SETTINGS = {
    *("aclient_session", "client_session", "encoding", "guardrail_name_config_map"),
    *("secret_manager_client", "sync_transport", "vector_store_index_registry"),
}
# Read by LiteLLM's code; its own class for general_settings has none of them.
UNDECLARED = {
    *("admin_only_routes", "allow_client_side_credentials", "allowed_ips", "always_include_stream_usage"),
    *("custom_key_generate", "custom_sso", "disable_prisma_schema_update", "disable_reset_budget"),
    *("enable_jwt_auth", "enable_oauth2_auth", "enforced_params", "forward_openai_org_id"),
    *("key_management_settings", "litellm_jwtauth", "litellm_key_header_name", "litellm_license"),
    *("oauth2_config_mappings", "proxy_batch_write_at", "public_routes", "service_account_settings"),
    *("spend_report_frequency", "store_model_in_db", "use_azure_key_vault", "use_google_kms"),
    "user_api_key_cache_ttl",
}
KNOWN: dict[str, set[str]] = {
    "": {
        *("include", "model_list", "general_settings", "litellm_settings", "router_settings", "guardrails"),
        *("environment_variables", "mcp_servers", "credential_list", "callback_settings", "prompts"),
        *("vector_store_registry", "search_tools", "files_settings", "finetune_settings"),
    },
    "general_settings": {
        *("master_key", "database_url", "alerting", "background_health_checks", "health_check_interval"),
        *("custom_auth", "pass_through_endpoints", "max_parallel_requests", "ui_access_mode"),
        *("store_prompts_in_spend_logs", *UNDECLARED),
    },
    "litellm_settings": {
        *("cache", "cache_params", "callbacks", "success_callback", "failure_callback", "drop_params"),
        *("set_verbose", "num_retries", "request_timeout", "fallbacks", "context_window_fallbacks"),
        *("default_fallbacks", "json_logs", "ssl_verify", "turn_off_message_logging", "guardrails"),
        *("upperbound_key_generate_params", "default_internal_user_params", "post_call_rules"),
        *("custom_provider_map", "s3_callback_params", "REPEATED_STREAMING_CHUNK_LIMIT", "force_ipv4"),
    },
    "router_settings": {
        *("routing_strategy", "routing_strategy_args", "num_retries", "timeout", "fallbacks"),
        *("model_group_alias", "allowed_fails", "cooldown_time", "redis_host", "redis_port"),
        *("redis_password", "enable_pre_call_checks", "retry_policy", "allowed_fails_policy"),
        *("enable_tag_filtering", "provider_budget_config", "optional_pre_call_checks"),
    },
    "cache_params": {
        *("type", "host", "port", "password", "namespace", "ttl", "url", "ssl", "db", "username", "mode"),
        *("supported_call_types", "redis_startup_nodes", "sentinel_nodes", "service_name"),
        *("s3_bucket_name", "qdrant_api_base", "similarity_threshold", "max_connections"),
        *("socket_timeout", "disk_cache_dir", "default_in_memory_ttl", "gcs_bucket_name"),
    },
    "deployment": {"model_name", "litellm_params", "model_info", "rpm", "tpm"},
    "litellm_params": {
        *("model", "api_base", "api_key", "api_version", "base_url", "custom_llm_provider", "rpm", "tpm"),
        *("weight", "order", "tags", "timeout", "stream_timeout", "max_retries", "temperature"),
        *("max_tokens", "extra_headers", "extra_body", "organization", "aws_region_name"),
        *("vertex_project", "input_cost_per_token", "mock_response", "drop_params", "num_retries"),
    },
    "model_info": {
        *("id", "mode", "base_model", "max_tokens", "max_input_tokens", "input_cost_per_token"),
        *("access_groups", "supports_function_calling", "supports_vision", "health_check_model"),
    },
    "guardrail": {"guardrail_name", "litellm_params", "guardrail_info"},
    "guardrail_params": {
        *("guardrail", "mode", "default_on", "api_key", "api_base", "pii_entities_config"),
        "guardrailIdentifier",
    },
    "mcp_server": {"url", "transport", "auth_type", "command", "args", "env", "allowed_tools"},
}


@pytest.fixture(scope="module", params=LINES)
def schema(request: pytest.FixtureRequest) -> Schema:
    """Each shipped schema."""
    return load_schema(request.param)


def keys_of(schema: Schema) -> list[Key]:
    """Return every key of the sections that have a place in the file."""
    return [key for name in PLACED for key in schema.section(name).keys.values()]


def accepts(schema: Schema, key: Key, value: Any) -> bool:
    """Whether the schema takes a value for a key."""
    whole = {"$defs": schema.document["$defs"], **key.schema}
    return Draft202012Validator(whole).is_valid(value)


# -- the documents


def test_three_release_lines_and_the_pinned_one_are_shipped() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = re.search(r"^litellm==(\d+\.\d+)\.", pins, re.MULTILINE)
    assert len(LINES) >= 3
    assert pinned is not None
    assert pinned[1] == NEWEST


def test_is_a_valid_schema_and_says_all_about_every_key(schema: Schema) -> None:
    Draft202012Validator.check_schema(schema.document)
    routes = {name: section.route for name, section in schema.sections.items() if section.route is not None}
    newer = NEWER if schema.line == NEWEST else {name: NEWER[name] for name in NEWER.keys() & routes.keys()}
    assert routes == PLACED | newer
    fates = {section.on_unknown for section in schema.sections.values()}
    assert fates <= {"rejected", "warned", "ignored", "stored", "forwarded"}
    for name in routes:
        for key in schema.section(name).keys.values():
            assert key.schema["x-litellm"]["section"] == name
            assert all(re.fullmatch(r"[\w./-]+\.py:\d+", place) for place in key.reads), key
            assert key.reads or name == "litellm_settings", key


def test_settings_have_a_type() -> None:
    schema = load_schema(NEWEST)
    untyped = {
        name: {key.name for key in section.keys.values() if not key.types and not key.allowed}
        for name, section in schema.sections.items()
        if section.route is not None and section.on_unknown not in {"forwarded", "stored"}
    }
    assert untyped.pop("litellm_settings") == NO_SETTINGS
    assert len(untyped.pop("cache_params")) < 20  # those of redis-py that only a program can give
    assert {name: keys for name, keys in untyped.items() if keys} == {}


def test_a_description_is_litellms_own() -> None:
    told = [key.schema["description"] for key in keys_of(load_schema(NEWEST)) if "description" in key.schema]
    assert len(told) > 200
    assert all(0 < len(text) <= 300 for text in told)


def test_knows_what_people_write(schema: Schema) -> None:
    missing = {name: keys - schema.section(name).keys.keys() for name, keys in KNOWN.items()}
    assert not any(missing.values()), missing


def test_does_not_know_what_litellm_ignores(schema: Schema) -> None:
    unknown = {
        "": ["models", "master_key", "fallbacks", "enable_jwt_auth"],
        "general_settings": ["fallbacks", "routing_strategy", "num_retries", "embedding_model"],
        "litellm_settings": [
            "master_key",
            "model_list",
            "routing_strategy",
            "service_callbacks",
            "completion",
        ],
        "router_settings": ["master_key", "health_check_interval", "enable_pre_call_check", "model_list"],
        "cache_params": ["redis_host", "cache_type", "enabled"],
    }
    known = {
        (name, key) for name, keys in unknown.items() for key in keys if key in schema.section(name).keys
    }
    assert not known


@pytest.mark.parametrize("line", LINES)
@given(data=st.data())
def test_defaults_allowed_values_and_references_are_accepted(line: str, data: st.DataObject) -> None:
    schema = load_schema(line)
    key = data.draw(st.sampled_from(keys_of(schema)))
    for value in (*key.allowed, *([key.default] if key.default is not None else [])):
        assert accepts(schema, key, value), (key.section, key.name, value)
    if key.types & {"string", "integer", "number", "boolean"} or key.allowed:
        assert accepts(schema, key, "os.environ/SOME_NAME"), key
    if key.types and "string" not in key.types and "boolean" not in key.types:
        assert not accepts(schema, key, "20 seconds"), key


def test_documented_settings_satisfy_every_schema(schema: Schema) -> None:
    document = yaml.safe_load(Path(__file__).with_name("documented_config.yaml").read_text(encoding="utf-8"))
    errors = Draft202012Validator(schema.document).iter_errors(document)
    assert [(list(error.absolute_path), error.message) for error in errors] == []


@pytest.mark.parametrize("name", ["config/litellm-unified.yaml", "examples/embedded/litellm-unified.yaml"])
def test_generated_files_satisfy_the_schema_and_a_typo_does_not(name: str) -> None:
    schema = load_schema(NEWEST)
    document = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(schema.document).iter_errors(document)] == []
    document["general_settings"]["mastre_key"] = "x"
    (error,) = Draft202012Validator(schema.document).iter_errors(document)
    assert list(error.absolute_path) == ["general_settings"]


# -- values and models


def test_values_by_kind(schema: Schema) -> None:
    assert {"openai", "ollama", "ollama_chat", "hosted_vllm", "anthropic", "llamafile"} <= schema.values(
        "provider"
    )
    assert "olama" not in schema.values("provider")
    assert {"simple-shuffle", "least-busy", "provider-budget-routing"} <= schema.values("routing_strategy")
    assert schema.section("router_settings").keys["routing_strategy"].allowed == tuple(
        sorted(schema.values("routing_strategy"))
    )
    assert {"local", "redis", "redis-semantic", "s3", "disk"} <= schema.values("cache_type")
    assert {"langfuse", "prometheus", "otel", "s3", "datadog", "presidio", "sentry"} <= schema.values(
        "callback"
    )
    assert {"presidio", "bedrock", "lakera_v2", "aporia"} <= schema.values("guardrail")
    assert {"pre_call", "post_call", "during_call", "logging_only"} <= schema.values("guardrail_mode")
    with pytest.raises(KeyError):
        schema.values("colour")


def test_models_named_without_their_provider(schema: Schema) -> None:
    assert schema.provider_of("gpt-4o") == "openai"
    assert schema.provider_of("llama3.1:8b") is None
    assert schema.mode_of("text-embedding-3-small") == "embedding"
    assert schema.mode_of("gpt-4o") is None


# -- sections and keys


def test_what_becomes_of_an_unknown_key() -> None:
    schema = load_schema(NEWEST)
    router, top = schema.section("router_settings"), schema.section("")
    assert (router.fate_of("retries"), router.fate_of("health_check_interval")) == ("warned", "rejected")
    assert (top.fate_of("models"), top.fate_of("enable_jwt_auth")) == ("ignored", "warned")
    assert schema.section("litellm_params").on_unknown == "forwarded"
    assert schema.section("cache_params").on_unknown == "rejected"


def test_homes_of_a_key_in_the_wrong_place() -> None:
    schema = load_schema(NEWEST)
    assert schema.homes("master_key") == ("general_settings",)
    assert "router_settings" in schema.homes("routing_strategy")
    assert schema.homes("no_such_key") == ()
    assert "RetryPolicy" not in schema.homes("TimeoutErrorRetries")


def test_types_leave_out_the_text_that_stands_for_them() -> None:
    schema = load_schema(NEWEST)
    params, router = schema.section("litellm_params").keys, schema.section("router_settings").keys
    assert params["rpm"].types == {"integer", "null"}
    assert accepts(schema, params["rpm"], "600")
    assert not accepts(schema, params["rpm"], "600/min")
    assert params["weight"].types == {"number", "null"}
    assert not accepts(schema, params["weight"], "9")
    assert router["fallbacks"].types == {"array", "null"}
    assert accepts(schema, router["fallbacks"], [{"a": ["b"]}])
    assert not accepts(schema, router["fallbacks"], [{"a": ["b"], "c": ["d"]}])
    assert schema.section("cache_params").keys["port"].types == {"integer", "null", "string"}
    assert "object" in router["retry_policy"].types


# -- which schema for which version


def test_picks_the_line_of_a_version_or_the_next_older() -> None:
    assert load_schema("1.106.0").line == "1.106"
    assert load_schema("v1.96.2-stable").line == "1.96"
    assert load_schema("1.90.1").line == "1.85"
    assert load_schema("2.0").line == NEWEST
    assert load_schema("1.106.9") is load_schema("1.106")


@pytest.mark.parametrize("version", ["1.2.3", "latest", "", "one.two"])
def test_refuses_what_is_no_version_or_too_old(version: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(", ".join(LINES))):
        load_schema(version)


@pytest.mark.parametrize(
    ("installed", "line"), [(None, NEWEST), ("1.85.3", "1.85"), ("1.100.0", "1.96"), ("1.40.0", LINES[0])]
)
def test_takes_the_installed_version_else_the_newest(
    monkeypatch: pytest.MonkeyPatch, installed: str | None, line: str
) -> None:
    monkeypatch.setattr(schemas, "installed_version", lambda: installed)
    assert load_schema().line == line


def test_the_newest_where_litellm_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert schemas.installed_version() is not None
    monkeypatch.setattr(sys, "path", [])
    assert schemas.installed_version() is None
    assert load_schema().line == NEWEST


@pytest.mark.parametrize(
    ("version", "installed", "said"),
    [
        ("1.96.0", None, None),
        ("1.90.1", None, "there is no schema for LiteLLM 1.90.1; it is judged as 1.85"),
        (
            "2.0",
            None,
            f"there is no schema for LiteLLM 2.0; it is judged as {NEWEST}{UNKNOWN}",
        ),
        (None, "1.40.0", "there is no schema for LiteLLM 1.40.0; it is judged as 1.85"),
        (None, f"{NEWEST}.9", None),
        (None, None, None),
    ],
)
def test_says_when_another_line_stands_in(
    monkeypatch: pytest.MonkeyPatch, version: str | None, installed: str | None, said: str | None
) -> None:
    monkeypatch.setattr(schemas, "installed_version", lambda: installed)
    assert stand_in(version) == said


def test_loading_imports_nothing_heavy() -> None:
    program = (
        "import sys, json; from pytest_aibackend.litellm.schema import load_schema; load_schema().sections;"
        "heavy = ('litellm', 'pydantic', 'yaml', 'jsonschema');"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert json.loads(done.stdout) == []
