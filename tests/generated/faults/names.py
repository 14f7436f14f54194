"""Fallbacks, aliases and credentials that lead nowhere, or have the wrong shape."""

from __future__ import annotations

import copy

from pytest_aibackend.findings import Path
from tests.generated.faults.hand import Hand, fault

__all__: list[str] = []


@fault
def fallback_to_nowhere(hand: Hand) -> Path:
    section = hand.one_of(["router_settings", "litellm_settings"])
    kind = hand.one_of(["fallbacks", "context_window_fallbacks", "content_policy_fallbacks"])
    group = hand.group()
    hand.section(section)[kind] = [{group: ["no-such-model"]}]
    return (section, kind, 0, group, 0)


@fault
def fallback_from_nowhere(hand: Hand) -> Path:
    hand.section("router_settings")["fallbacks"] = [{"no-such-model": [hand.group()]}]
    return ("router_settings", "fallbacks", 0, "no-such-model")


@fault
def default_fallback_to_nowhere(hand: Hand) -> Path:
    hand.section("router_settings")["default_fallbacks"] = [hand.group(), "no-such-model"]
    return ("router_settings", "default_fallbacks", 1)


@fault
def fallback_to_itself(hand: Hand) -> Path:
    group = hand.group()
    hand.section("router_settings")["fallbacks"] = [{group: [group]}]
    return ("router_settings", "fallbacks", 0, group, 0)


@fault
def fallbacks_in_a_circle(hand: Hand) -> Path:
    second, third = (
        copy.deepcopy(hand.data["model_list"][0]) | {"model_name": f"{name}-of-three"}
        for name in ("second", "third")
    )
    first = hand.group()
    hand.data["model_list"] += [second, third]
    ring = [first, "second-of-three", "third-of-three"]  # two are spares of one another
    hand.section("router_settings")["fallbacks"] = [
        {name: [ring[(place + 1) % 3]]} for place, name in enumerate(ring)
    ]
    return ("router_settings", "fallbacks", 0, first)


@fault
def fallback_as_text(hand: Hand) -> Path:
    group = hand.group()
    hand.section("router_settings")["fallbacks"] = [{group: "some-model"}]
    return ("router_settings", "fallbacks", 0, group)


@fault
def fallbacks_of_two_names(hand: Hand) -> Path:
    group = hand.group()
    hand.section("router_settings")["fallbacks"] = [{group: [], "*": [group]}]
    return ("router_settings", "fallbacks", 0)


@fault
def alias_to_nowhere(hand: Hand) -> Path:
    target = hand.one_of(["no-such-model", {"model": "no-such-model", "hidden": True}])
    hand.section("router_settings")["model_group_alias"] = {"other-name": target}
    return ("router_settings", "model_group_alias", "other-name")


@fault
def alias_as_list(hand: Hand) -> Path:
    hand.section("router_settings")["model_group_alias"] = {"other-name": [hand.group()]}
    return ("router_settings", "model_group_alias", "other-name")


@fault
def alias_without_hidden(hand: Hand) -> Path:
    hand.section("router_settings")["model_group_alias"] = {"other-name": {"model": hand.group()}}
    return ("router_settings", "model_group_alias", "other-name")


@fault
def alias_over_a_model(hand: Hand) -> Path:
    extra = copy.deepcopy(hand.data["model_list"][0]) | {"model_name": "second-of-two"}
    hand.section("router_settings")["model_group_alias"] = {"second-of-two": hand.group()}
    hand.data["model_list"].append(extra)
    return ("router_settings", "model_group_alias", "second-of-two")


@fault
def unknown_credential(hand: Hand) -> Path:
    path, params = hand.params()
    params["litellm_credential_name"] = "no-such-credential"
    return (*path, "litellm_credential_name")
