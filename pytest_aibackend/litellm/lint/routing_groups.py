"""`routing_groups`: models that are routed by a strategy of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.wording import listed

__all__ = ["routing_group_unknown_model", "unusable_routing_group"]

_GROUPS: Final = ("router_settings", "routing_groups")
_PARSED: Final = "router_utils/routing_groups.py, parse_routing_groups (1.106.2)"
_PRIORITY: Final = "priority"  # a strategy of groups alone; its models may be in others, too
_RESERVED: Final = "default"


@lint_rule("unusable-routing-group", where=_PARSED)
def unusable_routing_group(context: LintContext) -> Iterator[LintProblem]:
    """A routing group has a name that is empty, taken or `default`, no known strategy, or another's model.

    LiteLLM refuses to start. Give each group a name and a strategy, and each model to one group.
    """
    known = context.schema.values("routing_strategy") | {_PRIORITY}
    names: set[str] = set()
    owners: dict[str, str] = {}
    for path, group in _groups(context):
        name, strategy = group.get("group_name"), group.get("routing_strategy")
        if not isinstance(name, str):
            continue  # wrong-type and missing-key speak of it
        if name in ("", _RESERVED) or name in names:
            fact = "is taken" if name in names else "is LiteLLM's own" if name else "is empty"
            yield LintProblem(
                path=(*path, "group_name"),
                message=f"the name of the routing group, {name!r}, {fact}: LiteLLM does not start",
                hint="give the group a name of its own",
            )
        names.add(name)
        if isinstance(strategy, str) and strategy not in known and not is_reference(strategy):
            yield LintProblem(
                path=(*path, "routing_strategy"),
                message=f"routing_strategy is {show_value(None, strategy)};"
                f" LiteLLM knows {listed(sorted(known), shown=12)}",
                hint=context.suggester.hint(strategy, sorted(known), otherwise="write one of these"),
            )
        for index, model in _models(group) if strategy != _PRIORITY else ():
            if owners.setdefault(model, name) != name:
                yield LintProblem(
                    path=(*path, "models", index),
                    message=f"{model!r} is in the routing groups {owners[model]!r} and {name!r}:"
                    " LiteLLM does not start",
                    hint="take it out of one of them",
                )


@lint_rule("routing-group-unknown-model", severity=Severity.WARNING, where=_PARSED)
def routing_group_unknown_model(context: LintContext) -> Iterator[LintProblem]:
    """A routing group names a model that is no `model_name` of a deployment.

    LiteLLM says so in its log; the entry has no effect until there is such a deployment.
    """
    groups = context.document.groups
    for path, group in _groups(context) if groups else ():
        for index, model in _models(group):
            if model not in groups:
                yield LintProblem(
                    path=(*path, "models", index),
                    message=f"the routing group {group.get('group_name')!r} names {model!r},"
                    " and no deployment is called so",
                    hint=context.suggester.hint(model, groups, otherwise="write a model_name, or remove it"),
                )


def _groups(context: LintContext) -> Iterator[tuple[Path, dict[Any, Any]]]:
    groups = context.document.get(*_GROUPS)
    for index, group in enumerate(groups if isinstance(groups, list) else ()):
        if isinstance(group, dict):
            yield (*_GROUPS, index), group


def _models(group: dict[Any, Any]) -> Iterator[tuple[int, str]]:
    models = group.get("models")
    for index, model in enumerate(models if isinstance(models, list) else ()):
        if isinstance(model, str) and not is_reference(model):
            yield index, model
