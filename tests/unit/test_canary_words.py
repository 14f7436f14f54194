"""LiteLLM's errors in plain words: logs as the real LiteLLM 1.106.2 wrote them, cut short."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.canary.words import (
    drop_reasons,
    explain_exit,
    hide,
    is_port_taken,
    last_error,
    secret_values,
)

FEEDBACK = """
ERROR:    Application startup failed. Exiting.

\x1b[1;37m#------------------------------------------------------------#\x1b[0m
\x1b[1;37m#            'The thing I wish you improved is...'            #\x1b[0m

\x1b[32mLiteLLM: Proxy initialized with Config, Set models:\x1b[0m
\x1b[32m    a\x1b[0m
"""


def log_of(*last: str) -> str:
    frames = '  File "litellm/router.py", line 1490, in __init__\n    raise ValueError(\n          ^^^^^\n'
    first = f"Traceback (most recent call last):\n{frames}KeyError: 'first'\n\nDuring handling:\n\n"
    return (
        f"INFO:     Started\n{first}Traceback (most recent call last):\n{frames}" + "\n".join(last) + FEEDBACK
    )


MODELS = {"model_list": [{"model_name": "a", "litellm_params": {"model": "openai/x"}}]}
CASES: dict[str, tuple[str, Any, str]] = {
    "strategy": (
        "ValueError: Invalid routing_strategy: 'nope'. Valid options: ['simple-shuffle', 'lar1']. Check it.",
        MODELS,
        (
            "router_settings.routing_strategy is 'nope', which LiteLLM does not know; "
            "it knows simple-shuffle, lar1"
        ),
    ),
    "fallback": (
        "ValueError: Dictionary '{'a': ['b'], 'c': ['d']}' must have exactly one key, but has 2 keys.",
        MODELS,
        "one entry of the fallbacks has 2 keys ('a', 'c'); each entry must have exactly one",
    ),
    "no-params": (
        "KeyError: 'litellm_params'",
        {"model_list": [*MODELS["model_list"], {"model_name": "b"}]},
        "model_list[1] ('b') has no litellm_params: LiteLLM refuses the whole file",
    ),
    "fallback-of-objects": (
        "ValueError: Dictionary '{'a': <object>, 'c': 1}' must have exactly one key, but has 2 keys.",
        MODELS,
        "one entry of the fallbacks has 2 keys ({'a': <object>, 'c': 1}); each entry must have exactly one",
    ),
    "no-params-after-text": (
        "KeyError: 'litellm_params'",
        {"model_list": ["a", {"model_name": "b"}]},
        "model_list[1] ('b') has no litellm_params: LiteLLM refuses the whole file",
    ),
    "no-model": (
        "KeyError: 'model'",
        {"model_list": [{"model_name": "b", "litellm_params": {"api_base": "x"}}]},
        "model_list[0] ('b') names no litellm_params.model: LiteLLM refuses the whole file",
    ),
    "callback": (
        "ImportError: Could not import handler from my_callbacks",
        {**MODELS, "litellm_settings": {"callbacks": ["my_callbacks.handler"]}},
        (
            "litellm_settings.callbacks[0] names my_callbacks.handler, but LiteLLM cannot import 'handler' "
            "from 'my_callbacks'"
        ),
    ),
    "misplaced": (
        "ValueError: 'health_check_interval' is NOT a valid router_settings parameter. Please move it.",
        MODELS,
        (
            "router_settings.health_check_interval: LiteLLM takes it under general_settings only, and refuses"
            " the file"
        ),
    ),
    "redis-argument": (
        "TypeError: Redis.__init__() got an unexpected keyword argument 'hots'",
        MODELS,
        "cache_params.hots: the Redis client knows no such setting, and LiteLLM refuses the file",
    ),
    "model-name": (
        "TypeError: sequence item 0: expected str instance, float found",
        {"model_list": [{"model_name": 4.6, "litellm_params": {"model": "openai/x"}}]},
        "model_list[0].model_name is 4.6, no text: put it in quotes",
    ),
    "alias": (
        "AttributeError: 'list' object has no attribute 'items'",
        {**MODELS, "router_settings": {"model_group_alias": [{"b": "a"}]}},
        "router_settings.model_group_alias is a list; LiteLLM wants a mapping of alias to model group",
    ),
    "entry": (
        "AttributeError: 'str' object has no attribute 'get'",
        {"model_list": ["a"]},
        "model_list[0] is no mapping of model_name and litellm_params",
    ),
    "weak-key": (
        (
            "litellm.proxy.auth.master_key_boot_check.UnsafeMasterKeyError: LiteLLM proxy refused to start:"
            " the master"
            " key is a publicly known default. The fix is printed once the server exits."
        ),
        MODELS,
        (
            "the master key is a published example: LiteLLM refuses to start; put a key of your own into the"
            " service's"
            " environment"
        ),
    ),
    "validation": (
        (
            "pydantic_core._pydantic_core.ValidationError: 1 validation error for"
            " RetryPolicy\nTimeoutErrorRetries\n"
            "  Input should be a valid integer [type=int_parsing, input_value='sk-oops', input_type=str]\n"
            "    For further information visit https://errors.example/v/int_parsing"
        ),
        MODELS,
        "LiteLLM refuses the candidate: RetryPolicy.TimeoutErrorRetries: Input should be a valid integer",
    ),
    "unknown": (
        "some.module.StrangeError: it went wrong, api_key: hunter2hunter2",
        MODELS,
        "LiteLLM refuses the candidate: StrangeError: it went wrong, api_key: ***",
    ),
    "params": (
        "AttributeError: 'str' object has no attribute 'get'",
        {"model_list": [*MODELS["model_list"], {"model_name": "b", "litellm_params": "openai/x"}]},
        "model_list[1].litellm_params is no mapping",
    ),
    # The words fit an error of another cause, too: then the error speaks for itself.
    "not-the-known-key": ("KeyError: 'model'", MODELS, "LiteLLM refuses the candidate: KeyError: 'model'"),
    "not-the-known-name": (
        "TypeError: sequence item 0: expected str instance, int found",
        MODELS,
        "LiteLLM refuses the candidate: TypeError: sequence item 0: expected str instance, int found",
    ),
    "not-the-known-cause": (
        "AttributeError: 'list' object has no attribute 'items'",
        MODELS,
        "LiteLLM refuses the candidate: AttributeError: 'list' object has no attribute 'items'",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_in_plain_words(name: str) -> None:
    error, data, said = CASES[name]
    assert explain_exit(log_of(error), 3, data) == said


@pytest.mark.parametrize(
    ("log", "status", "said"),
    [
        ("", -9, "LiteLLM was killed while it booted: out of memory, or somebody ended it"),
        ("", -11, "LiteLLM was ended by signal 11 while it booted"),
        ("", 3, "LiteLLM ended with status 3 and said nothing of the reason"),
        ("Usage: x\nError: no such option\n", 2, "LiteLLM refuses the candidate: Error: no such option"),
    ],
)
def test_an_end_without_an_exception(log: str, status: int, said: str) -> None:
    assert explain_exit(log, status, MODELS) == said


def test_the_port_is_told_from_other_refusals() -> None:
    taken = "[Errno 98] error while attempting to bind on address ('127.0.0.1', 4000): address already in use"
    assert is_port_taken(taken)
    assert not is_port_taken(log_of("OSError: [Errno 13] permission denied"))


def test_every_dropped_deployment_has_its_reason_in_order() -> None:
    log = (
        "12:00:00 - LiteLLM Router:ERROR: router.py:9444 - Error creating deployment:"
        " litellm.BadRequestError: LLM"
        " Provider NOT provided. Pass in the LLM provider you are trying to call. You passed"
        " model=foo/x\n Pass model"
        " as E.g. For 'Huggingface', ignoring and continuing with other deployments.\nTraceback (most"
        " recent call"
        " last):\n  File\nlitellm.BadRequestError: LLM Provider NOT provided. You passed model=foo/x\n"
        "12:00:00 - LiteLLM Router:ERROR: router.py:9444 - Error creating deployment: 1 validation error for"
        " LiteLLM_Params\nrpm\n  Input should be a valid integer [type=int_parsing, input_value='600/min',"
        " input_type=str]\n    For further information visit https://errors.example/v, ignoring and"
        " continuing with"
        " other deployments.\n"
        "12:00:00 - Error creating deployment: LLM Provider NOT provided. You passed model=bare, ignoring and"
        " continuing with other deployments.\n"
    )
    assert drop_reasons(log) == [
        "unknown provider prefix 'foo/'",
        "rpm: Input should be a valid integer",
        "model 'bare' names no provider",
    ]


def test_secrets_are_those_of_the_environment_of_the_file_and_those_it_names() -> None:
    data = {
        "model_list": [
            {"litellm_params": {"api_key": "os.environ/PLAIN", "api_base": "http://here"}},
            {"litellm_params": {"api_key": "literal-one", "model": "openai/x"}},
        ]
    }
    environment = {
        "PLAIN": "plain-value",
        "MY_API_KEY": "key-value",
        "PATH": "/usr/bin",
        "OTHER_TOKEN": "abc",
    }
    assert sorted(secret_values(environment, data)) == ["key-value", "literal-one", "plain-value"]
    shown = hide("key-value and plain-value at /usr/bin, literal-one", secret_values(environment, data))
    assert shown == "*** and *** at /usr/bin, ***"


@given(st.text(), st.integers(-64, 255), st.recursive(st.none() | st.text(), st.lists, max_leaves=5))
def test_no_log_is_beyond_words(log: str, status: int, data: object) -> None:
    assert explain_exit(log, status, data).strip()
    assert explain_exit(log_of(log), status, data).strip()
    assert isinstance(last_error(log), str)
    assert isinstance(drop_reasons(log), list)


def test_a_log_may_end_with_the_error() -> None:
    log = log_of("ValueError: one", "  two").removesuffix(FEEDBACK)
    assert last_error(log) == "ValueError: one\ntwo"
