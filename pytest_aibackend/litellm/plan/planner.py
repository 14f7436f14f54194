"""Backend to plan, one concept after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.plan.capabilities import CapabilityPlanner
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.fallbacks import add_second_deployments, plan_chains
from pytest_aibackend.litellm.plan.groups import GroupPlanner
from pytest_aibackend.litellm.plan.passthrough import add_carried, carried_groups, note_sections
from pytest_aibackend.litellm.plan.patterns import plan_wildcards
from pytest_aibackend.litellm.plan.settings import Needs, context_is_checked, merge_settings, note_rules
from pytest_aibackend.litellm.plan.types import Deployment, GatewayPlan, Problems
from pytest_aibackend.sources.backend import Backend

__all__ = ["plan_gateway"]


def plan_gateway(backend: Backend) -> GatewayPlan:
    """Work out what the gateway has to do; what it cannot do is among the plan's problems.

    References to providers and models that do not exist or are not active are left out without a word:
    they have rules of their own. Never raises for anything that the sources may hold.
    """
    mappings, gateway = backend.mappings, backend.gateway
    problems = Problems()
    maker = DeploymentMaker(backend.providers, problems, context_is_checked=context_is_checked(gateway))
    planner = GroupPlanner(mappings, maker, problems)
    groups = planner.plan()
    add_second_deployments(mappings, groups, maker, problems)
    carried, carried_wildcards = carried_groups(gateway, problems)
    add_carried(groups, carried, problems)
    capabilities = CapabilityPlanner(mappings, groups, maker, problems)
    capabilities.plan()
    groups |= capabilities.ordered
    by_any_name = groups | {alias: groups[target] for alias, target in capabilities.aliases.items()}
    wildcards = plan_wildcards(mappings, by_any_name, maker, problems)
    add_carried(wildcards, carried_wildcards, problems)
    user_aliases = gateway.router_settings.get("model_group_alias")
    served: dict[str, object] = {**groups, **capabilities.aliases}
    if isinstance(user_aliases, dict):
        served |= {str(alias): target for alias, target in user_aliases.items()}
    fallbacks, default = plan_chains(
        mappings, served, aliases=capabilities.aliases, wildcards=wildcards, maker=maker, problems=problems
    )
    needs = Needs(
        groups=groups,
        weighted=planner.weighted,
        aliases=capabilities.aliases,
        fallbacks=fallbacks,
        default_fallbacks=default,
        has_limits=maker.has_limits,
    )
    settings = merge_settings(gateway, mappings, needs, problems)
    note_rules(mappings, problems)
    note_sections(gateway, problems)
    _note_names(groups, capabilities.aliases, problems)
    return GatewayPlan(
        model_groups=MappingProxyType(groups),
        wildcards=MappingProxyType(wildcards),
        aliases=MappingProxyType(capabilities.aliases),
        fallbacks=MappingProxyType(fallbacks),
        default_fallbacks=default,
        router_settings=MappingProxyType(settings),
        served_names=tuple(sorted({*groups, *_shown(settings.get("model_group_alias"))})),
        problems=tuple(problems.found),
    )


def _shown(aliases: Any) -> Iterable[str]:
    """Return the aliases that `/v1/models` lists: those that are not hidden."""
    if isinstance(aliases, dict):
        for alias, target in aliases.items():
            if not (isinstance(target, dict) and target.get("hidden")):
                yield str(alias)


def _note_names(
    groups: Mapping[str, tuple[Deployment, ...]], aliases: Mapping[str, str], problems: Problems
) -> None:
    """Report names that LiteLLM cannot serve: it puts them into headers, and takes `*` for a wildcard."""
    for name, deployments in groups.items():
        for deployment in deployments:
            texts = (name,) if deployment.role == "gateway" else (name, deployment.model)
            for text in dict.fromkeys(texts):
                _note_name(text, deployment.role, deployment.source, name, problems)
    for alias in aliases:
        _note_name(alias, "model-mappings", ("capabilities", alias), alias, problems)


def _note_name(text: str, role: str, path: Path, subject: str, problems: Problems) -> None:
    reason = None
    if "*" in text:
        reason = "LiteLLM takes '*' in a name for a wildcard"
    elif not text.isascii() and any(ord(letter) > 0xFF for letter in text):
        reason = "LiteLLM puts it into a header of each answer, which holds Latin-1 only, and answers 500"
    if reason:
        problems.add(
            "unservable-name",
            path,
            subject,
            source=role,
            message=f"{text!r} cannot be served: {reason}",
            hint="give the model a name in plain letters",
        )
