"""Budgets: limits on spending that are never counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value

__all__ = ["budget_without_effect", "malformed_budget"]

_COUNTED: Final = "router_strategy/budget_limiter.py, _increment_spend_for_key (1.106.2)"
_BY_PROVIDER: Final = ("router_settings", "provider_budget_config")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_PERIOD: Final = re.compile(r"\d+(mo|[smhdw])|hourly|daily|weekly|monthly", re.IGNORECASE)
_PERIOD_HINT: Final = "write a number and a unit without a blank: 1d, 12h, 1mo"


@lint_rule("budget-without-effect", severity=Severity.WARNING, where=_COUNTED)
def budget_without_effect(context: LintContext) -> Iterator[LintProblem]:
    """A budget lacks its limit or its period, is 0, or is for a provider that LiteLLM does not have.

    LiteLLM says nothing and limits nothing. A provider's budget is `budget_limit` and
    `time_period`; a deployment's is `max_budget` and `budget_duration`, under its `litellm_params`.
    """
    for provider, budget in context.document.section(*_BY_PROVIDER).items():
        path = (*_BY_PROVIDER, provider)
        if isinstance(budget, dict):
            yield from _lacking(path, f"the budget of {provider}", budget, "budget_limit", "time_period")
        if isinstance(provider, str) and provider not in context.schema.values("provider"):
            yield LintProblem(
                path=path,
                message=f"LiteLLM has no provider {provider!r}: its budget limits nothing",
                hint=context.suggester.hint(
                    provider, sorted(context.schema.values("provider")), otherwise="name a provider"
                ),
            )
    for deployment in context.document.deployments:
        params = deployment.params
        if params.get("max_budget") is not None or params.get("budget_duration") is not None:
            what = f"the budget of a deployment of {deployment.label!r}"
            yield from _lacking(deployment.at(), what, params, "max_budget", "budget_duration")


@lint_rule(
    "malformed-budget", where="litellm_core_utils/duration_parser.py; types/utils.py, BudgetConfig (1.106.2)"
)
def malformed_budget(context: LintContext) -> Iterator[LintProblem]:
    """The period of a budget is none, or a provider's budget is no mapping, or its limit no number.

    With the latter two, or a period that is no text, LiteLLM refuses to start. With another that is none it
    starts, and fails each time that it would add to what was spent: the budget limits nothing. A period is a
    number with one of `s`, `m`, `h`, `d`, `w` and `mo` behind it, without a blank.
    """
    for provider, budget in context.document.section(*_BY_PROVIDER).items():
        path = (*_BY_PROVIDER, provider)
        if isinstance(budget, dict):
            limit, period = budget.get("budget_limit"), budget.get("time_period")
            if limit is not None and not _is_number(limit):
                yield _refused((*path, "budget_limit"), limit, "number", "write dollars as a number")
            if period is not None and not isinstance(period, str):
                yield _refused((*path, "time_period"), period, "text", _PERIOD_HINT)
            yield from _period((*path, "time_period"), period)
        else:
            what = "is empty" if budget is None else "is no mapping"
            yield LintProblem(
                path=path,
                message=f"the budget of {provider} {what}: LiteLLM refuses to start",
                hint="write budget_limit and time_period below it",
            )
    for deployment in context.document.deployments:
        yield from _period(deployment.at("budget_duration"), deployment.params.get("budget_duration"))


def _lacking(path: Path, what: str, budget: Mapping[Any, Any], *keys: str) -> Iterator[LintProblem]:
    for key in keys:
        value = budget.get(key)
        if value is None:
            message, hint = f"{what} has no {key}: it limits nothing", f"add {key}"
        elif isinstance(value, (int, float)) and value == 0:
            message, hint = (
                f"{what} is 0, which limits nothing",
                "write a number above 0, or remove the models",
            )
        else:
            continue
        yield LintProblem(path=(*path, key), message=message, hint=hint)


def _refused(path: Path, value: Any, wanted: str, hint: str) -> LintProblem:
    shown = show_value(None, value)
    return LintProblem(
        path=path, message=f"{path[-1]} is {shown}, and no {wanted}: LiteLLM refuses to start", hint=hint
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return is_reference(value) or bool(_NUMBER.fullmatch(value.strip()))
    return isinstance(value, (int, float))


def _period(path: Path, value: Any) -> Iterator[LintProblem]:
    is_text = isinstance(value, str) and not is_reference(value)
    if is_text and not _PERIOD.match(value.strip()):
        yield LintProblem(
            path=path,
            message=f"{path[-1]} is {show_value(None, value)}, from which LiteLLM reads no period:"
            " the budget limits nothing",
            hint=_PERIOD_HINT,
        )
