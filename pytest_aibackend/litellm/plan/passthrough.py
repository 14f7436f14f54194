"""What gateway.yaml passes through: whole deployments and sections, as they stand there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.plan.types import Deployment, Problems
from pytest_aibackend.sources.models import GatewayFile

__all__ = ["OWN_SECTIONS", "add_carried", "carried_groups", "note_sections"]

Groups = dict[str, tuple[Deployment, ...]]

# The sections that are made from the sources: they cannot be passed through as well.
OWN_SECTIONS: Final = (
    "model_list",
    "litellm_settings",
    "router_settings",
    "general_settings",
    "environment_variables",
)
_KEYS: Final = ("model_name", "litellm_params", "model_info")


def carried_groups(gateway: GatewayFile, problems: Problems) -> tuple[Groups, Groups]:
    """Return the model groups that are passed through, and the wildcards among them apart."""
    groups: Groups = {}
    wildcards: Groups = {}
    for place, entry in enumerate(gateway.passthrough.model_list):
        path: Path = ("passthrough", "model_list", place)
        name, params, info = entry.get("model_name"), entry.get("litellm_params"), entry.get("model_info")
        if not (
            isinstance(name, str)
            and isinstance(params, dict)
            and isinstance(params.get("model"), str)
            and isinstance(info or {}, dict)
        ):
            problems.add(
                "passthrough-shape",
                path,
                str(name),
                source="gateway",
                message="an entry of passthrough.model_list is no deployment, and is left out",
                hint="write model_name, and litellm_params with model in it, as LiteLLM reads them",
            )
            continue
        made = Deployment(
            provider="",
            model=params["model"],
            role="gateway",
            source=path,
            litellm_params=params,
            model_info=info or {},
            beside={key: value for key, value in entry.items() if key not in _KEYS},
        )
        target = wildcards if "*" in name else groups
        target[name] = (*target.get(name, ()), made)
    return groups, wildcards


def add_carried(groups: Groups, carried: Mapping[str, tuple[Deployment, ...]], problems: Problems) -> None:
    """Add to the groups those that are passed through; one that is there already is an accident."""
    for name, deployments in carried.items():
        if name in groups:
            problems.add(
                "ambiguous-model-group",
                deployments[0].source,
                name,
                source="gateway",
                message=f"model group {name!r} is passed through, and the mappings make one of that name;"
                " as it is, LiteLLM balances between the two",
                hint="say it in one place, or give one of the two another name",
            )
        groups[name] = (*groups.get(name, ()), *deployments)


def note_sections(gateway: GatewayFile, problems: Problems) -> None:
    """Report sections that are passed through although the sources make them."""
    sections: Mapping[str, Any] = gateway.passthrough.sections
    for name in sections:
        if name in OWN_SECTIONS:
            problems.add(
                "conflicting-setting",
                ("passthrough", "sections", name),
                name,
                source="gateway",
                message=f"passthrough.sections.{name} is not passed through: that section is made of the"
                " sources",
                hint="write deployments under passthrough.model_list"
                if name == "model_list"
                else f"write it as {name} at the top of gateway.yaml",
            )
