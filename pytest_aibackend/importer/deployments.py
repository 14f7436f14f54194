"""`model_list` becomes providers, their models, and the routes that lead to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.importer.concepts import find_ordered, find_pattern, sort_patterns
from pytest_aibackend.importer.homes import Home, NoPlaceError, home_of, name_homes, upstream_of
from pytest_aibackend.importer.notes import Notes
from pytest_aibackend.importer.placed import Placed, by_group
from pytest_aibackend.importer.residues import Residues, attach
from pytest_aibackend.litellm.words import Defaults, deployments_of
from pytest_aibackend.sources.addresses import address_of

__all__ = ["Translated", "translate_deployments"]

_WILDCARD: Final = "its name is a wildcard for which the sources have no pattern"
_KEY: Final = (
    "provider {!r} has no key of its own: LiteLLM sends it {}, as before; remove env_var and requires_api_key"
    " where it needs none"
)
_ADDRESS: Final = (
    "the address of provider {!r} is written down now: no variable of the gateway's environment, such as"
    " OPENAI_BASE_URL, changes it any longer"
)


@dataclass(frozen=True, slots=True)
class Translated:
    """What `model_list` became."""

    providers: dict[str, dict[str, Any]]
    exact_matches: dict[str, dict[str, Any]]
    patterns: list[dict[str, Any]]
    capabilities: dict[str, dict[str, Any]]
    load_balancing: dict[str, dict[str, Any]]
    carried: list[Mapping[str, Any]]  # entries for passthrough.model_list


def translate_deployments(config: Mapping[Any, Any], notes: Notes) -> Translated:
    """Translate every model group that the sources can say; the others are carried whole."""
    defaults = Defaults(config)
    homes: dict[str, list[Home]] = {}
    reasons: dict[str, str] = {}
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in deployments_of(config):
        groups.setdefault(entry["model_name"], []).append(entry)
    for name, entries in groups.items():
        try:
            homes[name] = [home_of(entry, defaults) for entry in entries]
        except NoPlaceError as reason:
            reasons[name] = str(reason)
    placed, names, patterns = _settle_homes(homes, groups, reasons, defaults)
    ordered = find_ordered(
        {name: [each.member for each in found] for name, found in by_group(placed).items()}
    )
    placed = [each for each in placed if each.group not in ordered]
    _weigh(placed)
    providers = {name: _provider(home) for home, name in names.items()}
    Residues(config, providers, placed, notes).settle()
    _note_implied(groups, homes, names, notes)
    for name, why in reasons.items():
        notes.carry("gateway.yaml", "passthrough.model_list", _counted(len(groups[name]), name), why)
    return Translated(
        providers=providers,
        exact_matches=_routes(placed, notes),
        patterns=sort_patterns(patterns),
        capabilities={name: {"preferred_models": turns} for name, turns in ordered.items()},
        load_balancing=_balanced(placed, notes),
        carried=[entry for name in reasons for entry in groups[name]],
    )


def _note_implied(
    groups: Mapping[str, list[Mapping[str, Any]]],
    homes: Mapping[str, list[Home]],
    names: Mapping[Home, str],
    notes: Notes,
) -> None:
    """Tell what LiteLLM took of itself and the sources now say."""
    for group, found in homes.items():
        for entry, home in zip(groups[group], found, strict=True):
            params = entry["litellm_params"]
            address = address_of(home.base_url)
            if home.env_var and not params.get("api_key") and address is not None and address.is_private:
                notes.say(_KEY.format(names[home], home.env_var))
            named = params.get("api_base") or params.get("base_url")
            if home.type in ("openai", "anthropic") and not named:
                notes.say(_ADDRESS.format(names[home]))


def _settle_homes(
    homes: dict[str, list[Home]],
    groups: Mapping[str, list[Mapping[str, Any]]],
    reasons: dict[str, str],
    defaults: Defaults,
) -> tuple[list[Placed], dict[Home, str], list[dict[str, Any]]]:
    """Return the deployments at their providers, the providers' names, and the patterns.

    A wildcard that no pattern becomes gives its provider up again, and is carried whole.
    """
    while True:
        names = name_homes([home for found in homes.values() for home in found])
        placed = [
            _place(name, entry, names[home], defaults)
            for name, found in homes.items()
            for entry, home in zip(groups[name], found, strict=True)
        ]
        providers = {name: _provider(home) for home, name in names.items()}
        wild = {name: found for name, found in by_group(placed).items() if "*" in name}
        patterns = {
            name: find_pattern(name, [each.member for each in found], providers)
            for name, found in wild.items()
        }
        lost = [name for name, pattern in patterns.items() if pattern is None]
        if not lost:
            kept = [each for each in placed if each.group not in wild]
            return kept, names, [pattern for pattern in patterns.values() if pattern]
        for name in lost:
            del homes[name]
            reasons[name] = _WILDCARD


def _place(name: str, entry: Mapping[str, Any], provider: str, defaults: Defaults) -> Placed:
    info = {key: value for key, value in (entry.get("model_info") or {}).items() if value is not None}
    params = entry["litellm_params"]
    return Placed(name, provider, upstream_of(params), defaults.filled(params), info)


def _weigh(placed: list[Placed]) -> None:
    """Give the members of a group their weights, where each has one that is a number."""
    groups = by_group(placed)
    for members in groups.values():
        weights = [member.params.get("weight") for member in members]
        if len(members) > 1 and all(_is_weight(weight) for weight in weights):
            for member, weight in zip(members, weights, strict=True):
                member.weight = weight


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value < float("inf")


def _provider(home: Home) -> dict[str, Any]:
    provider: dict[str, Any] = {"type": home.type, "base_url": home.base_url}
    if home.env_var:
        provider |= {"requires_api_key": True, "env_var": home.env_var}
    elif home.needs_no_key:
        provider["requires_api_key"] = False
    return provider


def _routes(placed: list[Placed], notes: Notes) -> dict[str, dict[str, Any]]:
    routes: dict[str, dict[str, Any]] = {}
    for name, members in by_group(placed).items():
        if len(members) == 1:
            only = members[0]
            routes[name] = {"provider": only.provider}
            if only.model != name:
                routes[name]["backend_model"] = only.model
            attach(routes[name], only.rest, "model-mappings.yaml", f"exact_matches, {name!r}", notes)
    return routes


def _balanced(placed: list[Placed], notes: Notes) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for name, members in by_group(placed).items():
        listed: list[dict[str, Any]] = []
        for place, member in enumerate(members if len(members) > 1 else ()):
            entry = {"provider": member.provider, "model": member.model, "weight": member.weight}
            where = f"load_balancing, {name!r}, member {place + 1}"
            attach(entry, member.rest, "model-mappings.yaml", where, notes)
            listed.append(entry)
        if listed:
            groups[name] = {"providers": listed}
    return groups


def _counted(number: int, name: str) -> str:
    return f"{name!r}" if number == 1 else f"{name!r} ({number} deployments)"
