"""What a plan is made of, and the troubles that planning can find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from pytest_aibackend.findings import Path, Problem, Severity

__all__ = ["PROBLEM_SEVERITIES", "Deployment", "GatewayPlan", "Problems"]

PROBLEM_SEVERITIES: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        "ambiguous-member": Severity.ERROR,
        "ambiguous-model-group": Severity.ERROR,
        "chain-without-source": Severity.ERROR,
        "conflicting-setting": Severity.ERROR,
        "fallback-without-effect": Severity.WARNING,
        "no-usable-member": Severity.ERROR,
        "passthrough-shape": Severity.ERROR,
        "pattern-not-expressible": Severity.ERROR,
        "pattern-order": Severity.WARNING,
        "pattern-wider-than-written": Severity.WARNING,
        "setting-without-effect": Severity.WARNING,
        "unservable-name": Severity.ERROR,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """One way to answer a model group: a model on a provider, in LiteLLM's words."""

    provider: str
    model: str  # as the provider calls it; a wildcard where the name asked for is passed on
    role: str  # which source file it comes from
    source: Path  # and where in it
    litellm_params: Mapping[str, Any]
    model_info: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Any] = field(default_factory=dict)  # what else a passed-through entry has

    @property
    def order(self) -> int | None:
        """Return the place in the order of a group, from 1; None where the group has no order."""
        return self.litellm_params.get("order")

    def with_order(self, order: int) -> Deployment:
        """Return the same deployment at a place in an order."""
        return self.with_params(order=order)

    def with_params(self, **params: Any) -> Deployment:
        """Return the same deployment with some parameters set."""
        return replace(self, litellm_params={**self.litellm_params, **params})


@dataclass(frozen=True, kw_only=True)
class GatewayPlan:
    """What the gateway has to do, before it is written down."""

    model_groups: Mapping[str, tuple[Deployment, ...]]  # wildcards excluded
    wildcards: Mapping[str, tuple[Deployment, ...]]
    aliases: Mapping[str, str]
    fallbacks: Mapping[str, tuple[str, ...]]  # by the name that a client asks for
    default_fallbacks: tuple[str, ...]
    router_settings: Mapping[str, Any]  # those of gateway.yaml and what the plan needs, merged
    served_names: tuple[str, ...]  # what /v1/models lists, sorted
    problems: tuple[tuple[str, Problem], ...]


class Problems:
    """A list of troubles that fills while the plan is made."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Problem]] = []

    def add(
        self,
        rule: str,
        path: Path,
        subject: str,
        message: str,
        hint: str,
        *,
        source: str = "model-mappings",
        severity: Severity | None = None,
    ) -> None:
        """Note one trouble at a place of a source file."""
        problem = Problem(
            source=source, path=path, message=message, hint=hint, subject=subject, severity=severity
        )
        self.found.append((rule, problem))
