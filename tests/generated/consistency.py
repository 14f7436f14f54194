"""Settings that contradict one another are right each by itself: one of the two is taken out again."""

from __future__ import annotations

from typing import Any

__all__ = ["settle"]


def settle(data: dict[str, Any]) -> None:
    """Take out of a config what has no effect beside something else that it says."""
    router = data.get("router_settings", {})
    litellm = data.get("litellm_settings", {})
    general = data.get("general_settings", {})
    for key in ("num_retries", "allowed_fails", "max_fallbacks"):  # the router's wins
        if router.get(key) is not None:
            litellm.pop(key, None)
    if litellm.get("request_timeout") is not None:  # comes before the router's
        router.pop("timeout", None)
    if router.get("disable_cooldowns"):
        _drop(router, "cooldown_time", "allowed_fails", "allowed_fails_policy")
    if not any(
        each.get(key) for each in (router, litellm) for key in ("allowed_fails", "allowed_fails_policy")
    ):
        router.pop("cooldown_time", None)  # has its effect after so many failures
    counts_usage = router.get("routing_strategy", "simple-shuffle") not in ("simple-shuffle", "least-busy")
    if not counts_usage:
        router.pop("routing_strategy_args", None)
        for deployment in data["model_list"]:
            _drop(deployment.get("model_info", {}), "rpm", "tpm")
    for deployment in data["model_list"]:
        params = deployment["litellm_params"]
        if params.get("max_budget") is None or params.get("budget_duration") is None:
            _drop(params, "max_budget", "budget_duration")  # one says nothing without the other
    _settle_health_checks(general, data["model_list"])


def _settle_health_checks(general: dict[str, Any], deployments: list[dict[str, Any]]) -> None:
    if not general.get("background_health_checks"):
        _drop(general, "health_check_interval", "use_shared_health_check", "enable_health_check_routing")
        return
    for deployment in deployments:  # they would send requests that are paid for
        deployment.setdefault("model_info", {})["disable_background_health_check"] = True


def _drop(section: dict[str, Any], *keys: str) -> None:
    for key in keys:
        section.pop(key, None)
