"""Secrets in the file, and variables that LiteLLM does not find."""

from __future__ import annotations

from pytest_aibackend.findings import Path
from pytest_aibackend.sources.secrets import is_secret_key
from tests.generated.faults.hand import Hand, fault

__all__: list[str] = []


@fault
def secret_in_the_file(hand: Hand) -> Path:
    key = hand.some_key(lambda key: key.name.endswith(("_key", "password")) and is_secret_key(key.name))
    return hand.set(key, hand.one_of(["Zq7Rt0vBx91kLm4T", "p8-2fK0-aa91-XyPq"]))


@fault
def key_of_a_known_shape(hand: Hand) -> Path:
    path, params = hand.params()
    params["metadata"] = {"note": "sk-ant-" + "a1b2c3d4e5f6a7b8c9d0"}
    return (*path, "metadata", "note")


@fault
def master_key_in_the_file(hand: Hand) -> Path:
    hand.section("general_settings")["master_key"] = hand.one_of(["sk-1234", "sk-9d20f1c7e86b4a53", " "])
    return ("general_settings", "master_key")


@fault
def master_key_empty(hand: Hand) -> Path:
    hand.section("general_settings")["master_key"] = None
    return ("general_settings", "master_key")


@fault
def password_in_an_address(hand: Hand) -> Path:
    path, _ = hand.server("openai", "http://me:s3cret-word@10.0.0.5:8000/v1")
    return (*path, "api_base")


@fault
def variable_that_is_not_set(hand: Hand) -> Path:
    path, params = hand.params()
    params["api_key"] = "os.environ/NO_SUCH_VARIABLE"
    return (*path, "api_key")


@fault
def variable_of_a_shell(hand: Hand) -> Path:
    path, params = hand.params()
    params["api_key"] = hand.one_of(["${BACKEND_KEY}", "$BACKEND_KEY", "${BACKEND_KEY:-none}"])
    return (*path, "api_key")


@fault
def reference_misspelt(hand: Hand) -> Path:
    path, params = hand.params()
    params["api_key"] = hand.one_of(["os.environ.BACKEND_KEY", "os.environ/ BACKEND_KEY", "env/BACKEND_KEY"])
    return (*path, "api_key")


@fault
def reference_in_a_list(hand: Hand) -> Path:
    path, params = hand.params()
    params["tags"] = ["os.environ/BACKEND_NAME"]
    return (*path, "tags", 0)
