"""Model groups: exact matches, load balancing, and models under their own names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.types import Deployment, Problems
from pytest_aibackend.sources.models import LoadBalancing, LoadBalancingMember, ModelMappingsFile

__all__ = ["GroupPlanner", "strategy_hint"]

_BY_WEIGHT: Final = (
    None,
    "weighted",
    "weighted_round_robin",
    "weighted_random",
    "weighted-round-robin",
    "simple-shuffle",
    "simple_shuffle",
    "round_robin",
    "random",
)
_LITELLM_STRATEGIES: Final[Mapping[str, str]] = {
    "least_loaded": "least-busy",
    "least_busy": "least-busy",
    "fastest_response": "latency-based-routing",
    "latency_based": "latency-based-routing",
    "lowest_cost": "cost-based-routing",
    "cost_based": "cost-based-routing",
    "usage_based": "usage-based-routing-v2",
}


def strategy_hint(strategy: str) -> str:
    """Return what to do about a routing strategy that a single group cannot have."""
    own = _LITELLM_STRATEGIES.get(strategy)
    if own:
        return (
            f"remove it; LiteLLM's nearest is router_settings.routing_strategy: {own} in gateway.yaml,"
            " for all groups"
            " at once, and weights have no effect with it"
        )
    return "remove it, or let the client ask for the model it wants"


class GroupPlanner:
    """Fills the model groups; what it reports is named after the entry that asked for it."""

    def __init__(self, mappings: ModelMappingsFile, maker: DeploymentMaker, problems: Problems) -> None:
        self._mappings = mappings
        self._maker = maker
        self._problems = problems
        self.groups: dict[str, tuple[Deployment, ...]] = {}
        self.weighted: list[str] = []  # groups whose members have weights
        self._led_to: set[tuple[str, str]] = set()

    def plan(self) -> dict[str, tuple[Deployment, ...]]:
        """Return the model groups in the order of the files: exact matches, balanced groups, other models."""
        for name, balancing in self._mappings.load_balancing.items():
            self._note_settings(name, balancing)
        for name, route in self._mappings.exact_matches.items():
            balancing_of_name = self._mappings.load_balancing.get(name)
            if balancing_of_name is not None:
                self._compare(name, route.provider, balancing_of_name)
                self._place(name, self._balanced(name, balancing_of_name))
            if name not in self.groups and self._maker.is_active(route.provider):
                model = route.backend_model or name
                self._led_to.add((route.provider, model))
                source: Path = ("exact_matches", name)
                made = self._maker.make(
                    route.provider, model, "model-mappings", source, passthrough=route.passthrough
                )
                self._place(name, (made,))
            if route.priority != "primary":
                self._problems.add(
                    "setting-without-effect",
                    ("exact_matches", name, "priority"),
                    name,
                    message=f"priority {route.priority!r} of route {name!r} orders nothing: the name has"
                    " one deployment",
                    hint="remove it, and say what comes second with fallback or in fallback_chains",
                )
        for name, balancing in self._mappings.load_balancing.items():
            if name not in self._mappings.exact_matches:
                self._place(name, self._balanced(name, balancing))
        self._own_names()
        return self.groups

    def _place(self, name: str, deployments: tuple[Deployment, ...]) -> None:
        if deployments:
            self.groups[name] = deployments

    def _compare(self, name: str, provider: str, balancing: LoadBalancing) -> None:
        members = [member.provider for member in balancing.providers]
        if provider not in members and self._maker.is_active(provider):
            self._problems.add(
                "ambiguous-model-group",
                ("exact_matches", name),
                name,
                message=f"exact match {name!r} goes to provider {provider!r}, which the load_balancing group"
                f" of that name does not name ({', '.join(members)})",
                hint=f"add {provider!r} to the group, or give one of the two another name",
            )

    def _own_names(self) -> None:
        """Serve each model that nothing leads to under its own name."""
        owner: dict[str, str] = {}
        for provider_name, provider in self._maker.providers.items():
            if not provider.is_active:
                continue
            for place, model in enumerate(provider.models):
                if (provider_name, model.name) in self._led_to:
                    continue
                source: Path = ("providers", provider_name, "models", place)
                if model.name not in self.groups:
                    owner[model.name] = provider_name
                    deployment = self._maker.make(provider_name, model.name, "providers", source)
                    self.groups[model.name] = (deployment,)
                elif owner.get(model.name) != provider_name:
                    self._report_taken(provider_name, model.name, source, owner.get(model.name))

    def _report_taken(self, provider: str, model: str, source: Path, owner: str | None) -> None:
        if owner is not None:
            self._problems.add(
                "ambiguous-model-group",
                source,
                provider,
                source="providers",
                message=f"providers {owner!r} and {provider!r} both serve {model!r}, and nothing says"
                " which answers;"
                f" as it is, {owner!r} does",
                hint=f"name both in load_balancing[{model!r}], or give each a route of its own in"
                " exact_matches",
            )
            return
        if self._names_as_fallback(model, provider):
            return
        kind = "exact match" if model in self._mappings.exact_matches else "load_balancing group"
        self._problems.add(
            "ambiguous-model-group",
            source,
            provider,
            source="providers",
            severity=Severity.WARNING,
            message=f"model {model!r} of provider {provider!r} is not reachable: the {kind} of that name"
            " leads elsewhere",
            hint=f"give it a route of its own in exact_matches, or name {provider!r} in"
            f" load_balancing[{model!r}]",
        )

    def _names_as_fallback(self, name: str, provider: str) -> bool:
        route = self._mappings.exact_matches.get(name)
        return route is not None and route.fallback == provider

    def _balanced(self, name: str, balancing: LoadBalancing) -> tuple[Deployment, ...]:
        made: list[Deployment] = []
        ambiguous = False
        for place, member in enumerate(balancing.providers):
            if not self._maker.is_active(member.provider):
                continue
            model = self._model_of(name, place, member)
            if model is None:
                ambiguous = True
                continue
            self._led_to.add((member.provider, model))
            source: Path = ("load_balancing", name, "providers", place)
            weight = {} if member.weight is None else {"weight": _plain(member.weight)}
            made.append(
                self._maker.make(
                    member.provider,
                    model,
                    "model-mappings",
                    source,
                    passthrough=member.passthrough,
                    **weight,
                )
            )
        if len(made) > 1 and any(member.weight is not None for member in balancing.providers):
            self.weighted.append(name)
        if not made and not ambiguous:
            self._problems.add(
                "no-usable-member",
                ("load_balancing", name),
                name,
                message=f"load_balancing group {name!r} has no member that is active",
                hint="name an active provider, or remove the group",
            )
        return tuple(made)

    def _model_of(self, group: str, place: int, member: LoadBalancingMember) -> str | None:
        named = member.model or member.preferred_model
        if named:
            return named
        if self._maker.has_model(member.provider, group):
            return group
        models = self._maker.providers[member.provider].models
        if len(models) == 1:
            return models[0].name
        wanted = _words(group)
        same = [model.name for model in models if model.specialty and _words(model.specialty) == wanted]
        near = [
            model.name
            for model in models
            if model.specialty and (_words(model.specialty) <= wanted or wanted <= _words(model.specialty))
        ]
        for found in (same, near):
            if len(found) == 1:
                return found[0]
        served = ", ".join(model.name for model in models[:5]) or "none is listed"
        self._problems.add(
            "ambiguous-member",
            ("load_balancing", group, "providers", place),
            group,
            message=f"which model of provider {member.provider!r} belongs to {group!r} cannot be told:"
            f" {served}",
            hint="name it with model:",
        )
        return None

    def _note_settings(self, name: str, balancing: LoadBalancing) -> None:
        if balancing.strategy not in _BY_WEIGHT:
            self._problems.add(
                "setting-without-effect",
                ("load_balancing", name, "strategy"),
                name,
                message=f"strategy {balancing.strategy!r} of group {name!r} has no effect: LiteLLM"
                " shares out the"
                " requests of a group at random, by weight",
                hint=strategy_hint(str(balancing.strategy)),
            )
        if balancing.parameters:
            self._problems.add(
                "setting-without-effect",
                ("load_balancing", name, "parameters"),
                name,
                message=f"parameters of group {name!r} ({', '.join(balancing.parameters)}) have no effect:"
                " LiteLLM has nothing that reads them",
                hint="remove them; weight is what a member can have",
            )
        for place, member in enumerate(balancing.providers):
            if member.condition is not None:
                self._problems.add(
                    "setting-without-effect",
                    ("load_balancing", name, "providers", place, "condition"),
                    name,
                    message=f"condition of member {member.provider!r} of group {name!r} has no effect:"
                    " LiteLLM chooses a member by weight, whatever the request is",
                    hint="remove it; give the case a model group of its own that the client asks for",
                )


def _plain(weight: float) -> int | float:
    return int(weight) if weight == int(weight) else weight


def _words(text: str) -> frozenset[str]:
    return frozenset(re.split(r"[-_\s:./]+", text.lower())) - {""}
