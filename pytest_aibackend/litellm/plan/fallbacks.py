"""What is asked when a deployment fails: second deployments, chains, the default chain.

Seen with LiteLLM 1.106.2 (tests/stack/test_translation.py): fallbacks are looked up by the name that the
client used, so an alias needs a chain of its own; a fallback's own fallbacks are followed, too; a name that
is not served at all goes to the default fallbacks; the key of a wildcard is never looked up, but a name
that it matches is.
"""

from __future__ import annotations

from collections.abc import Mapping

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.plan.capabilities import in_order
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.types import Deployment, Problems
from pytest_aibackend.litellm.plan.wildcards import WildcardIndex
from pytest_aibackend.sources.models import ModelMappingsFile

__all__ = ["add_second_deployments", "plan_chains"]


def add_second_deployments(
    mappings: ModelMappingsFile,
    groups: dict[str, tuple[Deployment, ...]],
    maker: DeploymentMaker,
    problems: Problems,
) -> None:
    """Append to each route whose fallback is a provider what that provider can answer with."""
    for name, route in mappings.exact_matches.items():
        fallback = route.fallback
        if fallback is None or name not in groups or _is_group(fallback, mappings, groups):
            continue
        if not maker.is_active(fallback):
            continue
        if fallback in {deployment.provider for deployment in groups[name]}:
            if fallback == route.provider:
                _report_same(name, fallback, problems)
            continue
        model = _model_for(fallback, route.backend_model or name, name, maker)
        path: Path = ("exact_matches", name, "fallback")
        if model is None:
            served = (
                ", ".join(found.name for found in maker.providers[fallback].models[:5]) or "none is listed"
            )
            problems.add(
                "fallback-without-effect",
                path,
                name,
                message=f"fallback {fallback!r} of route {name!r} has no effect: which model of that"
                " provider is meant"
                f" cannot be told ({served})",
                hint=f"name a model group instead, or put one into fallback_chains[{name!r}]",
            )
            continue
        second = maker.make(fallback, model, "model-mappings", path)
        groups[name] = in_order([groups[name], (second,)])


def _is_group(name: str, mappings: ModelMappingsFile, groups: Mapping[str, object]) -> bool:
    return name in groups or name in mappings.capabilities


def _report_same(name: str, provider: str, problems: Problems) -> None:
    problems.add(
        "fallback-without-effect",
        ("exact_matches", name, "fallback"),
        name,
        message=f"fallback {provider!r} of route {name!r} has no effect: it is the provider that has failed",
        hint="name another provider or a model group",
    )


def _model_for(provider: str, model: str, name: str, maker: DeploymentMaker) -> str | None:
    """Return the provider's model of that name, or its only one."""
    for wanted in (model, name):
        if maker.has_model(provider, wanted):
            return wanted
    listed = maker.providers[provider].models
    return listed[0].name if len(listed) == 1 else None


def plan_chains(
    mappings: ModelMappingsFile,
    served: Mapping[str, object],
    *,
    aliases: Mapping[str, str],
    wildcards: Mapping[str, object],
    maker: DeploymentMaker,
    problems: Problems,
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Return the fallbacks of each name and the default fallbacks; what is not served is left out."""
    index = WildcardIndex(wildcards)

    def is_served(name: str) -> bool:
        return name in served or index.matches(name)

    def usable(name: str, chain: list[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(target for target in chain if target != name and is_served(target)))

    declared = {model for provider in maker.providers.values() for model in provider.model_names}
    chains: dict[str, tuple[str, ...]] = {}
    default: tuple[str, ...] = ()
    for name, chain in mappings.fallback_chains.items():
        if name == "default" and name not in served:
            default = usable(name, chain.chain)
        elif is_served(name):
            chains[name] = usable(name, chain.chain)
        elif not _is_declared(name, mappings, declared):
            problems.add(
                "chain-without-source",
                ("fallback_chains", name),
                name,
                message=f"nothing is served as {name!r}, so its fallback chain is never used"
                + (
                    ": it is a provider, and chains belong to model groups" if name in maker.providers else ""
                ),
                hint="name a model group, a capability or default",
            )
    for name, route in mappings.exact_matches.items():
        if route.fallback in served and name in served and route.fallback != name:
            chains[name] = tuple(dict.fromkeys((*chains.get(name, ()), str(route.fallback))))
    for alias, target in aliases.items():
        inherited = tuple(name for name in chains.get(target, ()) if name != alias)
        if alias not in chains and alias not in mappings.fallback_chains and inherited:
            chains[alias] = inherited
    return {name: chain for name, chain in chains.items() if chain}, default


def _is_declared(name: str, mappings: ModelMappingsFile, models: set[str]) -> bool:
    """Say whether a name is known and only not served, which has rules of its own."""
    known = (mappings.exact_matches, mappings.load_balancing, mappings.capabilities, models)
    return any(name in names for names in known)
