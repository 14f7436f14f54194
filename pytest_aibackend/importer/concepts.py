"""Concepts of the mappings that can be told from the configuration: capabilities and patterns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pytest_aibackend.importer.fields import residual
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.types import Problems
from pytest_aibackend.litellm.plan.wildcards import specificity, wildcard_of
from pytest_aibackend.sources.models import Provider

__all__ = ["Member", "find_aliases", "find_ordered", "find_pattern", "sort_patterns"]

# A deployment: its provider, the model there, its parameters and its information.
Member = tuple[str, str, Mapping[str, Any], Mapping[str, Any]]


def find_ordered(groups: Mapping[str, list[Member]]) -> dict[str, list[str]]:
    """Return the groups that are others in turn, and these: deployments with `order` 1, 2, ... and no more.

    Each of them is, but for its order, the only deployment of another group.
    """
    alone: dict[str, str] = {}
    for name, members in groups.items():
        if len(members) == 1 and "order" not in members[0][2]:
            alone.setdefault(_mark(members[0]), name)
    found = {}
    for name, members in groups.items():
        places = [member[2].get("order") for member in members]
        if len(members) < 2 or not all(type(place) is int for place in places):
            continue
        turns = [alone.get(_mark(member)) for member in sorted(members, key=lambda each: each[2]["order"])]
        are_apart = len({member[:2] for member in members}) == len(members)
        if (
            sorted(map(str, places)) == sorted(map(str, range(1, len(members) + 1)))
            and are_apart
            and all(turns)
        ):
            found[name] = [str(turn) for turn in turns]
    return found


def _mark(member: Member) -> str:
    provider, model, params, info = member
    rest = {key: value for key, value in params.items() if key != "order"}
    return repr((provider, model, sorted(rest.items(), key=repr), sorted(info.items(), key=repr)))


def find_aliases(
    aliases: Mapping[Any, Any], groups: Collection[str], chains: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Yield the aliases that capabilities can say: of one model group, and with the fallbacks they have now.

    A capability inherits the chain of its model, an alias has none of its own.
    """
    for alias, target in aliases.items():
        is_plain = isinstance(alias, str) and isinstance(target, str) and "*" not in target
        if (
            is_plain
            and target in groups
            and alias not in groups
            and (alias in chains or target not in chains)
        ):
            yield alias, target


def find_pattern(
    name: str, members: list[Member], providers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Return the pattern that becomes this wildcard, None where none does."""
    literal, star, rest = name.partition("*")
    if not star or rest or len(members) != 1:
        return None
    provider, model, params, info = members[0]
    expression = f"^{re.escape(literal)}.*"
    wildcard = wildcard_of(expression)
    if model != name or wildcard.text != name or wildcard.wider:
        return None
    maker = DeploymentMaker(
        {provider: Provider.model_validate(providers[provider])}, Problems(), context_is_checked=False
    )
    made = maker.make_wildcard(provider, name, ())
    if residual(made.litellm_params, params) or residual(made.model_info, info):
        return None
    return {"pattern": expression, "provider": provider}


def sort_patterns(patterns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put patterns into the order in which LiteLLM tries their wildcards."""
    return sorted(patterns, key=lambda each: specificity(wildcard_of(each["pattern"]).text), reverse=True)
