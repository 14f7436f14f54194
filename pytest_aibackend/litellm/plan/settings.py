"""`router_settings`: those of gateway.yaml, and what the plan needs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.litellm.plan.types import Deployment, Problems
from pytest_aibackend.sources.models import GatewayFile, ModelMappingsFile

__all__ = ["Needs", "context_is_checked", "merge_settings", "note_rules"]

_RATE_CHECK: Final = "enforce_model_rate_limits"


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What the plan asks of the router."""

    groups: Mapping[str, tuple[Deployment, ...]]
    weighted: Sequence[str]  # the groups that weights balance
    aliases: Mapping[str, str]
    fallbacks: Mapping[str, tuple[str, ...]]
    default_fallbacks: tuple[str, ...]
    has_limits: bool


def context_is_checked(gateway: GatewayFile) -> bool:
    """Say whether LiteLLM compares requests with `max_input_tokens` (it does so only when told to)."""
    return gateway.router_settings.get("enable_pre_call_checks") is True


def merge_settings(
    gateway: GatewayFile, mappings: ModelMappingsFile, needs: Needs, problems: Problems
) -> dict[str, Any]:
    """Return the router settings to write; where the files contradict each other, gateway.yaml is kept."""
    merged = dict(gateway.router_settings)
    _merge_aliases(merged, needs, problems)
    _merge_fallbacks(merged, needs, problems)
    if needs.default_fallbacks:
        _set(merged, "default_fallbacks", list(needs.default_fallbacks), "the chain default", problems)
    for key in ("fallbacks", "default_fallbacks"):
        if key in merged and gateway.litellm_settings.get(key):
            problems.add(
                "conflicting-setting",
                ("litellm_settings", key),
                key,
                source="gateway",
                message=f"litellm_settings.{key} has no effect: LiteLLM takes router_settings.{key} in its"
                " place, which the chains of model-mappings.yaml make",
                hint=f"move it to router_settings.{key}, or into fallback_chains",
            )
    if needs.weighted:
        # Without it a request that drew a stopped member fails (4 of 14 with two retries, seen with 1.106.2).
        merged.setdefault("enable_weighted_failover", True)
        _check_strategy(merged, needs, problems)
    if needs.has_limits:
        # rpm and tpm alone are only weights to simple-shuffle (router_strategy/simple_shuffle.py, 1.106.2).
        checks = merged.get("optional_pre_call_checks")
        listed = list(checks) if isinstance(checks, list) else []
        if _RATE_CHECK not in listed:
            merged["optional_pre_call_checks"] = [*listed, _RATE_CHECK]
    _special_cases(merged, mappings, problems)
    return merged


def _check_strategy(merged: Mapping[str, Any], needs: Needs, problems: Problems) -> None:
    strategy = merged.get("routing_strategy", "simple-shuffle")
    if strategy != "simple-shuffle":
        problems.add(
            "conflicting-setting",
            ("router_settings", "routing_strategy"),
            "routing_strategy",
            source="gateway",
            message=f"with routing_strategy {strategy!r} LiteLLM does not look at the weights of the"
            " load_balancing"
            f" groups ({', '.join(needs.weighted[:5])})",
            hint="use simple-shuffle, or remove the weights",
        )


def _set(merged: dict[str, Any], key: str, value: Any, what: str, problems: Problems) -> None:
    if key in merged and merged[key] != value:
        problems.add(
            "conflicting-setting",
            ("router_settings", key),
            key,
            source="gateway",
            message=f"router_settings.{key} is {merged[key]!r}, and {what} of model-mappings.yaml makes"
            f" it {value!r};"
            " as it is, gateway.yaml has the last word",
            hint="say it in one of the two files",
        )
        return
    merged[key] = value


def _merge_aliases(merged: dict[str, Any], needs: Needs, problems: Problems) -> None:
    written = merged.get("model_group_alias")
    own: dict[Any, Any] = dict(written) if isinstance(written, dict) else {}
    for alias in own:
        if alias in needs.groups:
            problems.add(
                "conflicting-setting",
                ("router_settings", "model_group_alias", alias),
                str(alias),
                source="gateway",
                message=f"alias {alias!r} hides the model group of that name: LiteLLM looks at aliases first",
                hint="give the alias another name",
            )
    for alias, target in needs.aliases.items():
        if alias in own and own[alias] != target:
            problems.add(
                "conflicting-setting",
                ("router_settings", "model_group_alias", alias),
                alias,
                source="gateway",
                message=f"alias {alias!r} is {own[alias]!r} here, and the capability of that name makes"
                f" it {target!r};"
                " as it is, gateway.yaml has the last word",
                hint="say it in one of the two files",
            )
        own.setdefault(alias, target)
    if own:
        merged["model_group_alias"] = own


def _merge_fallbacks(merged: dict[str, Any], needs: Needs, problems: Problems) -> None:
    written = merged.get("fallbacks")
    own: list[Any] = list(written) if isinstance(written, list) else []
    named = {next(iter(entry)): place for place, entry in enumerate(own) if isinstance(entry, dict) and entry}
    for name, chain in needs.fallbacks.items():
        if name not in named:
            own.append({name: list(chain)})
        elif own[named[name]][name] != list(chain):
            problems.add(
                "conflicting-setting",
                ("router_settings", "fallbacks", named[name]),
                name,
                source="gateway",
                message=f"router_settings.fallbacks has a chain for {name!r}, and model-mappings.yaml has"
                " another; as it is, gateway.yaml has the last word",
                hint="say it in one of the two files",
            )
    if own:
        merged["fallbacks"] = own


def _special_cases(merged: dict[str, Any], mappings: ModelMappingsFile, problems: Problems) -> None:
    for name, case in mappings.special_cases.items():
        if case.get("enabled") is False:
            continue
        if name != "error_based_routing":
            _report_case(name, problems)
            continue
        threshold, cooldown = case.get("error_threshold"), case.get("cooldown_seconds")
        if isinstance(threshold, int) and not isinstance(threshold, bool) and threshold > 0:
            # LiteLLM leaves a deployment out when its failures of a minute are more than allowed_fails.
            _set(merged, "allowed_fails", threshold - 1, "error_based_routing.error_threshold", problems)
        if isinstance(cooldown, int | float) and not isinstance(cooldown, bool) and cooldown > 0:
            _set(merged, "cooldown_time", cooldown, "error_based_routing.cooldown_seconds", problems)


def _report_case(name: str, problems: Problems) -> None:
    if name == "rate_limited_fallback":
        message = (
            "special case 'rate_limited_fallback' has no effect of its own: LiteLLM goes on to the next"
            " deployment or fallback at every answer 429, with one cooldown for all kinds of errors"
        )
        hint = "remove it; set error_based_routing.cooldown_seconds for how long a provider is left out"
    else:
        message = f"special case {name!r} has no effect: LiteLLM has nothing like it"
        hint = "remove it, or set enabled: false"
    problems.add("setting-without-effect", ("special_cases", name), name, message, hint)


def note_rules(mappings: ModelMappingsFile, problems: Problems) -> None:
    """Report the routing rules that look at the request, which LiteLLM does not."""
    for key, what in (
        ("request_metadata_routing", "headers and the shape of a request"),
        ("model_size_routing", "the size of a model"),
    ):
        if getattr(mappings.routing_rules, key):
            problems.add(
                "setting-without-effect",
                ("routing_rules", key),
                "routing_rules",
                message=f"{key} has no effect: LiteLLM does not choose a provider by {what}",
                hint="remove it; give each case a model group of its own that the client asks for",
            )
