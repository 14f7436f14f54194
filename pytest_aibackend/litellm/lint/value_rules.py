"""Values that LiteLLM cannot use: of another type, not among those it knows, too small or too large."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import departures_of, dotted, nearness_of
from pytest_aibackend.litellm.lint.entries import FALLBACK_KINDS, MOMENTS
from pytest_aibackend.litellm.lint.shape import Departure, Kind, type_name
from pytest_aibackend.sources.secrets import is_secret_key, show_value
from pytest_aibackend.sources.wording import listed

__all__: list[str] = []

_SHAPED: Final = ("model_group_alias", *FALLBACK_KINDS)
_FORMS: Final = {
    **dict.fromkeys(FALLBACK_KINDS, "write a list of mappings: - name: [first, second]"),
    "default_fallbacks": "write a list of names: [first, second]",
    "model_group_alias": "write a mapping: alias: model group",
    "model_list": "begin each deployment with - model_name:",
}
_NOUNS: Final = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
    "binary": "binary data",
    "date": "a date",
}
# Keys of litellm_settings that LiteLLM puts to use as they are.
_NEVER_NULL: Final = frozenset(
    {
        *("max_budget", "max_internal_user_budget", "default_max_internal_user_budget"),
        *("callbacks", "success_callback", "failure_callback", "audit_log_callbacks", "post_call_rules"),
        *("custom_provider_map", "default_team_settings", "guardrails", "responses"),
        *("model_group_settings", "priority_reservation_settings", "upperbound_key_generate_params"),
    }
)
_IN_MODEL_INFO: Final = 4  # steps: model_list, which, model_info, key


@lint_rule(
    "wrong-type",
    where="types/router.py, LiteLLM_Params; router.py, Router.__init__; proxy/_types.py (1.106.2)",
)
def wrong_type(context: LintContext) -> Iterator[LintProblem]:
    """A value is of another type than LiteLLM uses: a word for a number, a list for a mapping.

    Under `litellm_params`, and for some keys of `model_info`, LiteLLM drops the deployment; under
    `router_settings` nothing looks at the type, so that `num_retries: "1"` retries nothing and
    `timeout: 25s` fails every request; a section that is no mapping is passed over or stops LiteLLM, and so
    does an entry with nothing in it, such as a hyphen alone. Write the value as the message says.
    """
    for departure in departures_of(context, Kind.TYPE):
        if departure.path[:1] == ("include",) or (len(departure.path) > 2 and departure.path[1] in _SHAPED):
            continue  # include-shape, alias-shape and fallback-shape speak of them
        if departure.path[1:2] == ("provider_budget_config",) and len(departure.path) == 3:
            continue  # malformed-budget speaks of it
        key = departure.path[-1] if departure.path else None
        if key in MOMENTS and isinstance(departure.value, (dt.date, int, float)):
            continue  # a number is one of seconds
        wanted = " or ".join(_NOUNS[kind] for kind in departure.wanted)
        yield LintProblem(
            path=departure.path,
            message=f"{dotted(departure.path)} is {_shown(key, departure.value)}, and should be {wanted}",
            hint=_type_hint(departure),
            severity=Severity.WARNING if departure.inferred or _is_kept(context, departure) else None,
        )


@lint_rule(
    "unknown-value", where="router_utils/routing_groups.py; types/caching.py; types/router.py (1.106.2)"
)
def unknown_value(context: LintContext) -> Iterator[LintProblem]:
    """A value is not among those that LiteLLM knows, such as a routing strategy or a type of cache.

    LiteLLM refuses to start, drops the deployment, or goes on as if nothing had been set. Write one of the
    values that the message names.
    """
    for departure in departures_of(context, Kind.VALUE):
        key = departure.path[-1]
        texts = [each for each in departure.allowed if isinstance(each, str)]
        yield LintProblem(
            path=departure.path,
            message=f"{dotted(departure.path)} is {show_value(key, departure.value)};"
            f" LiteLLM knows {listed(departure.allowed, shown=12)}",
            hint=nearness_of(context).hint(departure.value, texts, otherwise="write one of these"),
            severity=Severity.WARNING if _is_kept(context, departure) else None,
        )


@lint_rule("value-out-of-range", where="proxy/_types.py, ConfigGeneralSettings; types/router.py (1.106.2)")
def value_out_of_range(context: LintContext) -> Iterator[LintProblem]:
    """A number is smaller or larger than LiteLLM allows.

    LiteLLM refuses to start, drops the deployment, or never comes to the limit. Write a number within the
    bounds.
    """
    for departure in departures_of(context, Kind.RANGE):
        yield LintProblem(
            path=departure.path,
            message=f"{dotted(departure.path)} is {departure.value}, and must be {departure.wanted[0]}",
            hint=f"write a number that is {departure.wanted[0]}",
        )


@lint_rule("unusable-null", where="proxy/proxy_server.py, load_config: litellm_settings (1.106.2)")
def unusable_null(context: LintContext) -> Iterator[LintProblem]:
    """A key has nothing behind it, where LiteLLM wants a value.

    Most keys may be left empty. Of these LiteLLM makes a number, a list or an object, and refuses to start:
    the budgets, the lists of callbacks and a few more under `litellm_settings`. Remove the key, or give it a
    value.
    """
    settings = context.document.section("litellm_settings")
    for key in sorted(_NEVER_NULL & context.schema.section("litellm_settings").keys.keys()):
        if key in settings and settings[key] is None:
            yield LintProblem(
                path=("litellm_settings", key),
                message=f"{key} has no value: LiteLLM does not start",
                hint=f"give {key} a value, or remove it",
            )


def _noun(value: Any) -> str:
    kind = type_name(value)
    return _NOUNS.get(kind, kind)


def _shown(key: Any, value: Any) -> str:
    if value is None or isinstance(value, (dict, list)) or is_secret_key(key):
        return _noun(value)
    return f"the text {show_value(key, value)}" if isinstance(value, str) else show_value(key, value)


def _is_kept(context: LintContext, departure: Departure) -> bool:
    """Say whether LiteLLM stores such a value as it is, and drops no deployment because of it."""
    if departure.on_unknown != "stored" or len(departure.path) != _IN_MODEL_INFO:
        return departure.on_unknown == "stored"
    key = context.schema.section(departure.section).keys.get(str(departure.path[-1]))
    takes_words = departure.wanted == ("boolean",)  # pydantic, many of them
    return key is None or not key.of_deployment or takes_words


def _type_hint(departure: Departure) -> str:
    value, wanted = departure.value, departure.wanted
    if value is None:
        return "remove the empty entry, or write what is missing below it"
    if departure.path and departure.path[-1] == "drop_params" and isinstance(value, list):
        return "write additional_drop_params for a list of names"
    if 1 <= len(departure.path) <= 2 and departure.path[-1] in _FORMS:
        return _FORMS[departure.path[-1]]
    if departure.path[1:2] == ("default_fallbacks",):
        return "write names alone; the list of one model stands under fallbacks"
    if "string" in wanted and isinstance(value, (int, float, dt.date)):
        return "put it in quotes"
    if isinstance(value, str) and any(kind in wanted for kind in ("integer", "number")):
        return "write the number alone, without quotes or unit"
    if isinstance(value, str) and "boolean" in wanted:
        return "write true or false, without quotes"
    if "array" in wanted and not isinstance(value, dict):
        return "write a list: [first, second], or one item a line after -"
    return "look at the indentation, and at LiteLLM's documentation for the key"
