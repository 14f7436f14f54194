"""Dates and times of day that LiteLLM cannot read."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.entries import MOMENTS
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value

__all__ = ["malformed_time"]

_RESET: Final = ("litellm_settings", "budget_reset_time")
_SECONDS: Final = re.compile(r"[+-]?\d+(\.\d*)?")  # since 1970, or since midnight
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)")
_HOUR: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d([.,]\d+)?)?")
_HOUR_HINT: Final = 'write the hours and minutes in quotes: "08:30"'


@lint_rule(
    "malformed-time",
    where="proxy/common_utils/timezone_utils.py; types/router.py, ModelInfo, ModelAccessWindow (1.106.2)",
)
def malformed_time(context: LintContext) -> Iterator[LintProblem]:
    """A date or a time of day is none.

    LiteLLM refuses to start because of `budget_reset_time` or the hours of `access_windows`, and drops a
    deployment whose `created_at` or `updated_at` is no date. Write times in quotes: YAML reads `12:30` as a
    number.
    """
    reset = context.document.get(*_RESET)
    if _RESET[1] in context.schema.section(_RESET[0]).keys and _is_text(reset) and not _is_time_of_day(reset):
        yield _problem(_RESET, reset, "time of day", _HOUR_HINT)
    for deployment in context.document.deployments:
        path = (*deployment.path, "model_info")
        for key in MOMENTS:
            value = deployment.info.get(key)
            if _is_text(value) and not _is_moment(value):
                yield _problem((*path, key), value, "date", "write it as 2024-05-31 or 2024-05-31T08:30:00Z")
        windows = deployment.info.get("access_windows")
        for index, window in enumerate(windows if isinstance(windows, list) else ()):
            for key in ("start", "end") if isinstance(window, dict) else ():
                value = window.get(key)
                if _is_text(value) and not _is_hour(value):
                    at = (*path, "access_windows", index, key)
                    yield _problem(at, value, "time of day", _HOUR_HINT)


def _problem(path: Path, value: str, wanted: str, hint: str) -> LintProblem:
    shown = show_value(None, value)
    return LintProblem(path=path, message=f"{path[-1]} is {shown}, which is no {wanted}", hint=hint)


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and not is_reference(value)


def _is_moment(text: str) -> bool:
    """Say whether pydantic may read a moment in a text; of the time behind the day nothing is said."""
    if _SECONDS.fullmatch(text.strip()):
        return True
    return bool(_DAY.match(text)) and _fits(text[:10], "%Y-%m-%d")


def _is_hour(text: str) -> bool:
    return bool(_HOUR.fullmatch(text) or _SECONDS.fullmatch(text))


def _is_time_of_day(text: str) -> bool:
    return _fits(text, "%H:%M") or _fits(text, "%H:%M:%S")


def _fits(text: str, form: str) -> bool:
    try:
        dt.datetime.strptime(text, form)  # noqa: DTZ007  (a day or an hour has no time zone)
    except ValueError:
        return False
    return True
