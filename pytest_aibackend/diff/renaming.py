"""Which names were only exchanged for others: told once, and not as one that vanishes and one that is new.

Then one side is read as if the name had been the other's already, so that aliases and fallbacks that follow
it are no change, and those that do not are one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.pairing import exchanged
from pytest_aibackend.litellm.meaning import FALLBACK_KINDS
from pytest_aibackend.litellm.words import deployments_of, section_of

__all__ = ["aligned"]


@dataclass(frozen=True, slots=True)
class _Names:
    """New names by their old ones, as the parts of a document are to be written with them."""

    new: Mapping[str, str]
    kept: Mapping[str, str]  # those of them whose old name is an alias of the new one

    def of(self, name: Any) -> Any:
        """Return the new name of whom a name leads to."""
        return self.new.get(name, name) if isinstance(name, str) else name

    def of_source(self, name: Any) -> Any:
        """Return the name that clients ask for now: an alias has fallbacks of its own."""
        return name if name in self.kept else self.of(name)


def _new_names(old: Meaning, new: Meaning) -> dict[str, str]:
    """Return the new name of each model group or alias that leads to the same under another one."""
    groups = exchanged(_groups_of_one(old, new), _groups_of_one(new, old))
    return groups | exchanged(_aliases_of_one(old, new, groups), _aliases_of_one(new, old, {}))


def aligned(old: Meaning, new: Meaning) -> tuple[Meaning, Meaning]:
    """Return both sides with one name for whatever only has another one."""
    gone, kept, back = _new_names(old, new), _kept(old, new), _kept(new, old)
    renamed = gone | kept | {now: was for was, now in back.items()}
    if not renamed:
        return old, new
    before = _renamed(old, _Names(gone | kept, kept))
    after = _renamed(new, _Names(back, back)) if back else new
    return before, replace(after, renamed=renamed, kept=frozenset(kept))


def _form(meaning: Meaning, group: str) -> Hashable:
    return tuple(sorted((deployment.form for deployment in meaning.groups[group]), key=repr))


def _groups_of_one(one: Meaning, other: Meaning) -> dict[str, Hashable]:
    """Return who answers the model groups whose name the other side has not at all."""
    return {
        name: _form(one, name)
        for name in one.groups
        if name in one.written_names
        and "*" not in name
        and name not in other.names
        and name not in one.aliases
    }


def _aliases_of_one(one: Meaning, other: Meaning, groups: Mapping[str, str]) -> dict[str, Hashable]:
    """Return what the aliases lead to whose name the other side has not at all."""
    return {
        name: (groups.get(alias.target, alias.target), alias.hidden)
        for name, alias in one.aliases.items()
        if name not in other.names and name not in one.groups
    }


def _kept(old: Meaning, new: Meaning) -> dict[str, str]:
    """Return the new names of model groups whose old name is an alias of it."""
    return {
        name: alias.target
        for name, alias in new.aliases.items()
        if name in old.groups
        and not {name, alias.target} & old.aliases.keys()
        and name not in new.groups
        and alias.target in new.groups
        and alias.target not in {*old.groups, *new.aliases}
        and _form(old, name) == _form(new, alias.target)
    }


def _renamed(meaning: Meaning, names: _Names) -> Meaning:
    document = dict(meaning.document)
    document["model_list"] = [
        {**entry, "model_name": names.of(entry.get("model_name"))}
        for entry in deployments_of(meaning.document)
    ]
    for section in ("router_settings", "litellm_settings"):
        if settings := section_of(meaning.document, section):
            document[section] = dict(_settings(settings, names))
    if names.kept:
        router = section_of(document, "router_settings")
        aliases = router.get("model_group_alias")
        more = {**(aliases if isinstance(aliases, dict) else {}), **names.kept}
        document["router_settings"] = {**router, "model_group_alias": more}
    sources = meaning.sources
    if sources:
        contexts = {names.of(group): window for group, window in sources.contexts.items()}
        sources = replace(sources, contexts=contexts)
    return replace(meaning, document=document, sources=sources)


def _settings(settings: Mapping[Any, Any], names: _Names) -> Iterator[tuple[Any, Any]]:
    for key, value in settings.items():
        if key == "model_group_alias" and isinstance(value, dict):
            yield key, {_alias(name, value[name], names): _target(value[name], names) for name in value}
        elif key in FALLBACK_KINDS and isinstance(value, list):
            yield key, [_chain(entry, names) for entry in value]
        else:
            yield key, value


def _chain(entry: Any, names: _Names) -> Any:
    """Return one entry of fallbacks: a name with its targets, or one of those that stand for every name."""
    if not isinstance(entry, dict) or isinstance(entry.get("model"), str):
        return _target(entry, names)
    return {
        names.of_source(source): [_target(target, names) for target in targets]
        if isinstance(targets, list)
        else targets
        for source, targets in entry.items()
    }


def _alias(name: Any, target: Any, names: _Names) -> Any:
    """Return the name of an alias; what LiteLLM does not read as one keeps its own."""
    is_read = isinstance(target.get("model") if isinstance(target, dict) else target, str)
    return names.of(name) if is_read else name


def _target(target: Any, names: _Names) -> Any:
    if isinstance(target, dict) and "model" in target:
        return {**target, "model": names.of(target["model"])}
    return names.of(target)
