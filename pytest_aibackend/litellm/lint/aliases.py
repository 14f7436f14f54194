"""Aliases: other names for model groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Alias
from pytest_aibackend.litellm.lint.served import served_by
from pytest_aibackend.sources.wording import written

__all__ = ["alias_shadows_model", "alias_shape", "alias_target_unknown"]

_RESOLVED: Final = "router_utils/common_utils.py, resolve_model_group_alias (1.106.2)"


@lint_rule("alias-shape", where="router.py, get_model_list_from_model_alias; " + _RESOLVED)
def alias_shape(context: LintContext) -> Iterator[LintProblem]:
    """An alias is a list, or a mapping that lacks a key: it loads and never routes, or stops LiteLLM.

    An alias is the name of one model group, or `{model: name, hidden: true}` with both keys. For several
    models of one name give their deployments the same `model_name`.
    """
    for alias in context.document.aliases.values():
        fact = _wrong_shape(alias)
        if fact is not None:
            yield LintProblem(
                path=alias.path,
                message=f"alias {alias.name!r} {fact}",
                hint=f"write {written(alias.name)}: {written(_first_name(alias.value))}",
                subject=str(alias.name),
            )


@lint_rule("alias-target-unknown", where=_RESOLVED)
def alias_target_unknown(context: LintContext) -> Iterator[LintProblem]:
    """An alias leads to a name that no deployment has.

    Every request for it fails. That the name is an alias itself does not help: LiteLLM follows one step only.
    Name one of the model groups.
    """
    served = served_by(context)
    for alias in context.document.aliases.values():
        target = alias.target
        if not target or served.is_model(target) or not served.is_known:
            continue
        is_alias = target in served.aliases and target != alias.name
        fact = (
            "which is an alias, too: LiteLLM follows one step only" if is_alias else "which no deployment has"
        )
        further = context.document.aliases[target].target if is_alias else None
        yield LintProblem(
            path=alias.path,
            message=f"alias {alias.name!r} leads to {target!r}, {fact}",
            hint=f"write {written(alias.name)}: {written(further)}"
            if further
            else context.suggester.hint(target, served.models, otherwise="name one of the model groups"),
            subject=str(alias.name),
        )


@lint_rule("alias-shadows-model", severity=Severity.WARNING, where=_RESOLVED)
def alias_shadows_model(context: LintContext) -> Iterator[LintProblem]:
    """An alias has the name of a model group.

    The alias wins: requests for the name never reach the deployments that have it. Rename one of them.
    """
    groups = context.document.groups
    for alias in context.document.aliases.values():
        if alias.name in groups and alias.target is not None and alias.target != alias.name:
            yield LintProblem(
                path=alias.path,
                message=f"alias {alias.name!r} takes the requests for the model group of that name"
                f" to {alias.target!r}",
                hint="rename the alias, or the model group",
                subject=str(alias.name),
            )


def _wrong_shape(alias: Alias) -> str | None:
    value = alias.value
    if not isinstance(alias.name, str):
        return "is no text: requests name models by text, and never find it"
    if isinstance(value, dict):
        lacking = [key for key in ("model", "hidden") if key not in value]
        if lacking:
            return f"is a mapping without {' and '.join(lacking)}: LiteLLM refuses to start"
        return None if isinstance(value["model"], str) else "names no model: requests for it fail"
    if isinstance(value, list):
        if any(isinstance(each, dict) for each in value):
            return "is a list of mappings: LiteLLM refuses to start"
        return "is a list: requests for it fail"
    return None if isinstance(value, str) and value else "is no name of a model: requests for it fail"


def _first_name(value: Any) -> str:
    named = value if isinstance(value, list) else [value]
    models = [each.get("model") if isinstance(each, dict) else each for each in named]
    return next((model for model in models if isinstance(model, str) and model), "NAME")
