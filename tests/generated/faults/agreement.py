"""Settings that need, or exclude, one another."""

from __future__ import annotations

from pytest_aibackend.findings import Path
from tests.generated.faults.hand import Hand, fault

__all__: list[str] = []


@fault
def cache_that_is_off(hand: Hand) -> Path:
    hand.cache("local")
    del hand.section("litellm_settings")["cache"]
    return ("litellm_settings", "cache_params")


@fault
def cache_without_namespace(hand: Hand) -> Path:
    hand.cache("redis", host="10.0.0.7", port=6379)
    return ("litellm_settings", "cache_params")


@fault
def cache_without_host(hand: Hand) -> Path:
    hand.cache("redis", namespace="gateway")
    return ("litellm_settings", "cache_params", "host")


@fault
def cache_without_bucket(hand: Hand) -> Path:
    hand.cache("s3")
    return ("litellm_settings", "cache_params", "s3_bucket_name")


@fault
def setting_in_two_places(hand: Hand) -> Path:
    key = hand.one_of(["num_retries", "allowed_fails", "max_fallbacks"])
    hand.section("router_settings")[key] = 2
    hand.section("litellm_settings")[key] = 3
    return ("litellm_settings", key)


@fault
def cooldown_that_is_disabled(hand: Hand) -> Path:
    hand.section("router_settings").update(disable_cooldowns=True, cooldown_time=30, allowed_fails=3)
    return ("router_settings", "cooldown_time")


@fault
def limit_of_no_effect(hand: Hand) -> Path:
    index, deployment = hand.deployment()
    hand.section("router_settings").pop("routing_strategy", None)
    deployment["litellm_params"].pop("rpm", None)
    deployment.setdefault("model_info", {})["rpm"] = 60
    return ("model_list", index, "model_info", "rpm")


@fault
def no_models(hand: Hand) -> Path:
    hand.data["model_list"] = []
    # What a gateway without a model may be there for.
    hand.section("general_settings").pop("pass_through_endpoints", None)
    return ("model_list",)
