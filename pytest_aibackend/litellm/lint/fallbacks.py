"""Fallbacks: their shape, and whether they lead from names that are asked for to names that are served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import FALLBACK_KINDS, Fallback
from pytest_aibackend.litellm.lint.served import Served, served_by
from pytest_aibackend.sources.cycles import find_cycles, shown_cycle
from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.wording import written

__all__ = [
    "alias_without_fallbacks",
    "fallback_cycle",
    "fallback_member_unknown",
    "fallback_repeated",
    "fallback_self",
    "fallback_shape",
    "fallbacks_disabled",
]

_SECTIONS: Final = ("router_settings", "litellm_settings")
_LOOKED_UP: Final = "router_utils/fallback_event_handlers.py, get_fallback_model_group (1.106.2)"
_TRIED: Final = "router_utils/fallback_event_handlers.py, run_async_fallback (1.106.2)"
_SPARES: Final = 2
_WRITE: Final = "write - name: [first, second]"


@lint_rule("fallback-shape", where="router.py, validate_fallbacks; " + _LOOKED_UP)
def fallback_shape(context: LintContext) -> Iterator[LintProblem]:
    """A fallback is not a mapping of one name to a list of names.

    LiteLLM refuses an entry with two keys, or which is no mapping; among `context_window_fallbacks` it looks
    at the first key only. It goes through a text letter by letter. A model whose list is empty, or nothing,
    has no fallbacks, not even the `default_fallbacks`. A target is a name, or a mapping with `model` and what
    is to be sent besides.
    """
    for section in _SECTIONS:
        for kind in FALLBACK_KINDS:
            listed = context.document.get(section, kind)
            for index, entry in enumerate(listed if isinstance(listed, list) else ()):
                yield from _shape_of(entry, (section, kind, index))


def _shape_of(entry: Any, path: Path) -> Iterator[LintProblem]:
    kind = path[1]
    if not isinstance(entry, dict):
        message = (
            f"an entry of {kind} is {show_value(None, entry)}: LiteLLM wants one name with a list of names"
        )
        yield LintProblem(path=path, message=message, hint=_WRITE)
        return
    if len(entry) != 1:
        fate = "looks at the first only" if kind == "context_window_fallbacks" else "refuses to start"
        message = f"an entry of {kind} has {len(entry)} keys, and must have one: LiteLLM {fate}"
        yield LintProblem(path=path, message=message, hint="begin each name with - on a line of its own")
    for source, targets in entry.items():
        yield from _targets_of(source, targets, (*path, source))


def _targets_of(source: Any, targets: Any, path: Path) -> Iterator[LintProblem]:
    name = show_value(None, source)
    if isinstance(targets, str):
        message = f"the fallbacks of {name} are a text, which LiteLLM goes through letter by letter"
        yield LintProblem(path=path, message=message, hint=f"write - {written(source)}: [{written(targets)}]")
    elif not isinstance(targets, list) or not targets:
        shown = "an empty list" if targets == [] else show_value(None, targets)
        message = f"the fallbacks of {name} are {shown}: then it has none, default_fallbacks neither"
        yield LintProblem(path=path, message=message, hint=_WRITE)
    for index, target in enumerate(targets if isinstance(targets, list) else ()):
        model = target.get("model") if isinstance(target, dict) else target
        if not isinstance(model, str) or not model:
            yield LintProblem(
                path=(*path, index),
                message=f"a fallback of {name} is no name of a model: requests that come to it fail",
                hint="write a name, or a mapping with model",
            )


@lint_rule("fallback-member-unknown", where=_LOOKED_UP)
def fallback_member_unknown(context: LintContext) -> Iterator[LintProblem]:
    """A fallback starts from, or leads to, a name that the gateway does not serve.

    LiteLLM checks no names: such an entry never helps. `default` is no catch-all; that is
    `default_fallbacks`, or the name `*`. A target may be a model group, an alias, or the `model` of a
    deployment. Nothing is said where models may come from a database (`store_model_in_db`).
    """
    served = served_by(context)
    if not served.is_known:
        return
    for fallback in context.document.fallbacks:
        source = fallback.source
        if isinstance(source, str) and not served.may_ask(source):
            yield _unknown(context, served, source, fallback.kind, fallback.path)
        for name, path in fallback.names:
            if name and not served.has(name):
                yield _unknown(context, served, name, fallback.kind, path)
    for name, path in context.document.default_fallbacks:
        if not served.has(name):
            yield _unknown(context, served, name, "default_fallbacks", path)


@lint_rule("fallback-self", severity=Severity.WARNING, where=_TRIED)
def fallback_self(context: LintContext) -> Iterator[LintProblem]:
    """A model falls back to itself.

    LiteLLM passes over it: what failed is not asked again; retries are for that. Leave it out.
    """
    for fallback in context.document.fallbacks:
        for index, target in enumerate(fallback.targets if isinstance(fallback.targets, list) else ()):
            if target == fallback.source:
                yield LintProblem(
                    path=(*fallback.path, index),
                    message=f"{target!r} falls back to itself, which LiteLLM passes over",
                    hint="leave it out; num_retries asks a model again",
                )


@lint_rule("fallback-cycle", severity=Severity.WARNING, where=_TRIED)
def fallback_cycle(context: LintContext) -> Iterator[LintProblem]:
    """Fallbacks lead in a circle, and none of its models has another way out.

    LiteLLM asks no model twice for one request, so that the circle ends where it began and the last one has
    no help. Let the list of one of them end in a model that needs none. Models that name one another among
    others are no such circle, nor are two that are spares of one another.
    """
    for section in _SECTIONS:
        for kind in FALLBACK_KINDS:
            chosen = _firsts(context, section, kind)
            edges = {name: [target for target, _ in each.names] for name, each in chosen.items()}
            for cycle in find_cycles(edges):
                names_others = any(len(set(edges[name])) > 1 for name in cycle)
                if names_others or len(cycle) <= _SPARES:
                    continue
                yield LintProblem(
                    path=chosen[cycle[0]].path,
                    message=f"{kind} lead in a circle: {shown_cycle(cycle)}",
                    hint="end one of the lists in a model outside the circle",
                )


@lint_rule("fallback-repeated", severity=Severity.WARNING, where=_LOOKED_UP)
def fallback_repeated(context: LintContext) -> Iterator[LintProblem]:
    """A model has its fallbacks twice.

    LiteLLM takes the first entry for a name; what stands in a later one is never tried. Write one list.
    """
    firsts: dict[tuple[str, str, Any], Fallback] = {}
    for fallback in context.document.fallbacks:
        first = firsts.setdefault((fallback.section, fallback.kind, fallback.source), fallback)
        if first.path != fallback.path:
            line = context.document.locate(first.path).line
            yield LintProblem(
                path=fallback.path,
                message=f"{fallback.source!r} has {fallback.kind} in line {line}; these are not tried",
                hint="write one list with all of them",
            )


@lint_rule("fallbacks-disabled", severity=Severity.WARNING, where=_TRIED)
def fallbacks_disabled(context: LintContext) -> Iterator[LintProblem]:
    """There are fallbacks, and `max_fallbacks` allows none.

    With `max_fallbacks: 0` LiteLLM asks the model alone: a request that fails is not asked of another. Leave
    `max_fallbacks` out, or the fallbacks.
    """
    document = context.document
    if not document.fallbacks and not document.default_fallbacks:
        return
    section = next((each for each in _SECTIONS if document.get(each, "max_fallbacks") is not None), None)
    most = document.get(section, "max_fallbacks") if section else None
    if isinstance(most, (int, float)) and most <= 0:
        yield LintProblem(
            path=(section, "max_fallbacks"),
            message=f"max_fallbacks is {most}: none of the fallbacks is ever tried",
            hint="remove max_fallbacks, or write 5, which is LiteLLM's default",
        )


@lint_rule("alias-without-fallbacks", severity=Severity.WARNING, where=_LOOKED_UP)
def alias_without_fallbacks(context: LintContext) -> Iterator[LintProblem]:
    """An alias leads to a model that has fallbacks, and has none itself.

    LiteLLM looks for the fallbacks of the name that was asked for: an alias does not inherit those of its
    model. Give the alias a list of its own, or all models one as `default_fallbacks`.
    """
    covered = {each.source for each in context.document.fallbacks if each.kind == "fallbacks"}
    if "*" in covered or context.document.default_fallbacks:
        return
    for name, alias in context.document.aliases.items():
        if name not in covered and alias.target in covered:
            yield LintProblem(
                path=alias.path,
                message=f"alias {name!r} has no fallbacks: it does not inherit those of {alias.target!r}",
                hint=f"add - {written(name)}: [first, second] to fallbacks",
            )


def _firsts(context: LintContext, section: str, kind: str) -> dict[str, Fallback]:
    """Return the fallbacks that LiteLLM finds for each source."""
    found: dict[str, Fallback] = {}
    for each in context.document.fallbacks:
        if each.section == section and each.kind == kind and isinstance(each.source, str):
            found.setdefault(each.source, each)
    return found


def _unknown(context: LintContext, served: Served, name: str, kind: str, path: Path) -> LintProblem:
    hint = context.suggester.hint(name, served.names, otherwise="name a model group that is served")
    if name == "default":
        hint = "write these names as default_fallbacks"
    return LintProblem(path=path, message=f"{name!r} in {kind} is not served by this gateway", hint=hint)
