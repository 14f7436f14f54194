"""Traffic: how requests are shared out, limited, timed and tried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, Said
from pytest_aibackend.diff.deployment import Place
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.settings import Owned, own, owned_by
from pytest_aibackend.diff.wording import from_to

__all__ = [
    "cooldown_changed",
    "gateway_limit_changed",
    "parameter_handling_changed",
    "retries_changed",
    "routing_changed",
    "routing_strategy_changed",
    "timeout_changed",
    "workers_changed",
]

_STRATEGY: Final = own(Owned("router_settings", "routing_strategy routing_strategy_args"))
_TIMEOUTS: Final = own(
    Owned("router_settings", "timeout stream_timeout"),
    Owned("litellm_settings", "request_timeout"),
    Owned("general_settings", "pass_through_request_timeout"),
)
_RETRIES: Final = own(
    Owned("router_settings", "num_retries retry_after retry_policy model_group_retry_policy max_fallbacks"),
    Owned("litellm_settings", "num_retries num_retries_per_request retry max_fallbacks"),
)
_COOLDOWNS: Final = own(
    Owned("router_settings", "allowed_fails allowed_fails_policy cooldown_time disable_cooldowns"),
    Owned("litellm_settings", "allowed_fails"),
)
_ROUTING: Final = own(
    Owned(
        "router_settings",
        """enable_pre_call_checks optional_pre_call_checks enable_weighted_failover enable_tag_filtering
        tag_filtering_match_any tag_routing_prefix enable_health_check_routing routing_groups default_priority
        health_check_staleness_threshold model_group_affinity_config deployment_affinity_ttl_seconds
        default_litellm_params""",
    ),
)
_LIMITS: Final = own(
    Owned("router_settings", "default_max_parallel_requests provider_budget_config"),
    Owned(
        "litellm_settings",
        """max_budget budget_duration max_end_user_budget max_user_budget max_internal_user_budget
        default_key_generate_params upperbound_key_generate_params default_team_settings max_tokens
        default_team_params default_internal_user_params tag_budget_config""",
    ),
    Owned(
        "general_settings",
        """max_parallel_requests global_max_parallel_requests max_request_size_mb max_response_size_mb
        max_in_flight_requests_per_worker max_queued_requests_per_worker token_rate_limit_type
        max_file_size_mb admission_queue_timeout_seconds""",
    ),
)
_HANDLING: Final = own(
    Owned(
        "litellm_settings",
        "drop_params modify_params add_function_to_prompt enable_json_schema_validation model_alias_map",
    ),
)


@change_rule("routing-strategy-changed", classes=(ChangeClass.PERFORMANCE,))
def routing_strategy_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The deployments of a model group share requests in another way.

    Only `simple-shuffle` looks at weights; the others look at load, latency, cost or usage.
    """
    yield from _said(old, new, _STRATEGY, "Requests are shared out differently among servers.")


@change_rule("timeout-changed", classes=(ChangeClass.PERFORMANCE,))
def timeout_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The gateway waits longer, or less long, for an answer.

    Shorter: long answers end in an error 408 or go on to a fallback. Longer: a client waits for a server
    that is stuck.
    """
    yield from _said(old, new, _TIMEOUTS, "Long answers are cut off, and failures seen, at another time.")


@change_rule("retries-changed", classes=(ChangeClass.PERFORMANCE,))
def retries_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A request that fails is tried another number of times, or after another wait.

    More tries hide failures and make them slower; fewer show them to clients.
    """
    yield from _said(old, new, _RETRIES, "Errors are seen more or less often, sooner or later.")


@change_rule("cooldown-changed", classes=(ChangeClass.PERFORMANCE,))
def cooldown_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A server that fails is left out after another number of failures, or for another time.

    While it is left out, the others or the fallbacks answer for it.
    """
    yield from _said(old, new, _COOLDOWNS, "When servers fail, others take over sooner or later.")


@change_rule("routing-changed", classes=(ChangeClass.PERFORMANCE,))
def routing_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Which deployments may answer a request is decided differently.

    Checks before a call, tags, health, what happens when a weighted member fails.
    """
    yield from _said(old, new, _ROUTING, "Other servers may answer a request, or refuse it.")


@change_rule("gateway-limit-changed", classes=(ChangeClass.PERFORMANCE,))
def gateway_limit_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A limit or budget for all requests, or for new keys, is another.

    What is above it is answered 429 or 400.
    """
    yield from _said(old, new, _LIMITS, "Busy clients meet a limit earlier or later.")


@change_rule("parameter-handling-changed", classes=(ChangeClass.BREAKING,))
def parameter_handling_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Parameters that a model does not know are treated differently.

    Without `drop_params` a request with one that the provider does not take is refused; with it the
    parameter is left out without a word, which breaks nothing.
    """
    for said in _said(old, new, _HANDLING, "Requests with parameters that a model does not know may fail."):
        was, now = (side.setting("litellm_settings", "drop_params") is True for side in (old, new))
        if said.subject != "drop_params" or (was and not now):
            yield said
            continue
        notice = "Nothing, unless LITELLM_DROP_PARAMS says otherwise."
        if now:
            notice = "Parameters that a model does not know are left out, and no longer refused."
        yield replace(said, notice=notice, classes=(ChangeClass.INFO,))


@change_rule("workers-changed", classes=(ChangeClass.PERFORMANCE,))
def workers_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The gateway runs with another number of processes.

    Each takes about 320 MB and counts limits and cooldowns for itself, unless Redis is there.
    """
    if old.sources and new.sources:
        counts = old.sources.deploy.workers, new.sources.deploy.workers
        if counts[0] != counts[1]:
            yield Said(
                subject="deploy.workers",
                message=f"the gateway ran {counts[0]} workers, runs {counts[1]}",
                notice="More or fewer requests are answered at once.",
            )


def _said(old: Meaning, new: Meaning, places: frozenset[Place], notice: str) -> Iterator[Said]:
    for place, before, after in owned_by(old, new, places):
        yield Said(subject=".".join(place[1:]), message=from_to(place, before, after), notice=notice)
