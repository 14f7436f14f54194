"""Capabilities: a name that is answered by the first of several models that can.

Seen with LiteLLM 1.106.2 (tests/stack/test_translation.py): of deployments with `order`, the lowest
answers; when it refuses, is slow or answers with any error, the next is asked within the same request,
whether or not fallbacks or retries are configured, and through an alias, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.groups import strategy_hint
from pytest_aibackend.litellm.plan.types import Deployment, Problems
from pytest_aibackend.sources.models import CAPABILITY_STRATEGIES, Capability, Model, ModelMappingsFile

__all__ = ["CapabilityPlanner", "in_order", "model_size"]

_SIZE: Final = re.compile(r"\s*([<>]=?)?\s*(\d+(?:\.\d+)?)\s*([KMBT])?[a-z]*\s*", re.IGNORECASE)
_UNITS: Final = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_THRESHOLD_HINT: Final = (
    "remove them; to send long requests elsewhere, give the models a context_length and set"
    " router_settings.enable_pre_call_checks: true in gateway.yaml"
)


def model_size(text: str | None) -> float | None:
    """Return the number of parameters that "7.6B" or "1T" means, None where it cannot be told."""
    match = _SIZE.fullmatch(text or "")
    return float(match[2]) * _UNITS[(match[3] or "B").upper()] if match else None


def in_order(blocks: list[tuple[Deployment, ...]]) -> tuple[Deployment, ...]:
    """Give the deployments of each block one place in an order, keeping an order that a block has."""
    ordered: list[Deployment] = []
    place = 0
    for block in blocks:
        levels = sorted({deployment.order or 0 for deployment in block})
        for level in levels:
            place += 1
            ordered += [found.with_order(place) for found in block if (found.order or 0) == level]
    return tuple(ordered)


@dataclass(frozen=True)
class _Member:
    group: str | None  # the model group that it is, where it is one
    deployments: tuple[Deployment, ...]


class CapabilityPlanner:
    """Turns each capability into an alias or into an ordered model group."""

    def __init__(
        self,
        mappings: ModelMappingsFile,
        groups: Mapping[str, tuple[Deployment, ...]],
        maker: DeploymentMaker,
        problems: Problems,
    ) -> None:
        self._mappings = mappings
        self._groups = groups
        self._maker = maker
        self._problems = problems
        self._group_of = {
            (only.provider, only.model): name
            for name, found in groups.items()
            if len(found) == 1
            for only in found[:1]
        }
        self.aliases: dict[str, str] = {}
        self.ordered: dict[str, tuple[Deployment, ...]] = {}

    def plan(self) -> None:
        """Fill `aliases` and `ordered`."""
        for name, capability in self._mappings.capabilities.items():
            self._note_settings(name, capability)
            if name in self._groups:
                self._problems.add(
                    "ambiguous-model-group",
                    ("capabilities", name),
                    name,
                    message=f"capability {name!r} has the name of a model group; as it is, the model"
                    " group answers",
                    hint="give the capability another name",
                )
                continue
            members = list(self._members(name, capability))
            if not members:
                self._report_empty(name, capability)
            elif len(members) == 1 and members[0].group is not None:
                self.aliases[name] = members[0].group
            else:
                self.ordered[name] = in_order([member.deployments for member in members])

    def _members(self, name: str, capability: Capability) -> Iterator[_Member]:
        seen: set[tuple[str, str]] = set()
        for preferred in capability.preferred_models:
            found = self._groups.get(preferred, ())
            usable = tuple(deployment for deployment in found if self._is_usable(deployment, capability))
            if usable and not {(d.provider, d.model) for d in usable} <= seen:
                seen |= {(deployment.provider, deployment.model) for deployment in usable}
                yield _Member(preferred if len(usable) == len(found) else None, usable)
        for key, provider in (("provider", capability.provider), ("fallback", capability.fallback)):
            if provider is None:
                continue
            if not self._maker.is_active(provider):
                group = self._groups.get(provider) if key == "fallback" else None
                if group:
                    yield _Member(provider, group)
                continue
            for model in self._maker.providers[provider].models:
                made = self._deployment_of(provider, model, ("capabilities", name, key))
                is_new = (provider, model.name) not in seen
                if is_new and model.mode in (None, "chat") and self._is_usable(made, capability):
                    seen.add((provider, model.name))
                    yield _Member(self._group_of.get((provider, model.name)), (made,))

    def _deployment_of(self, provider: str, model: Model, source: Path) -> Deployment:
        return self._maker.make(provider, model.name, "model-mappings", source)

    def _is_usable(self, deployment: Deployment, capability: Capability) -> bool:
        """Say whether a model is big enough; what it does not say of itself is no reason to leave it out."""
        model = self._maker.model(deployment.provider, deployment.model)
        if model is None:
            return True
        least, size = model_size(capability.min_model_size), model_size(model.size)
        if least is not None and size is not None and size < least:
            return False
        context = model.context_length
        return not (capability.min_context and context is not None and context < capability.min_context)

    def _report_empty(self, name: str, capability: Capability) -> None:
        wanted = []
        if capability.min_model_size:
            wanted.append(f"of at least {capability.min_model_size}")
        if capability.min_context:
            wanted.append(f"with a context of at least {capability.min_context}")
        asked = [*capability.preferred_models, *filter(None, (capability.provider, capability.fallback))]
        message = f"capability {name!r} has no usable member"
        if asked:
            found = f"none of {', '.join(asked)} is an active model"
            message += f": {found}{' ' if wanted else ''}{' and '.join(wanted)}"
        self._problems.add(
            "no-usable-member",
            ("capabilities", name),
            name,
            message=message,
            hint="name an active model group in preferred_models, or lower what it must have"
            if wanted
            else "name an active model group in preferred_models, or remove the capability",
        )

    def _note_settings(self, name: str, capability: Capability) -> None:
        strategy = capability.routing_strategy
        if strategy is not None and strategy not in CAPABILITY_STRATEGIES:
            self._problems.add(
                "setting-without-effect",
                ("capabilities", name, "routing_strategy"),
                name,
                message=f"routing_strategy {strategy!r} of capability {name!r} has no effect: the first model"
                " that answers is taken, in the order of the list",
                hint=strategy_hint(strategy),
            )
        for key in ("complexity_thresholds", "context_thresholds"):
            if getattr(capability, key):
                self._problems.add(
                    "setting-without-effect",
                    ("capabilities", name, key),
                    name,
                    message=f"{key} of capability {name!r} have no effect: LiteLLM does not look at the"
                    " request to choose a model",
                    hint=_THRESHOLD_HINT,
                )
