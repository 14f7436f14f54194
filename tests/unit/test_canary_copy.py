"""The canary's private copy and environment, and what is expected to be served: for any candidate at all."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_aibackend.deploy.canary.compare import differences, expected_of
from pytest_aibackend.deploy.canary.copy import (
    canary_environment,
    canary_namespace,
    named_variables,
    private_copy,
    show_path,
    walk,
)

PRODUCTION = "litellm:unified"
SECTIONS = ("general_settings", "litellm_settings", "router_settings", "environment_variables", "model_list")
SETTINGS = (
    "cache",
    "cache_params",
    "namespace",
    "type",
    "coordination_redis",
    "redis_host",
    "redis_url",
    "database_url",
    "store_model_in_db",
    "alerting",
    "background_health_checks",
    "REDIS_HOST",
    "DATABASE_URL",
    "model_group_alias",
    "model_name",
    "litellm_params",
)
SCALARS = st.sampled_from(
    [
        None,
        True,
        1,
        "\ud800",
        "gr\xfc\xdf",
        PRODUCTION,
        "redis",
        "s3",
        "os.environ/REDIS_HOST",
        "os.environ/X",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(SETTINGS), inner, max_size=4),
    max_leaves=12,
)
CANDIDATES = st.dictionaries(st.sampled_from(SECTIONS), VALUES)


@given(CANDIDATES)
def test_any_candidate_is_copied_quietly_and_left_as_it_is(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    copied = private_copy(data, canary_namespace("t"), {"REDIS_HOST": "here"})
    assert data == before
    assert yaml.safe_load(yaml.safe_dump(copied).encode("ascii")) == copied
    general = copied["general_settings"]
    if isinstance(general, dict):
        assert general["background_health_checks"] is False
        assert not {"database_url", "store_model_in_db", "alerting"} & general.keys()
        if isinstance(general.get("coordination_redis"), dict):
            assert general["coordination_redis"]["namespace"] == "aibackend-canary:t"
    settings = copied.get("litellm_settings")
    if isinstance(settings, dict) and settings.get("cache") is True:
        parameters = settings["cache_params"]
        is_outside = isinstance(parameters, dict) and parameters.get("type") not in {None, "local"}
        assert not is_outside or parameters["namespace"] == "aibackend-canary:t"
    variables = copied.get("environment_variables")
    if isinstance(variables, dict):
        assert "DATABASE_URL" not in variables
    # Nothing else is changed: what stops LiteLLM in the candidate stops it in the copy.
    assert copied.get("model_list") == data.get("model_list") or "REDIS_HOST" in str(data)


@given(CANDIDATES)
def test_expecting_and_comparing_never_stumble(data: dict[str, Any]) -> None:
    expected = expected_of(data, {"X": "x"})
    missing = differences(expected, {"data": []}, {"data": []}, [])
    assert bool(missing) == bool(expected.groups.names or expected.deployments)


NAMES = st.sampled_from(["a", "b", "gpt/*"])
ENTRIES = st.lists(
    st.tuples(
        NAMES, st.sampled_from(["openai/x", "openai/y"]), st.sampled_from(["os.environ/X", "http://h"])
    ),
    min_size=1,
    max_size=6,
)


@given(ENTRIES, st.integers(0, 5))
def test_what_is_served_as_written_is_the_same_and_one_less_is_named(
    entries: list[tuple[str, str, str]], gone: int
) -> None:
    listed = [
        {"model_name": name, "litellm_params": {"model": model, "api_base": base}}
        for name, model, base in entries
    ]
    expected = expected_of({"model_list": listed}, {"X": "http://x"})
    rows = [
        {
            "model_name": name.replace("*", "some"),  # as LiteLLM lists a wildcard
            "litellm_params": {"model": model, "api_base": "http://x" if base.startswith("os") else base},
        }
        for name, model, base in entries
    ]
    models = {"data": [{"id": name} for name in {name for name, _, _ in entries} | {"gpt/some"}]}
    if not any("*" in name for name, _, _ in entries):
        models["data"].remove({"id": "gpt/some"})
    assert differences(expected, models, {"data": rows}, []) == []

    gone %= len(entries)
    assume("*" not in entries[gone][0])
    (said,) = differences(expected, models, {"data": rows[:gone] + rows[gone + 1 :]}, ["why"])
    assert said.startswith(f"LiteLLM dropped deployment {entries[gone][1]} at http")
    assert said.endswith(f"of model group '{entries[gone][0]}': why")


def test_a_stranger_is_named() -> None:
    data = {"model_list": [{"model_name": "a", "litellm_params": {"model": "openai/x"}}]}
    rows = [{"model_name": "a", "litellm_params": {"model": model}} for model in ("openai/x", "openai/old")]
    found = differences(expected_of(data, {}), {"data": [{"id": "a"}, {"id": "z"}]}, {"data": rows}, [])
    assert found == [
        "LiteLLM serves 'z', which the candidate does not define",
        "LiteLLM serves openai/old of model group 'a', which the candidate does not define",
    ]


def test_models_that_come_from_elsewhere_are_no_strangers() -> None:
    data = {
        "model_list": [{"model_name": "a", "litellm_params": {"model": "openai/x"}}],
        "include": ["b.yaml"],
    }
    rows = [{"model_name": name, "litellm_params": {"model": "openai/x"}} for name in ("a", "b")]
    seen = {"data": [{"id": "a"}, {"id": "b"}]}
    assert differences(expected_of(data, {}), seen, {"data": rows}, []) == []
    assert differences(expected_of(data, {}), {"data": [{"id": "b"}]}, {"data": rows}, []) == [
        "LiteLLM does not serve model group 'a'"
    ]


def test_a_database_and_odd_settings_are_left_out_or_left_to_litellm() -> None:
    data = {
        "general_settings": {"database_url": "postgresql://h", "store_model_in_db": True, "master_key": "k"},
        "litellm_settings": {"cache": True, "cache_params": ["redis"]},
    }
    copied = private_copy(data, "namespace", {})
    assert copied["general_settings"] == {
        "master_key": "k",
        "background_health_checks": False,
        "disable_model_info_refresh": True,
    }
    assert copied["litellm_settings"] == data["litellm_settings"], "LiteLLM refuses that itself"
    assert "database_url" in data["general_settings"], "the candidate is left as it is"


def test_a_deployment_of_another_environment_is_not_expected() -> None:
    entry = {
        "model_name": "a",
        "litellm_params": {"model": "openai/x"},
        "model_info": {"supported_environments": ["production"]},
    }
    assert expected_of({"model_list": [entry]}, {"LITELLM_ENVIRONMENT": "staging"}).groups.names == ()
    assert expected_of({"model_list": [entry]}, {"LITELLM_ENVIRONMENT": "production"}).groups.names == ("a",)


def test_the_environment_keeps_what_is_the_gateways_and_loses_what_leads_elsewhere() -> None:
    given_ = {
        "OPENAI_API_KEY": "k",
        "REDIS_HOST": "h",
        "DATABASE_URL": "postgresql://h",
        "CONFIG_FILE_PATH": "/etc/litellm.yaml",
        "PROMETHEUS_MULTIPROC_DIR": "/run/metrics",
        "LITELLM_WORKER_STARTUP_HOOKS": "pytest_aibackend.serving.worker:start,theirs.module:hook",
    }
    made = canary_environment(given_)
    assert (
        made.items()
        >= {
            "OPENAI_API_KEY": "k",
            "REDIS_HOST": "h",
            "LITELLM_WORKER_STARTUP_HOOKS": "theirs.module:hook",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }.items()
    )
    assert not {"DATABASE_URL", "CONFIG_FILE_PATH", "PROMETHEUS_MULTIPROC_DIR"} & made.keys()
    assert {"PATH", "HOME"} <= made.keys()
    assert canary_environment({"PATH": "/p", "HOME": "/h"}).items() >= {"PATH": "/p", "HOME": "/h"}.items()


def test_places_are_shown_as_people_write_them() -> None:
    data = {"model_list": [{"litellm_params": {"api_key": "os.environ/K"}}], "a": {"b": "os.environ/K"}}
    (paths,) = named_variables(data).values()
    assert [show_path(path) for path in paths] == ["model_list[0].litellm_params.api_key", "a.b"]
    assert [value for _, value in walk(data)] == ["os.environ/K"] * 2
