"""Whether LiteLLM serves what the candidate says: model groups by name, deployments one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.litellm.served import ServedGroups, expected_groups, is_expansion
from pytest_aibackend.sources.references import variable_of
from pytest_aibackend.sources.secrets import redact_url

__all__ = ["Deployment", "Expected", "differences", "expected_of"]

_SAID: Final = 20  # of each kind of difference
# What these bring is served too, but is not in the candidate's own model list.
_FOREIGN_MODELS: Final = ("include", "agents", "agent_list")


@dataclass(frozen=True, slots=True, order=True)
class Deployment:
    """One deployment, as far as LiteLLM tells it apart from others."""

    group: str
    model: str
    api_base: str

    def __str__(self) -> str:
        at = f" at {redact_url(self.api_base)}" if self.api_base else ""
        return f"{self.model}{at} of model group '{self.group}'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What a candidate makes LiteLLM serve."""

    groups: ServedGroups
    deployments: tuple[Deployment, ...]  # in the order of the file
    has_others: bool  # models that come from elsewhere


def expected_of(data: Any, environment: Mapping[str, str]) -> Expected:
    """Return what a candidate makes LiteLLM serve in this environment."""
    listed = data.get("model_list")
    mappings = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    entries = [entry for entry in mappings if _is_active(entry, environment)]
    groups = expected_groups({**data, "model_list": entries})
    return Expected(
        groups=groups or ServedGroups(names=(), wildcards=(), chat=()),
        deployments=tuple(_deployment(entry, environment) for entry in entries),
        has_others=any(data.get(name) for name in _FOREIGN_MODELS),
    )


def _is_active(entry: dict[str, Any], environment: Mapping[str, str]) -> bool:
    info = entry.get("model_info")
    where = info.get("supported_environments") if isinstance(info, dict) else None
    return not isinstance(where, list) or environment.get("LITELLM_ENVIRONMENT") in where


def _deployment(entry: dict[str, Any], environment: Mapping[str, str]) -> Deployment:
    given = entry.get("litellm_params")
    parameters = given if isinstance(given, dict) else {}
    return _as_deployment(
        entry.get("model_name"), {name: _resolved(value, environment) for name, value in parameters.items()}
    )


def _as_deployment(group: Any, parameters: Mapping[str, Any]) -> Deployment:
    address = parameters.get("api_base") or parameters.get("base_url") or ""
    return Deployment(group=str(group), model=str(parameters.get("model")), api_base=str(address))


def _resolved(value: Any, environment: Mapping[str, str]) -> Any:
    variable = variable_of(value)
    return value if variable is None else environment.get(variable, "")


def differences(expected: Expected, models: Any, info: Any, drop_reasons: Sequence[str]) -> list[str]:
    """Compare with the answers of /v1/models and /model/info; return a sentence for each difference.

    `drop_reasons` are LiteLLM's, in the order of the file.
    """
    names = {str(entry.get("id")) for entry in models.get("data", [])}
    rows = [
        _as_deployment(entry.get("model_name"), entry.get("litellm_params") or {})
        for entry in info.get("data", [])
    ]
    missing = _missing(expected, rows)
    found = _dropped(missing, drop_reasons)
    silent = {deployment.group for deployment in missing}
    absent = [name for name in expected.groups.names if name not in names and name not in silent]
    found += [f"LiteLLM does not serve model group '{name}'" for name in absent[:_SAID]]
    if not expected.has_others:
        found += _strangers(expected, names, rows)
    return found


def _missing(expected: Expected, rows: Sequence[Deployment]) -> list[Deployment]:
    """Return the deployments that are not there, each as often as it is not."""
    served = Counter(row for row in rows if "*" not in row.group)
    missing = []
    for deployment in expected.deployments:
        if "*" in deployment.group:
            # Listed as the models that it stands for, which leave only the address to know it by.
            if not any(_stems_from(row, deployment) for row in rows):
                missing.append(deployment)
        elif served[deployment]:
            served[deployment] -= 1
        else:
            missing.append(deployment)
    return missing


def _stems_from(row: Deployment, wildcard: Deployment) -> bool:
    is_named = row.group == wildcard.group or is_expansion(row.group, [wildcard.group])
    return is_named and row.api_base == wildcard.api_base


def _dropped(missing: Sequence[Deployment], reasons: Sequence[str]) -> list[str]:
    # LiteLLM goes through the list once, so that with as many reasons as gaps they belong together.
    whys = reasons if len(reasons) == len(missing) else [""] * len(missing)
    found = [
        f"LiteLLM dropped deployment {deployment}" + (f": {why}" if why else "")
        for deployment, why in zip(missing, whys, strict=True)
    ]
    if whys is not reasons:
        found += [f"LiteLLM dropped a deployment: {why}" for why in reasons]
    more = len(found) - _SAID
    return found if more <= 0 else [*found[:_SAID], f"and {more} more"]


def _strangers(expected: Expected, names: Iterable[str], rows: Sequence[Deployment]) -> list[str]:
    known = set(expected.groups.names)
    strange = [
        name
        for name in sorted(names)
        if name not in known and not is_expansion(name, expected.groups.wildcards)
    ]
    found = [f"LiteLLM serves '{name}', which the candidate does not define" for name in strange[:_SAID]]
    plain = {deployment.group for deployment in expected.deployments if "*" not in deployment.group}
    extra = Counter(row for row in rows if row.group in plain) - Counter(expected.deployments)
    extra = Counter({row: count for row, count in extra.items() if not _is_expanded(row, expected)})
    return found + [
        f"LiteLLM serves {row}, which the candidate does not define" for row in sorted(extra)[:_SAID]
    ]


def _is_expanded(row: Deployment, expected: Expected) -> bool:
    return any(
        "*" in deployment.group and _stems_from(row, deployment) for deployment in expected.deployments
    )
