"""What types do not say: values of a special form, names of other things, effects in the world."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hypothesis import strategies as st

__all__ = ["BUILT", "OMITTED", "has_meaning", "meaning_of"]

Key = tuple[str, str]  # section and key

_FALLBACKS: Final = (
    *("fallbacks", "context_window_fallbacks", "content_policy_fallbacks"),
    "default_fallbacks",
)
# Keys that configs.py writes itself, since they must agree with one another.
BUILT: Final[Mapping[str, frozenset[str]]] = {
    "deployment": frozenset({"model_name", "litellm_params", "model_info"}),
    "litellm_params": frozenset(
        {"model", "api_base", "base_url", "api_key", "weight", "rpm", "tpm", "order", "custom_llm_provider"}
    ),
    "model_info": frozenset({"mode", "id", "order"}),
    "router_settings": frozenset({"routing_strategy", "model_group_alias", *_FALLBACKS}),
    "litellm_settings": frozenset({"cache", "cache_params", *_FALLBACKS}),
    "general_settings": frozenset({"master_key"}),
    "cache_params": frozenset({"type", "host", "port", "namespace"}),
}

_DATES: Final = st.dates(dt.date(2024, 1, 1), dt.date(2026, 12, 31)).map(lambda day: f"{day}T00:00:00Z")
_PERIODS: Final = st.sampled_from(["30s", "1d", "1mo"])
_NUMBERS: Final = st.integers(1, 1000)
_BUDGET: Final = st.fixed_dictionaries({"budget_limit": _NUMBERS, "time_period": _PERIODS})
_WINDOW: Final = {"start": "08:00", "end": "18:00", "timezone": "UTC", "team_ids": ["night"]}

# What the type of a value does not say, each for the reason that stands above it.
_FORMS: Final[Mapping[Key, st.SearchStrategy[Any]]] = {
    # Dates and times of day, not any text.
    ("model_info", "created_at"): _DATES,
    ("model_info", "updated_at"): _DATES,
    ("model_info", "ptu_effective_from"): _DATES,
    ("model_info", "ptu_effective_to"): _DATES,
    ("model_info", "access_windows"): st.sampled_from([[], [_WINDOW]]),
    ("litellm_settings", "budget_reset_time"): st.just("12:00"),
    # A number with a unit, not any text.
    ("litellm_params", "budget_duration"): _PERIODS,
    # By names of providers.
    ("router_settings", "provider_budget_config"): st.dictionaries(
        st.sampled_from(["openai", "anthropic"]), _BUDGET, max_size=2
    ),
    # A path and an address, not any texts.
    ("general_settings", "pass_through_endpoints"): st.just(
        [{"path": "/other", "target": "http://127.0.0.1:8000"}]
    ),
    # One list of two, not both and not none.
    ("general_settings", "spend_logs_metadata_fields"): st.just({"exclude": ["user_api_key_alias"]}),
    # The services that LiteLLM sends alerts to.
    ("general_settings", "alerting"): st.just(["slack"]),
    # A class that is made of each when LiteLLM starts.
    ("general_settings", "team_metadata_schema"): st.just([{"key": "cost_center"}]),
    # What the gateway of these tests has in LITELLM_ENVIRONMENT, alone or among others.
    ("model_info", "supported_environments"): st.sampled_from([["production"], ["staging", "production"]]),
    # Seconds: a number, or a text that is one.
    ("litellm_params", "timeout"): _NUMBERS | _NUMBERS.map(str),
    ("litellm_params", "stream_timeout"): _NUMBERS | _NUMBERS.map(str),
    ("litellm_params", "request_timeout"): _NUMBERS,
    # A whole number, which may be written as 3.0.
    ("litellm_params", "max_agentic_loops"): _NUMBERS,
}
# Keys whose values are names of model groups.
_NAME: Final = frozenset({("general_settings", "completion_model")})
_NAMES: Final = frozenset(
    {
        ("general_settings", "background_health_check_model_groups"),
        ("router_settings", "background_health_check_model_groups"),
    }
)
_RETRIES: Final = ("router_settings", "model_group_retry_policy")
_GROUPS: Final = ("router_settings", "routing_groups")

# Keys that configs are not given, by section and by reason.
_LEFT_OUT: Final[Mapping[str, Mapping[str, str]]] = {
    "names Python code, or a service that LiteLLM connects to": {
        "litellm_settings": "callbacks success_callback failure_callback input_callback service_callback"
        " audit_log_callbacks post_call_rules pre_call_rules custom_provider_map cold_storage_custom_logger",
        "general_settings": "custom_auth custom_key_generate custom_key_update custom_key_policy custom_sso"
        " custom_ui_sso_sign_in_handler"
        " custom_team_metadata_validate key_management_system"
        " use_google_kms use_azure_key_vault",
        "router_settings": "plugins redis_url redis_host redis_port redis_password redis_db",
    },
    "needs a database, a Redis or a licence": {
        "general_settings": "database_url database_args store_model_in_db use_redis_transaction_buffer"
        " enforced_params allowed_ips coordination_redis",
        "litellm_settings": "tag_budget_config",
    },
    "another way to log in": {
        "general_settings": "enable_jwt_auth enable_oauth2_auth enable_oauth2_proxy_auth role_permissions"
        " litellm_key_header_name",
    },
    "what stands in it no class declares": {
        "general_settings": "search_tools",
        "litellm_settings": "guardrails default_team_settings",
    },
    "keeps the tests themselves out": {"general_settings": "allowed_routes"},
    "lets everybody in": {"general_settings": "dangerously_permit_weak_or_unset_master_key"},
    "must be in credential_list": {"litellm_params": "litellm_credential_name"},
    "another provider's, which reads it in the place of api_key": {"litellm_params": "apikey"},
}
OMITTED: Final[Mapping[Key, str]] = {
    (section, key): reason
    for reason, sections in _LEFT_OUT.items()
    for section, keys in sections.items()
    for key in keys.split()
}


def has_meaning(key: Key) -> bool:
    """Say whether the values of a key are not those of its type."""
    return key in _FORMS or key in _NAME or key in _NAMES or key in (_RETRIES, _GROUPS)


def meaning_of(key: Key, groups: Sequence[str]) -> st.SearchStrategy[Any] | None:
    """Return the values of a key where its type does not say them, for a config of these model groups."""
    if key in _NAME:
        return st.sampled_from(groups)
    if key in _NAMES:
        return st.lists(st.sampled_from(groups), min_size=1, max_size=2, unique=True)
    if key == _RETRIES:
        policy = st.fixed_dictionaries({"TimeoutErrorRetries": st.integers(0, 5)})
        return st.dictionaries(st.sampled_from(groups), policy, max_size=1)
    if key == _GROUPS:
        members = st.lists(st.sampled_from(groups), min_size=1, unique=True)
        together = {"group_name": st.just("together"), "models": members}
        strategy = {"routing_strategy": st.sampled_from(["simple-shuffle", "least-busy"])}
        return st.lists(st.fixed_dictionaries(together | strategy), max_size=1)
    return _FORMS.get(key)
