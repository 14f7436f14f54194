"""Retries, timeouts and cooldowns: numbers that do not mean what they seem to, and settings that clash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.served import served_by
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value

__all__ = [
    "cooldown_disabled",
    "cooldown_without_allowed_fails",
    "negative_setting",
    "overridden_setting",
    "policy_group_unknown",
    "strategy_args_unused",
    "timeout_overridden",
    "timeout_with_unit",
    "zero_means_default",
]

_ROUTER: Final = "router_settings"
_LITELLM: Final = "litellm_settings"
_TIMEOUTS: Final = ("timeout", "stream_timeout", "request_timeout")
_COUNTED: Final = (*_TIMEOUTS, "num_retries", "max_retries", "cooldown_time", "allowed_fails", "retry_after")
_PARALLEL: Final = ("max_parallel_requests", "global_max_parallel_requests")
# What LiteLLM takes from router_settings, and from litellm_settings only without.
_SHARED: Final = (
    *("fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks"),
    *("num_retries", "allowed_fails", "max_fallbacks"),
)
_FALSY: Final = ("timeout", "cooldown_time")  # of router_settings
_DEFAULTS: Final = {"timeout": "6000 s", "cooldown_time": "5 s"}


def _places(context: LintContext) -> Iterator[tuple[Path, Any]]:
    """Yield every setting that counts or measures time, with its path."""
    document = context.document
    for section in (_ROUTER, _LITELLM):
        for key, value in document.section(section).items():
            if key in _COUNTED:
                yield (section, key), value
    for key in _PARALLEL:
        yield ("general_settings", key), document.get("general_settings", key)
    for deployment in document.deployments:
        for key, value in deployment.params.items():
            if key in _COUNTED:
                yield deployment.at(key), value


@lint_rule(
    "negative-setting", where="router.py, async_function_with_retries; router.py, _get_timeout (1.106.2)"
)
def negative_setting(context: LintContext) -> Iterator[LintProblem]:
    """A time or a number of tries is below zero.

    LiteLLM does not check it: with -1 retries nothing is retried, a negative timeout has passed before the
    request is sent. Write 0 or more, or leave it out.
    """
    for path, value in _places(context):
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
            yield LintProblem(
                path=path,
                message=f"{path[-1]} is {value}: {_below_zero(str(path[-1]))}",
                hint="write 0 or more, or leave it out",
            )


@lint_rule(
    "timeout-with-unit", where="types/router.py: timeout: float | str; router.py, _get_timeout (1.106.2)"
)
def timeout_with_unit(context: LintContext) -> Iterator[LintProblem]:
    """The timeout of a deployment is a text that is no number, such as `20s`.

    LiteLLM loads it, and every request to the deployment fails. Write seconds, without a unit.
    """
    for deployment in context.document.deployments:
        for key in _TIMEOUTS:
            value = deployment.params.get(key)
            if isinstance(value, str) and not is_reference(value) and not _is_number(value):
                yield LintProblem(
                    path=deployment.at(key),
                    message=f"{key} of {deployment.label!r} is the text {show_value(key, value)}:"
                    " every request fails",
                    hint="write seconds as a number, without a unit",
                )


@lint_rule("zero-means-default", severity=Severity.WARNING, where="router.py, Router.__init__ (1.106.2)")
def zero_means_default(context: LintContext) -> Iterator[LintProblem]:
    """A time under `router_settings` is 0, which LiteLLM takes for "not set".

    `cooldown_time: 0` means its default of 5 seconds, `timeout: 0` that of 6000. Write
    `disable_cooldowns: true` for no cooldowns; there is no word for no timeout but a long one.
    """
    for key in _FALSY:
        value = context.document.get(_ROUTER, key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0:
            yield LintProblem(
                path=(_ROUTER, key),
                message=f"{key}: 0 means LiteLLM's default of {_DEFAULTS[key]}",
                hint="write disable_cooldowns: true"
                if key == "cooldown_time"
                else "write the seconds that are meant",
            )


@lint_rule("overridden-setting", severity=Severity.WARNING, where="router.py, Router.__init__ (1.106.2)")
def overridden_setting(context: LintContext) -> Iterator[LintProblem]:
    """A setting stands under `litellm_settings` and, with another value, under `router_settings`.

    LiteLLM takes the one under `router_settings`, as a whole; lists of fallbacks are not joined. Keep one.
    """
    document = context.document
    for key in _SHARED:
        ours, theirs = document.get(_ROUTER, key), document.get(_LITELLM, key)
        wins = ours is not None if key in ("num_retries", "allowed_fails", "max_fallbacks") else bool(ours)
        if wins and theirs is not None and ours != theirs:
            yield LintProblem(
                path=(_LITELLM, key),
                message=f"{key} here has no effect: LiteLLM takes that of router_settings",
                hint="keep one of them",
            )


@lint_rule(
    "timeout-overridden", severity=Severity.WARNING, where="router.py, _get_non_stream_timeout (1.106.2)"
)
def timeout_overridden(context: LintContext) -> Iterator[LintProblem]:
    """`router_settings` has a `timeout` and `litellm_settings` another `request_timeout`.

    LiteLLM looks at a deployment's own timeout first, then at `request_timeout`, and at the router's only
    then: it has no effect. All of them are for one try; retries come on top. Keep one.
    """
    document = context.document
    router, request = document.get(_ROUTER, "timeout"), document.get(_LITELLM, "request_timeout")
    if router and request and router != request:
        yield LintProblem(
            path=(_ROUTER, "timeout"),
            message=f"timeout: {router} has no effect: request_timeout: {request} goes first",
            hint="keep one of them",
        )


@lint_rule(
    "cooldown-disabled", severity=Severity.WARNING, where="router_utils/cooldown_handlers.py (1.106.2)"
)
def cooldown_disabled(context: LintContext) -> Iterator[LintProblem]:
    """Cooldowns are switched off, and described besides.

    With `disable_cooldowns: true` no deployment is ever put aside: `cooldown_time` and `allowed_fails` have
    no effect. Remove one or the other.
    """
    settings = context.document.section(_ROUTER)
    if settings.get("disable_cooldowns") is not True:
        return
    for key in ("cooldown_time", "allowed_fails", "allowed_fails_policy"):
        if settings.get(key) is not None:
            yield LintProblem(
                path=(_ROUTER, key),
                message=f"{key} has no effect: disable_cooldowns is true",
                hint=f"remove {key}, or disable_cooldowns",
            )


@lint_rule(
    "cooldown-without-allowed-fails",
    severity=Severity.WARNING,
    where="router_utils/cooldown_handlers.py, _should_cooldown_deployment (1.106.2)",
)
def cooldown_without_allowed_fails(context: LintContext) -> Iterator[LintProblem]:
    """There is a `cooldown_time`, and nothing says after how many failures.

    Without `allowed_fails` LiteLLM puts a deployment aside after a 429, 401 or 404, or when more than half of
    its requests of a minute failed; of a server that is simply down it may ask for long. Say how many
    failures in a minute are allowed.
    """
    document = context.document
    settings = document.section(_ROUTER)
    if settings.get("disable_cooldowns") is True:
        return  # cooldown-disabled speaks of it
    if settings.get("cooldown_time") and not any(
        document.get(section, key) is not None
        for section in (_ROUTER, _LITELLM)
        for key in ("allowed_fails", "allowed_fails_policy")
    ):
        yield LintProblem(
            path=(_ROUTER, "cooldown_time"),
            message="cooldown_time is set, and nothing says after how many failures: allowed_fails is not",
            hint="add allowed_fails: 3, or another number of failures in a minute",
        )


@lint_rule(
    "strategy-args-unused", severity=Severity.WARNING, where="router.py, routing_strategy_init (1.106.2)"
)
def strategy_args_unused(context: LintContext) -> Iterator[LintProblem]:
    """There are `routing_strategy_args` for a strategy that takes none.

    `simple-shuffle`, which is the default, and `least-busy` do not look at them. Name the strategy that they
    are for.
    """
    settings = context.document.section(_ROUTER)
    strategy = settings.get("routing_strategy", "simple-shuffle")
    if settings.get("routing_strategy_args") and strategy in ("simple-shuffle", "least-busy"):
        yield LintProblem(
            path=(_ROUTER, "routing_strategy_args"),
            message=f"routing_strategy_args have no effect: {strategy} does not look at them",
            hint="name the routing_strategy that they are for, or remove them",
        )


@lint_rule(
    "policy-group-unknown",
    severity=Severity.WARNING,
    where="router_utils/get_retry_from_policy.py, resolve_retry_policy (1.106.2)",
)
def policy_group_unknown(context: LintContext) -> Iterator[LintProblem]:
    """`model_group_retry_policy` is for a model group that the gateway does not serve.

    LiteLLM checks no names: the policy is never used. Name a model group. Nothing is said where models may
    come from a database (`store_model_in_db`).
    """
    served = served_by(context)
    for group in context.document.section(_ROUTER, "model_group_retry_policy"):
        if isinstance(group, str) and served.is_known and not served.has(group):
            yield LintProblem(
                path=(_ROUTER, "model_group_retry_policy", group),
                message=f"the retry policy of {group!r} is never used: this gateway does not serve it",
                hint=context.suggester.hint(group, served.names, otherwise="name a model group"),
            )


def _below_zero(key: str) -> str:
    if key in _TIMEOUTS:
        return "every request has timed out before it is sent"
    if key in _PARALLEL:
        return "it limits nothing"
    return "nothing is tried again" if key.endswith("retries") else "LiteLLM does not check it"


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
