"""Check 5, what the sources ask of LiteLLM: each concept becomes something it does, or is reported here."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Finding
from pytest_aibackend.litellm.plan import PROBLEM_SEVERITIES, GatewayPlan, plan_gateway
from pytest_aibackend.rules.registry import Group, declare_group, declare_rule
from pytest_aibackend.sources.backend import Backend

__all__ = ["TRANSLATION", "plan_of"]

_plans: Final[weakref.WeakKeyDictionary[Backend, GatewayPlan]] = weakref.WeakKeyDictionary()


def plan_of(backend: Backend) -> GatewayPlan:
    """Return the plan of a backend, made once."""
    if backend not in _plans:
        _plans[backend] = plan_gateway(backend)
    return _plans[backend]


def _subjects(backend: Backend) -> Iterator[str]:
    mappings = backend.mappings
    yield from mappings.exact_matches
    yield from (pattern.pattern for pattern in mappings.patterns)
    yield from mappings.capabilities
    yield from mappings.load_balancing
    yield from mappings.fallback_chains


def _findings(backend: Backend) -> list[Finding]:
    return [
        backend.finding(rule, PROBLEM_SEVERITIES[rule], problem)
        for rule, problem in plan_of(backend).problems
    ]


TRANSLATION = declare_group(
    Group(
        id="translation",
        check=5,
        noun="mapping",
        needs=("providers", "model-mappings", "gateway"),
        subjects=_subjects,
        built_in=_findings,
    )
)

_DOCUMENTED: Final = {
    "ambiguous-member": """
        A member of a load-balancing group names a provider with several models and says not which.

        Its model is the one named by `model` (or `preferred_model`), or called like the group, or the
        provider's only one, or the only one whose `specialty` is the group's name. Add `model:`.
    """,
    "ambiguous-model-group": """
        Two things would become one model group by accident.

        LiteLLM balances between all deployments of one name without a word: a request would be answered now
        by the one, now by the other. Rename one, or say that you mean it under `load_balancing`.
    """,
    "chain-without-source": """
        A fallback chain starts from a name that the gateway does not serve, so it never begins.

        Fallbacks are looked up by the name that the client used (LiteLLM 1.106.2,
        router_utils/fallback_event_handlers.py). Correct the name or remove the chain.
    """,
    "conflicting-setting": """
        `gateway.yaml` sets something that the mappings set as well, to something else.

        Keep it in one place.
    """,
    "fallback-without-effect": """
        The `fallback` of a route or pattern names a provider that does not serve its model.

        LiteLLM falls back to model groups, not to providers. Write the model group that should answer under
        `fallback_chains`, or name a provider that has the same model.
    """,
    "no-usable-member": """
        A capability or load-balancing group has no member that can answer.

        Every request for it would fail. Look at the provider's status, its models, and `min_model_size`.
    """,
    "passthrough-shape": """
        An entry under `passthrough.model_list` in gateway.yaml is not a deployment, so it is left out.

        Passed-through deployments are in LiteLLM's own words: `model_name`, and `litellm_params` with
        `model` in it.
    """,
    "pattern-not-expressible": """
        LiteLLM cannot express a pattern: its wildcard routes know literal text and `*` only.

        A route would catch other names, or none. Write the names as exact matches, or a pattern of literal
        text and `.*`.
    """,
    "pattern-order": """
        Two patterns match the same names, and LiteLLM does not try them in the order of the file.

        It takes the more specific wildcard first (1.106.2, router_utils/pattern_match_deployments.py).
    """,
    "pattern-wider-than-written": """
        A pattern without an anchor matches more in Python than in LiteLLM, or the other way round.

        Write `^` and `$` where you mean them.
    """,
    "setting-without-effect": """
        The sources ask for something that LiteLLM cannot do, so it is not done.

        Nothing in the generated file stands for it. Remove it, keep it as a note under `x-...`, or follow the
        hint.
    """,
    "unservable-name": """
        A name cannot be served: LiteLLM puts it into a response header, or takes a `*` in it for a wildcard.

        A character outside Latin-1 makes every call fail with 500 (1.106.2, seen). Choose another name.
    """,
}
assert _DOCUMENTED.keys() == PROBLEM_SEVERITIES.keys()
for _rule, _text in _DOCUMENTED.items():
    declare_rule(_rule, _text, group=TRANSLATION.id, severity=PROBLEM_SEVERITIES[_rule])
