"""How requests are shared out among the deployments of a model group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Deployment
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value

__all__ = [
    "deployment_never_chosen",
    "limit_in_model_info",
    "order_without_effect",
    "unusable_order",
    "unusable_weight",
    "weight_without_effect",
]

_SHUFFLE: Final = "simple-shuffle"
_CHOSEN: Final = "router_strategy/simple_shuffle.py (1.106.2)"
_METRICS: Final = ("weight", "rpm", "tpm")  # the first that any deployment has decides


@lint_rule("unusable-weight", where=_CHOSEN)
def unusable_weight(context: LintContext) -> Iterator[LintProblem]:
    """A weight comes from a variable, or is below zero.

    What comes from the environment is text, and a weight must be a number: every request for the model group
    fails. A negative weight takes requests from its neighbours. Write a number.
    """
    for deployment in context.document.deployments:
        weight = deployment.params.get("weight")
        if is_reference(weight):
            message = f"the weight of {deployment.label!r} comes from a variable, and would be text"
        elif _number(weight) < 0:
            message = f"the weight of {deployment.label!r} is {weight}"
        else:
            continue
        yield LintProblem(path=deployment.at("weight"), message=message, hint="write a number, 0 or more")


@lint_rule("weight-without-effect", severity=Severity.WARNING, where=_CHOSEN)
def weight_without_effect(context: LintContext) -> Iterator[LintProblem]:
    """A weight stands where nothing is weighed.

    Only the routing strategy `simple-shuffle`, which is LiteLLM's default, looks at weights, and only among
    deployments of one model group and one `order`. When all of them are 0 they are as good as none.
    """
    strategy = context.document.get("router_settings", "routing_strategy")
    for name, members in context.document.groups.items():
        weighed = [each for each in members if "weight" in each.params]
        if not weighed or "*" in name:
            continue
        if isinstance(strategy, str) and strategy != _SHUFFLE:
            fact, hint = (
                f"the strategy {strategy} does not look at weights",
                f"use {_SHUFFLE}, or remove them",
            )
        elif len(members) == 1:
            fact, hint = "it has one deployment only", "remove it, or add deployments of the same model_name"
        elif all(each.params["weight"] == 0 for each in weighed):
            fact, hint = "all are 0: then each is chosen as often", "give one of them a weight above 0"
        else:
            continue
        yield LintProblem(
            path=weighed[0].at("weight"), message=f"the weights of {name!r} have no effect: {fact}", hint=hint
        )


@lint_rule("deployment-never-chosen", severity=Severity.WARNING, where=_CHOSEN)
def deployment_never_chosen(context: LintContext) -> Iterator[LintProblem]:
    """A deployment has no weight among others that have one.

    LiteLLM counts that as 0: it gets no request while one of the others is well. The same holds for `rpm`,
    and for `tpm`, where no weights are set. Give each a weight; write `weight: 0` if that is meant.
    """
    strategy = context.document.get("router_settings", "routing_strategy")
    if strategy not in (None, _SHUFFLE):
        return
    for name, members in context.document.groups.items():
        for peers in _peers(members) if len(members) > 1 and "*" not in name else ():
            metric = next(
                (each for each in _METRICS if any(_number(m.params.get(each)) > 0 for m in peers)), None
            )
            for member in peers if metric else ():
                if metric and member.params.get(metric) is None:
                    yield LintProblem(
                        path=member.path,
                        message=f"a deployment of {name!r} has no {metric} and others have one:"
                        " it gets no requests while these are well",
                        hint=f"add {metric}" + ("; 0 if that is meant" if metric == "weight" else ""),
                    )


@lint_rule("unusable-order", where="utils.py, get_order_filtered_deployments (1.106.2)")
def unusable_order(context: LintContext) -> Iterator[LintProblem]:
    """An `order` is text, or comes from a variable, which is text.

    LiteLLM compares the orders of a model group's deployments: text and numbers cannot be compared, and every
    request for the group fails. Write a number.
    """
    for deployment in context.document.deployments:
        order = _order(deployment)
        if isinstance(order, str):
            yield LintProblem(
                path=deployment.at("order"),
                message=f"the order of {deployment.label!r} is the text {show_value(None, order)}:"
                " beside a number every request fails",
                hint="write a number, without quotes",
            )


@lint_rule(
    "order-without-effect",
    severity=Severity.WARNING,
    where="utils.py, get_order_filtered_deployments (1.106.2)",
)
def order_without_effect(context: LintContext) -> Iterator[LintProblem]:
    """An `order` stands where there is nothing to put in order, or where some have none.

    LiteLLM asks the deployments of the lowest order of a model group, and those of the next when these fail.
    With one deployment, or one order for all, there is no next. A deployment without an order is passed over
    while one of those with an order is not put aside.
    """
    for name, members in context.document.groups.items():
        ordered = [each for each in members if _order(each) is not None]
        if not ordered or "*" in name:
            continue
        if len(ordered) < len(members):
            other = next(each for each in members if _order(each) is None)
            yield LintProblem(
                path=other.path,
                message=f"a deployment of {name!r} has no order and others have one:"
                " it gets no requests while these are not put aside",
                hint="add an order to its litellm_params",
            )
        elif len({str(_order(each)) for each in ordered}) == 1:
            fact = "all have the same" if len(ordered) > 1 else "it has one deployment only"
            yield LintProblem(
                path=ordered[0].at("order"),
                message=f"the order of {name!r} has no effect: {fact}",
                hint="give each its own, the first 1, or remove it",
            )


@lint_rule("limit-in-model-info", severity=Severity.WARNING, where=_CHOSEN)
def limit_in_model_info(context: LintContext) -> Iterator[LintProblem]:
    """`rpm` or `tpm` stands under `model_info`, where the routing strategy does not look.

    `simple-shuffle`, the default, and `least-busy` know those under `litellm_params` only; strategies that
    count usage look at both. Move it.
    """
    strategy = context.document.get("router_settings", "routing_strategy")
    if strategy not in (None, _SHUFFLE, "least-busy"):
        return
    for deployment in context.document.deployments:
        for key in ("rpm", "tpm"):
            if deployment.info.get(key) is not None and deployment.params.get(key) is None:
                yield LintProblem(
                    path=(*deployment.path, "model_info", key),
                    message=f"{key} of {deployment.label!r} stands under model_info, and has no effect there",
                    hint="move it under litellm_params",
                )


def _order(deployment: Deployment) -> Any:
    """Return a deployment's order, which may also stand under model_info."""
    order = deployment.params.get("order")
    return deployment.info.get("order") if order is None else order


def _peers(members: Sequence[Deployment]) -> list[list[Deployment]]:
    """Return the deployments among which one is chosen: those of one order."""
    found: dict[str, list[Deployment]] = {}
    for member in members:
        found.setdefault(str(_order(member)), []).append(member)
    return list(found.values())


def _number(value: Any) -> float:
    """Return a number as it is; 0 for anything else."""
    return float(value) if isinstance(value, (int, float)) else 0.0
