"""Headers that are sent to providers, keys among them: what cannot be sent fails every request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.endpoints import OPENAI_LIKE
from pytest_aibackend.litellm.lint.providers import provider_of, resolved
from pytest_aibackend.sources.secrets import show_value

__all__ = ["malformed_header", "unsendable_key"]

_SENT: Final = "llms/openai/openai.py; httpx, Headers (1.106.2)"
_HEADERS: Final = ("extra_headers", "headers")


@lint_rule("malformed-header", where=_SENT)
def malformed_header(context: LintContext) -> Iterator[LintProblem]:
    """The value of a header is no text, or holds letters that no header may hold.

    LiteLLM sends it as it is: `X-Revision: 5` fails every request to the deployment, and so does a letter
    outside ASCII. Put numbers, `true` and `false` in quotes.
    """
    for deployment in context.document.deployments:
        for key in _HEADERS:
            headers = deployment.params.get(key)
            for name, value in headers.items() if isinstance(headers, dict) else ():
                fact = _trouble(value)
                if fact is not None and not _is_replaced(context, deployment, value):
                    yield LintProblem(
                        path=deployment.at(key, name),
                        message=f"the header {name} of {deployment.label!r} {fact}: every request fails",
                        hint="write letters of ASCII" if isinstance(value, str) else "put it in quotes",
                    )


@lint_rule("unsendable-key", where=_SENT)
def unsendable_key(context: LintContext) -> Iterator[LintProblem]:
    """An `api_key` holds what no header can carry: a line break, or letters outside ASCII.

    Every request to the deployment fails with "Connection error". A line break often comes from `|` behind
    `api_key:`, or from the file that a variable was read from. Keys of variables are looked at where the
    environment is known.
    """
    for deployment in context.document.deployments:
        key = resolved(context, deployment.params.get("api_key"))
        fact = None if key is None else "has letters outside ASCII" if not key.isascii() else None
        if key is not None and any(letter in key for letter in "\r\n"):
            fact = "holds a line break" if provider_of(context, deployment) in OPENAI_LIKE else fact
        if fact is not None:
            yield LintProblem(
                path=deployment.at("api_key"),
                message=f"the api_key of {deployment.label!r} {fact}: every request fails",
                hint="write it in one line, in letters of ASCII",
            )


def _trouble(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"is {show_value(None, value)}, which is no text"
    return None if value.isascii() else "has letters outside ASCII"


def _is_replaced(context: LintContext, deployment: Any, value: Any) -> bool:
    """Say whether LiteLLM writes the header itself: anthropic-version, which looks like a date."""
    return isinstance(value, dt.date) and provider_of(context, deployment) == "anthropic"
