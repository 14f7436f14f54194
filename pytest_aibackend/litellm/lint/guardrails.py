"""Guardrails: those without which LiteLLM starts, though the config asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import nearness_of
from pytest_aibackend.litellm.lint.modules import is_code
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.wording import listed

__all__ = ["guardrail_mode", "guardrail_unknown"]

_MADE: Final = "proxy/guardrails/guardrail_registry.py, initialize_guardrail"
_FATE: Final = "LiteLLM starts without this guardrail"


@lint_rule("guardrail-unknown", where=f"{_MADE}: Unsupported guardrail (1.106.2)")
def guardrail_unknown(context: LintContext) -> Iterator[LintProblem]:
    """A guardrail is of a kind that LiteLLM does not know, or of none.

    LiteLLM writes a line into its log and starts without it: requests go through unguarded. Kinds are written
    as LiteLLM writes them, small letters and all; one of your own is `module.Class`.
    """
    known = context.schema.values("guardrail")
    for path, name, params in _params(context):
        kind = params.get("guardrail")
        if kind is None:
            yield LintProblem(
                path=(*path, "guardrail"),
                message=f"{name} does not say which guardrail it is: {_FATE}",
                hint="add guardrail: with one of LiteLLM's, or module.Class",
            )
        elif isinstance(kind, str) and kind not in known and not is_code(kind) and not is_reference(kind):
            yield LintProblem(
                path=(*path, "guardrail"),
                message=f"{name} is of the kind {show_value(None, kind)}, unknown to LiteLLM: {_FATE}",
                hint=nearness_of(context).hint(
                    kind, known, otherwise="write one of LiteLLM's, or module.Class"
                ),
            )


@lint_rule("guardrail-mode", where=f"{_MADE}; types/guardrails.py, GuardrailEventHooks (1.106.2)")
def guardrail_mode(context: LintContext) -> Iterator[LintProblem]:
    """A guardrail does not say when it is to act, or names no moment that LiteLLM knows.

    LiteLLM writes a line into its log and starts without it; a guardrail of your own is loaded and never
    called. `mode` is one moment, a list of moments, or `{tags: {name: moment}, default: moment}`.
    """
    known = sorted(context.schema.values("guardrail_mode"))
    for path, name, params in _params(context):
        if params.get("mode") is None:
            yield LintProblem(
                path=(*path, "mode"),
                message=f"{name} has no mode: {_FATE}",
                hint="add mode: pre_call, post_call, or another moment",
            )
        for place, mode in _modes(params.get("mode"), (*path, "mode")):
            if isinstance(mode, str) and mode.lower() not in known and not is_reference(mode):
                yield LintProblem(
                    path=place,
                    message=f"{name} has the mode {show_value(None, mode)}, and would never act:"
                    f" LiteLLM knows {listed(known, shown=12)}",
                    hint=nearness_of(context).hint(mode, known, otherwise="write one of these"),
                )


def _params(context: LintContext) -> Iterator[tuple[Path, str, Mapping[Any, Any]]]:
    """Yield the litellm_params of each guardrail, with their path and what messages call it."""
    guardrails = context.document.get("guardrails")
    for index, each in enumerate(guardrails if isinstance(guardrails, list) else ()):
        params = each.get("litellm_params") if isinstance(each, dict) else None
        if isinstance(params, dict):
            name = each.get("guardrail_name")
            called = f"guardrail {name!r}" if isinstance(name, str) else f"guardrails[{index}]"
            yield ("guardrails", index, "litellm_params"), called, params


def _modes(mode: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(mode, list):
        yield from (((*path, index), each) for index, each in enumerate(mode))
    elif isinstance(mode, dict):
        tags = mode.get("tags")
        for name, value in tags.items() if isinstance(tags, dict) else ():
            yield from _modes(value, (*path, "tags", name))
        yield from _modes(mode.get("default"), (*path, "default"))
    else:
        yield path, mode
