"""Values of a wrong type, and such that LiteLLM does not know or cannot use."""

from __future__ import annotations

from hypothesis import strategies as st

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.schema import Key
from tests.generated.faults.hand import Hand, fault, misspelt

__all__: list[str] = []


@fault
def value_of_another_type(hand: Hand) -> Path:
    wrong = {"array": ["x"], "object": {"x": "y"}, "integer": 77, "string": "never"}

    def fitting(key: Key) -> list[str]:
        taken = key.types | ({"integer"} if "number" in key.types else set())
        return [kind for kind in wrong if kind not in taken] if key.types - {"null"} else []

    key = hand.some_key(lambda key: bool(fitting(key)))
    return hand.set(key, wrong[hand.one_of(fitting(key))])


@fault
def value_that_is_not_known(hand: Hand) -> Path:
    key = hand.some_key(lambda key: bool(key.allowed) and not key.types)
    return hand.set(key, "no-such-thing")


@fault
def number_out_of_range(hand: Hand) -> Path:
    key = hand.some_key(lambda key: bool({"minimum", "exclusiveMinimum"} & set(key.schema)))
    least = key.schema.get("minimum", key.schema.get("exclusiveMinimum", 0) + 1)
    return hand.set(key, least - hand.one_of(st.integers(1, 100)))


@fault
def unknown_routing_strategy(hand: Hand) -> Path:
    hand.section("router_settings")["routing_strategy"] = misspelt(hand, "simple-shuffle")
    return ("router_settings", "routing_strategy")


@fault
def unknown_cache_type(hand: Hand) -> Path:
    hand.cache(misspelt(hand, "redis"))
    return ("litellm_settings", "cache_params", "type")


@fault
def timeout_with_unit(hand: Hand) -> Path:
    path, params = hand.params()
    key = hand.one_of(["timeout", "stream_timeout"])
    params[key] = f"{hand.one_of(range(1, 600))}{hand.one_of(['s', ' sec', 'm'])}"
    return (*path, key)


@fault
def number_below_zero(hand: Hand) -> Path:
    section, key = hand.one_of(
        [
            ("router_settings", "num_retries"),
            ("router_settings", "timeout"),
            ("litellm_settings", "request_timeout"),
        ]
    )
    hand.section(section)[key] = hand.one_of(st.integers(-100, -1))
    return (section, key)


@fault
def weight_as_text(hand: Hand) -> Path:
    path, params = hand.params()
    params["weight"] = hand.one_of(["9", "0.5", "os.environ/BACKEND_NAME"])
    return (*path, "weight")


@fault
def weight_below_zero(hand: Hand) -> Path:
    path, params = hand.params()
    params["weight"] = hand.one_of(st.integers(-9, -1))
    return (*path, "weight")
