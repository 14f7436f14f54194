"""Settings, fallbacks and sections: what the mappings can say goes there, the rest stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.importer.concepts import find_aliases
from pytest_aibackend.importer.notes import Notes
from pytest_aibackend.litellm.meaning import FALLBACK_KINDS, effective, resembling
from pytest_aibackend.litellm.plan.passthrough import OWN_SECTIONS
from pytest_aibackend.litellm.plan.wildcards import WildcardIndex
from pytest_aibackend.litellm.words import section_of

__all__ = ["Settings", "translate_settings"]

_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Settings:
    """What becomes of everything but `model_list`."""

    sections: dict[str, dict[Any, Any]]  # for the top of gateway.yaml
    carried: dict[Any, Any]  # for passthrough.sections
    chains: dict[str, list[str]]
    aliases: dict[str, str]  # those that are capabilities of one model group


def translate_settings(
    config: Mapping[Any, Any],
    groups: Collection[str],
    *,
    mapped: Collection[str],
    is_weighted: bool,
    notes: Notes,
) -> Settings:
    """Translate the settings.

    `groups` are the model groups, `mapped` those that are routes or balanced groups of the mappings;
    `is_weighted` says that some have weights.
    """
    sections = {name: dict(section_of(config, name)) for name in OWN_SECTIONS if name != "model_list"}
    if config.get("router_settings") and not isinstance(config["router_settings"], dict):
        notes.say("router_settings was no mapping, so LiteLLM left it out; it is not imported")
    chains = _chains(config, sections, groups, notes)
    if is_weighted and "enable_weighted_failover" not in sections["router_settings"]:
        sections["router_settings"]["enable_weighted_failover"] = False
        notes.say(
            "router_settings.enable_weighted_failover: false says what the original left unsaid: a request"
            " that drew a stopped member of a weighted group may fail; remove it to have the others asked"
        )
    carried = {name: value for name, value in config.items() if name not in OWN_SECTIONS}
    for name in carried:
        notes.carry("gateway.yaml", "passthrough.sections", str(name), "the sources have no section for it")
    _note_files(sections["litellm_settings"], notes)
    aliases = _aliases(sections["router_settings"], groups, mapped, chains)
    return Settings({name: found for name, found in sections.items() if found}, carried, chains, aliases)


def _note_files(settings: Mapping[Any, Any], notes: Notes) -> None:
    """Tell of callbacks that are Python files: LiteLLM looks for them beside its configuration."""
    for key in ("callbacks", "success_callback", "failure_callback", "custom_auth"):
        listed = settings.get(key)
        for name in listed if isinstance(listed, list) else [listed]:
            if isinstance(name, str) and "." in name:
                module = f"{name.rpartition('.')[0].replace('.', '/')}.py"
                notes.say(f"{module}, which {key} names, has to stand beside the generated file, too")


def _aliases(
    router: dict[Any, Any], groups: Collection[str], mapped: Collection[str], chains: Mapping[str, object]
) -> dict[str, str]:
    """Take out of the settings the aliases that are capabilities."""
    written = router.get("model_group_alias")
    if not isinstance(written, dict):
        return {}
    found = {alias: target for alias, target in find_aliases(written, groups, chains) if target in mapped}
    left = {alias: target for alias, target in written.items() if alias not in found}
    if left:
        router["model_group_alias"] = left
    elif found:
        del router["model_group_alias"]
    return found


def _chains(
    config: Mapping[Any, Any], sections: dict[str, dict[Any, Any]], groups: Collection[str], notes: Notes
) -> dict[str, list[str]]:
    """Take fallbacks out of the settings, as far as chains of the mappings mean the same."""
    router, beside = sections["router_settings"], sections["litellm_settings"]
    for kind in FALLBACK_KINDS:
        if router.get(kind) and kind in beside:
            del beside[kind]
            notes.say(
                f"litellm_settings.{kind} had no effect, since router_settings has its own; it is left out"
            )
    served = _Served(config, groups)
    chains: dict[str, list[str]] = {}
    kept: list[Any] = []
    listed = effective(config, "fallbacks")
    entries = listed if isinstance(listed, list) else []
    alike = Counter(resembling(next(iter(entry), "")) for entry in entries if isinstance(entry, dict))
    for entry in entries:
        name = next(iter(entry)) if isinstance(entry, dict) and len(entry) == 1 else None
        is_source = isinstance(name, str) and alike[resembling(name)] == 1 and served.has(name)
        if is_source and served.can_follow(str(name), entry[name]):
            chains[str(name)] = list(entry[name])
        else:
            kept.append(entry)
            what = f"fallbacks of {name!r}" if isinstance(name, str) else "an entry of fallbacks"
            notes.carry("gateway.yaml", "router_settings.fallbacks", what, served.why(name))
    if entries:
        beside.pop("fallbacks", None)
        router.pop("fallbacks", None)
        if kept:
            router["fallbacks"] = kept
    default = effective(config, "default_fallbacks")
    if default and not served.has(_DEFAULT) and served.can_follow(_DEFAULT, default):
        chains[_DEFAULT] = list(default)
        beside.pop("default_fallbacks", None)
        router.pop("default_fallbacks", None)
    return chains


class _Served:
    """What a client can ask for, and so a chain can name."""

    def __init__(self, config: Mapping[Any, Any], groups: Collection[str]) -> None:
        aliases = section_of(section_of(config, "router_settings"), "model_group_alias")
        self.names = {*groups, *(alias for alias in aliases if isinstance(alias, str))}
        self._index = WildcardIndex(name for name in groups if "*" in name)

    def has(self, name: str) -> bool:
        """Say whether a request for this name is answered by something."""
        return "*" not in name and (name in self.names or self._index.matches(name))

    def can_follow(self, name: str, targets: Any) -> bool:
        """Say whether these can be a chain of the mappings: served, each once, and none is the source."""
        if not (isinstance(targets, list) and targets and all(isinstance(target, str) for target in targets)):
            return False
        return name not in targets and len({*targets}) == len(targets) and all(map(self.has, targets))

    def why(self, name: Any) -> str:
        """Return why an entry is no chain."""
        if name == _DEFAULT and not self.has(name):
            return (
                "LiteLLM takes 'default' for a model group, which is not served; in the sources it is for all"
            )
        if isinstance(name, str) and not self.has(name):
            return "the name is not served"
        return "a chain has model groups that are served, each once, and not its own"
