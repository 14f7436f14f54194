"""Keys that are misspelt, misplaced, missing, or no text."""

from __future__ import annotations

from pytest_aibackend.findings import Path
from tests.generated.faults.hand import SETTINGS, Hand, fault, misspelt

__all__: list[str] = []


@fault
def misspelt_section(hand: Hand) -> Path:
    name = hand.one_of(SETTINGS)
    wrong = misspelt(hand, name)
    hand.data[wrong] = hand.section(name) or {"num_retries": 2}
    return (wrong,)


@fault
def misspelt_setting(hand: Hand) -> Path:
    key = hand.some_key(lambda key: len(key.name) > 5, *SETTINGS)
    (section,), settings = hand.place(key.section)
    wrong = misspelt(hand, key.name)
    settings[wrong] = 1
    return (section, wrong)


@fault
def misspelt_parameter(hand: Hand) -> Path:
    wrong = misspelt(hand, hand.one_of(["api_base", "api_key", "timeout", "max_retries", "stream_timeout"]))
    path, params = hand.params()
    params[wrong] = 1
    return (*path, wrong)


@fault
def key_in_another_section(hand: Hand) -> Path:
    home, other = hand.one_of([(one, two) for one in SETTINGS for two in SETTINGS if one != two])
    foreign = hand.schema.section(other).keys
    key = hand.some_key(lambda key: key.name not in foreign, home)
    hand.section(other)[key.name] = 5
    return (other, key.name)


@fault
def master_key_in_another_section(hand: Hand) -> Path:
    section = hand.one_of(["router_settings", "litellm_settings"])
    hand.section(section)["master_key"] = hand.section("general_settings").pop("master_key")
    return (section, "master_key")


@fault
def key_that_is_no_text(hand: Hand) -> Path:
    section, key = hand.one_of(SETTINGS), hand.one_of([False, 1])
    hand.section(section)[key] = "x"
    return (section, key)


@fault
def no_model_name(hand: Hand) -> Path:
    index, deployment = hand.deployment()
    del deployment["model_name"]
    return ("model_list", index)


@fault
def no_model(hand: Hand) -> Path:
    path, params = hand.params()
    del params["model"]
    return (*path, "model")


@fault
def no_litellm_params(hand: Hand) -> Path:
    index, deployment = hand.deployment()
    del deployment["litellm_params"]
    return ("model_list", index)
