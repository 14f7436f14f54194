"""What a configuration means, in the parts that rules of change compare.

The document is LiteLLM's: written by hand, or planned from the sources, as the gateway would have it. What
the sources alone know stands beside it: providers, ports, context windows and how the gateway is deployed.
Whatever is the same to LiteLLM (`litellm.meaning`) is equal here, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from pytest_aibackend.diff.deployment import Deployment, Place, Windows, deployment_of, window_of, windows_of
from pytest_aibackend.litellm.meaning import FALLBACK_KINDS, effective, settings_of
from pytest_aibackend.litellm.words import Defaults, deployments_of, section_of
from pytest_aibackend.sources.models import Deploy, PortEntry, Provider

__all__ = ["Alias", "Meaning", "Sources"]

_ALIASES: Final = ("router_settings", "model_group_alias")
_UNFOLDED: Final = ("cache_params",)  # the setting whose own keys are compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Alias:
    """Another name for a model group."""

    target: str
    hidden: bool = False  # answered, but not listed


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the sources know beside LiteLLM's document."""

    providers: Mapping[str, Provider]
    ports: Mapping[str, PortEntry]
    deploy: Deploy
    contexts: Mapping[str, Windows]  # of model groups


@dataclass(frozen=True, kw_only=True, eq=False)
class Meaning:
    """One configuration."""

    document: Mapping[Any, Any] = field(repr=False)
    sources: Sources | None = None  # None: only LiteLLM's file is known
    renamed: Mapping[str, str] = field(
        default_factory=dict
    )  # new names by old ones, as `renaming` found them
    kept: frozenset[str] = frozenset()  # the old names among them that are aliases of the new ones

    @cached_property
    def groups(self) -> Mapping[str, tuple[Deployment, ...]]:
        """Return the deployments of each model group, patterns with `*` among them."""
        defaults = Defaults(self.document)
        groups: dict[str, list[Deployment]] = {}
        for entry in deployments_of(self.document):
            name = entry.get("model_name")
            shown = name if isinstance(name, str) else f"(model_name {name!r})"
            groups.setdefault(shown, []).append(deployment_of(entry, defaults, self._credentials))
        return MappingProxyType({name: tuple(members) for name, members in groups.items()})

    @cached_property
    def written_names(self) -> frozenset[str]:
        """Return the model groups that have a name; one without is shown under words in brackets."""
        names = (entry.get("model_name") for entry in deployments_of(self.document))
        return frozenset(name for name in names if isinstance(name, str))

    @cached_property
    def _credentials(self) -> Mapping[str, Mapping[Any, Any]]:
        listed = self.document.get("credential_list")
        entries = [entry for entry in (listed if isinstance(listed, list) else ()) if isinstance(entry, dict)]
        return {
            str(entry.get("credential_name")): section_of(entry, "credential_values") for entry in entries
        }

    @cached_property
    def patterns(self) -> Mapping[str, tuple[Deployment, ...]]:
        """Return the model groups that stand for many names."""
        return {name: members for name, members in self.groups.items() if "*" in name}

    @cached_property
    def aliases(self) -> Mapping[str, Alias]:
        """Return the other names of model groups, those of a wrong shape left out."""
        written = section_of(self.document, "router_settings").get("model_group_alias")
        found = {}
        for name, value in written.items() if isinstance(written, dict) else ():
            target = value.get("model") if isinstance(value, dict) else value
            if isinstance(target, str):
                hidden = isinstance(value, dict) and bool(value.get("hidden"))
                found[str(name)] = Alias(target=target, hidden=hidden)
        return MappingProxyType(found)

    @cached_property
    def names(self) -> Mapping[str, None]:
        """Return the names that clients can ask for, patterns left out; a mapping, to be quick to look in."""
        return dict.fromkeys([*(name for name in self.groups if "*" not in name), *self.aliases])

    def answering(self, name: str) -> tuple[Deployment, ...]:
        """Return who answers a name; LiteLLM looks at aliases first."""
        alias = self.aliases.get(name)
        return self.groups.get(alias.target if alias else name, ())

    def clients(self, group: str) -> tuple[str, ...]:
        """Return the names that lead to a model group: its own and its aliases; its own, if nobody's does."""
        own = (group,) if group in self.groups and group not in self.aliases else ()
        return own + self._aliases_of.get(group, ()) or (group,)

    @cached_property
    def _aliases_of(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for name, alias in self.aliases.items():
            found.setdefault(alias.target, []).append(name)
        return {target: tuple(names) for target, names in found.items()}

    def is_without_chain(self, name: str, kind: str) -> bool:
        """Say whether the chain for any name holds for this one, which has none of its own."""
        own = "fallbacks" if kind == "default_fallbacks" else kind
        return (own, name) not in self.fallbacks

    @cached_property
    def next_asked(self) -> Mapping[str, tuple[str, ...]]:
        """Return who is asked when a name fails, for whatever reason; "" is any name."""
        found: dict[str, tuple[str, ...]] = {}
        for (_, source), targets in self.fallbacks.items():
            found[source] = (*found.get(source, ()), *targets)
        return found

    @cached_property
    def fallbacks(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Return who is asked next, by the kind of fallback and the name asked for; "" is any name.

        LiteLLM takes `default_fallbacks` for one more entry of `fallbacks`, for `*`, and the last of these.
        """
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for kind in FALLBACK_KINDS:
            written = effective(self.document, kind)
            if kind == "default_fallbacks":
                found |= {(kind, ""): _names(written)} if written else {}
                continue
            for entry in written if isinstance(written, list) else ():
                for name, targets in entry.items() if isinstance(entry, dict) else ():
                    if name == "*":
                        found[("default_fallbacks" if kind == "fallbacks" else kind, "")] = _names(targets)
                    else:
                        found.setdefault((kind, str(name)), _names(targets))
        return MappingProxyType({key: targets for key, targets in found.items() if targets})

    @cached_property
    def settings(self) -> Mapping[Place, Any]:
        """Return every setting and section by its place, but aliases and fallbacks."""
        return MappingProxyType(dict(_settings(self.document)))

    def setting(self, *place: str) -> Any:
        """Return a setting, None where it is not written."""
        return self.settings.get(place)

    def windows(self, group: str) -> Windows | None:
        """Return the smallest and the largest context window of a model group, None if unknown."""
        if self.sources and group in self.sources.contexts:
            return self.sources.contexts[group]
        return windows_of((found.param("order"), window_of(found)) for found in self.groups.get(group, ()))

    def leaves(self) -> Iterator[tuple[str, str, Any]]:
        """Yield every value that LiteLLM reads with its place and key; a deployment's place is its group."""
        stack: list[tuple[str, str, Any]] = [
            (f"{entry.get('model_name')}: ", "", entry) for entry in deployments_of(self.document)
        ]
        stack += [(str(key), str(key), value) for key, value in self.document.items() if key != "model_list"]
        while stack:
            place, key, value = stack.pop()
            if isinstance(value, Mapping):
                joint = "" if place.endswith(": ") else "."
                stack += [(f"{place}{joint}{name}", str(name), item) for name, item in value.items()]
            elif isinstance(value, list):
                stack += [(place, key, item) for item in value]
            else:
                yield place, key, value


def _names(targets: Any) -> tuple[str, ...]:
    """Return the names in a list of fallbacks; a target may carry parameters of its own."""
    listed = targets if isinstance(targets, list) else []
    named = (target.get("model") if isinstance(target, dict) else target for target in listed)
    return tuple(name for name in named if isinstance(name, str))


def _settings(document: Mapping[Any, Any]) -> Iterator[tuple[Place, Any]]:
    for *written, value in settings_of(document):
        place = tuple(map(str, written))
        if place[1:] == _UNFOLDED and isinstance(value, dict) and value:
            yield from (((*place, str(key)), item) for key, item in value.items())
        elif place != _ALIASES:
            yield place, value
