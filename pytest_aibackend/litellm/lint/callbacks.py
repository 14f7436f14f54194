"""Callbacks and alerts: names that LiteLLM does not know, and so never calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import nearness_of
from pytest_aibackend.litellm.lint.modules import ELSEWHERE, is_code
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.wording import listed

__all__ = ["alerting_unknown", "callback_unknown"]

_SETTINGS: Final = "litellm_settings"
_ON_EVENTS: Final = ("success_callback", "failure_callback", "audit_log_callbacks")
# Seen with 1.106.2: these are no classes, and stop LiteLLM when they stand under `callbacks`.
_EVENTS_ONLY: Final = frozenset(
    """athina dynamodb greenscale helicone lunary opentelemetry promptlayer s3 sentry slack supabase traceloop
    wandb""".split()  # noqa: SIM905 # a text is easier to read than thirteen quoted words
)
_CHANNELS: Final = ("slack", "ms_teams", "webhook", "email")


@lint_rule("callback-unknown", where="proxy/common_utils/callback_utils.py; proxy/proxy_server.py (1.106.2)")
def callback_unknown(context: LintContext) -> Iterator[LintProblem]:
    """A callback has a name that LiteLLM does not know, or none.

    Under `callbacks` LiteLLM then looks for a module of that name and refuses to start. Under
    `success_callback` and `failure_callback` it takes any name, and calls nothing: no logs, no metrics, and
    not a word of it. Some callbacks, such as `s3` and `sentry`, may stand under those two only. Code of one's
    own is `module.name`; a `generic_api` of one's own stands under `callback_settings` with `endpoint` and
    `headers`.
    """
    callbacks = context.document.get(_SETTINGS, "callbacks")
    if isinstance(callbacks, str) and callbacks and "." not in callbacks:
        yield LintProblem(
            path=(_SETTINGS, "callbacks"),
            message=f"callbacks is the text {show_value(None, callbacks)}, which LiteLLM takes for code of"
            " yours: it refuses to start",
            hint=f"write a list: [{callbacks}]",
        )
    for key in ("callbacks", *_ON_EVENTS):
        for index, name in enumerate(_entries(context, key)):
            if not isinstance(name, str if key == "callbacks" else (str, dict, list)):
                yield LintProblem(
                    path=(_SETTINGS, key, index),
                    message=f"{key}[{index}] is no name: LiteLLM refuses to start",
                    hint="write the name of a callback, or remove the entry",
                )
    for path, name in _listed(context, "callbacks"):
        problem = _among_callbacks(context, path, name)
        if problem is not None:
            yield problem
    for key in _ON_EVENTS:
        for path, name in _listed(context, key):
            if name not in context.schema.values("callback") and not _is_own(context, name):
                yield _unknown(context, path, name, "LiteLLM calls nothing")


@lint_rule("alerting-unknown", where="proxy/utils.py, update_values; slack_alerting.py, send_alert (1.106.2)")
def alerting_unknown(context: LintContext) -> Iterator[LintProblem]:
    """`alerting` names a channel that LiteLLM does not know.

    It sends alerts to `slack`, `ms_teams`, `webhook` and `email`; of any other name it says nothing and sends
    nothing. Discord takes alerts as `slack` does, at the address of its webhook with `/slack` behind it.
    """
    channels = context.document.get("general_settings", "alerting")
    for index, channel in enumerate(channels if isinstance(channels, list) else ()):
        if isinstance(channel, str) and channel not in _CHANNELS and not is_reference(channel):
            yield LintProblem(
                path=("general_settings", "alerting", index),
                message=f"LiteLLM has no channel {show_value(None, channel)} for alerts: it knows"
                f" {listed(_CHANNELS)}",
                hint=nearness_of(context).hint(channel, _CHANNELS, otherwise="write one of these"),
            )


def _among_callbacks(context: LintContext, path: Path, name: str) -> LintProblem | None:
    own = context.document.get("callback_settings", name)
    if isinstance(own, dict) and own.get("callback_type") == "generic_api":
        lacking = [key for key in ("endpoint", "headers") if own.get(key) is None]
        return (
            LintProblem(
                path=("callback_settings", name),
                message=f"the callback {name!r} has no {' and no '.join(lacking)}:"
                " LiteLLM passes over it, and refuses to start",
                hint=f"add {' and '.join(lacking)} to it",
            )
            if lacking
            else None
        )
    if name in _EVENTS_ONLY:
        return LintProblem(
            path=path,
            message=f"{name!r} cannot stand under callbacks: LiteLLM refuses to start",
            hint="write it under success_callback, failure_callback or both",
        )
    if name in context.schema.values("callback"):
        return None
    return _unknown(context, path, name, "LiteLLM refuses to start")


def _unknown(context: LintContext, path: Path, name: str, fate: str) -> LintProblem:
    meant = nearness_of(context).find(name, context.schema.values("callback"))
    refused = fate.endswith("start")
    return LintProblem(
        path=path,
        message=f"there is no callback {show_value(None, name)}: {fate}",
        hint=f"did you mean {meant!r}?" if meant else "write one of LiteLLM's callbacks, or module.name",
        severity=None if refused or meant else Severity.WARNING,
    )


def _listed(context: LintContext, key: str) -> Iterator[tuple[Path, str]]:
    """Yield the names in a list of callbacks that are none of code."""
    for index, name in enumerate(_entries(context, key)):
        if isinstance(name, str) and not is_code(name) and not name.startswith(ELSEWHERE):
            yield (_SETTINGS, key, index), name


def _entries(context: LintContext, key: str) -> list[Any]:
    names: Any = context.document.get(_SETTINGS, key)
    return names if isinstance(names, list) else []


def _is_own(context: LintContext, name: str) -> bool:
    return context.document.has("callback_settings", name)
