"""Which names a configuration defines: providers, their models, and what a client can ask for."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.plan.passthrough import carried_groups
from pytest_aibackend.litellm.plan.types import Problems
from pytest_aibackend.litellm.plan.wildcards import WildcardIndex
from pytest_aibackend.rules.translation import plan_of
from pytest_aibackend.sources.backend import Backend

__all__ = ["Catalogue", "catalogue_of", "prefix_of"]

_STATUSES: Final = ("active", "disabled", "pending_integration", "template")
_SPECIAL: Final = frozenset(r".*+?[](){}|^$")
_GROUP_SECTIONS: Final = ("exact_matches", "load_balancing")


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The names that references can mean. What has errors of its own is still a known name."""

    status: Mapping[str, str]  # of every provider
    models: Mapping[str, tuple[str, ...]]  # of every provider
    owners: Mapping[str, str]  # of every model: the first provider that lists it, an active one before others
    served: Mapping[str, None]  # what a client, a chain or a capability can name, in file order
    served_as: Mapping[str, str]  # of models: the first model group that answers with them
    capabilities: frozenset[str]  # of the served names: those that are a capability and nothing else
    prefixes: frozenset[str]  # of patterns: any name that begins so is served
    carried: WildcardIndex  # wildcards that gateway.yaml passes through
    has_default: bool  # a default provider is asked for any other name
    providers_complete: bool  # False: a reported error hides providers, so that none can be called unknown
    names_complete: bool  # the same for routes and models
    models_complete: Mapping[str, bool]  # the same for each provider's models

    def is_served(self, name: str) -> bool:
        """Say whether a request for this name is answered by something."""
        if name in self.served:
            return True
        if any(name[:length] in self.prefixes for length in self._prefix_lengths if length <= len(name)):
            return True
        return self.carried.matches(name)

    @cached_property
    def _prefix_lengths(self) -> frozenset[int]:
        return frozenset(len(prefix) for prefix in self.prefixes)

    def is_group(self, name: str) -> bool:
        """Say whether a name is a model group, with deployments of its own."""
        return name in self.served and name not in self.capabilities

    def is_active(self, provider: str) -> bool:
        """Say whether the gateway sends requests to this provider."""
        return self.status.get(provider) == "active"


_built: Final[weakref.WeakKeyDictionary[Backend, Catalogue]] = weakref.WeakKeyDictionary()


def catalogue_of(backend: Backend) -> Catalogue:
    """Return the names of a backend, collected once."""
    if backend not in _built:
        _built[backend] = _collect(backend)
    return _built[backend]


def prefix_of(pattern: str) -> str | None:
    r"""Return `Qwen/` of a pattern such as `^Qwen/.*`, None where it is not one literal and then anything."""
    body = pattern.removeprefix("^").removesuffix("$")
    if not body.endswith(".*") or body == ".*":
        return None
    literal = re.sub(r"\\(\W)", lambda match: "" if match[1] in _SPECIAL else match[0], body[:-2])
    if "\\" in literal or any(letter in _SPECIAL for letter in literal):
        return None
    return re.sub(r"\\(\W)", r"\1", body[:-2])


def _collect(backend: Backend) -> Catalogue:
    raw = _section(backend.sources["providers"].data, "providers")
    status = {str(name): _status(entry) for name, entry in raw.items()}
    models = {str(name): _model_names(entry) for name, entry in raw.items()}
    hidden = _providers_with_hidden_models(backend)
    served: dict[str, None] = {}
    mappings = backend.sources["model-mappings"].data
    for section in _GROUP_SECTIONS:
        served.update({name: None for name in _section(mappings, section) if isinstance(name, str)})
    served.update(_own_names(backend, models, status, served))
    carried, carried_wildcards = carried_groups(backend.gateway, Problems())
    served.update(dict.fromkeys(carried))
    owners: dict[str, str] = {}
    for is_active in (True, False):
        for provider, names in models.items():
            if (status[provider] == "active") == is_active:
                for name in names:
                    owners.setdefault(name, provider)
    capabilities = [name for name in _section(mappings, "capabilities") if isinstance(name, str)]
    only_capabilities = frozenset(capabilities) - served.keys()
    served.update(dict.fromkeys(capabilities))
    patterns = backend.mappings.patterns if backend.is_loaded("model-mappings") else []
    return Catalogue(
        status=status,
        models=models,
        owners=owners,
        served=served,
        served_as=_served_as(backend),
        capabilities=only_capabilities,
        prefixes=frozenset(prefix for each in patterns if (prefix := prefix_of(each.pattern))),
        carried=WildcardIndex(carried_wildcards),
        has_default=_has_default(backend, status),
        providers_complete=_is_whole(backend, "providers"),
        names_complete=_is_whole(backend, "providers")
        and _is_whole(backend, "model-mappings")
        and not hidden
        and _passes_all_through(backend),
        models_complete={name: name not in hidden for name in models},
    )


def _own_names(
    backend: Backend,
    models: Mapping[str, tuple[str, ...]],
    status: Mapping[str, str],
    served: Mapping[str, None],
) -> Iterator[tuple[str, None]]:
    """Yield the models that are served under their own names: those to which no other name leads."""
    groups = plan_of(backend).model_groups
    for provider, names in models.items():
        for name in names if status[provider] == "active" else ():
            # Of a provider with errors nothing is planned yet.
            if name not in served and (name in groups or provider not in backend.providers):
                yield name, None


def _served_as(backend: Backend) -> dict[str, str]:
    """Return for each model the first model group that answers with it."""
    found: dict[str, str] = {}
    for group, deployments in plan_of(backend).model_groups.items():
        for deployment in deployments:
            found.setdefault(deployment.model, group)
    return found


def _has_default(backend: Backend, status: Mapping[str, str]) -> bool:
    default = backend.mappings.routing_rules.default_provider if backend.is_loaded("model-mappings") else None
    return default is not None and status.get(default) == "active"


def _section(data: Any, name: str) -> dict[Any, Any]:
    section = data.get(name) if isinstance(data, dict) else None
    return section if isinstance(section, dict) else {}


def _status(entry: Any) -> str:
    status = entry.get("status", "active") if isinstance(entry, dict) else "active"
    # A misspelt status is reported as such; until it is mended, nobody knows that the provider is inactive.
    return status if status in _STATUSES else "active"


def _model_names(entry: Any) -> tuple[str, ...]:
    models = entry.get("models") if isinstance(entry, dict) else None
    names = (
        [model.get("name") if isinstance(model, dict) else model for model in models or ()]
        if isinstance(models, list)
        else []
    )
    return tuple(name for name in names if isinstance(name, str))


def _is_whole(backend: Backend, role: str) -> bool:
    """Say whether no section of the file as a whole is missing because of an error."""
    checked = backend.sources[role].checked
    return checked is not None and not any(
        len(problem.path) == 1 and problem.severity is not Severity.WARNING for _, problem in checked.problems
    )


def _passes_all_through(backend: Backend) -> bool:
    """Say whether no error hides what gateway.yaml passes through."""
    checked = backend.sources["gateway"].checked
    return checked is None or not any(
        problem.path[:1] == ("passthrough",) and problem.severity is not Severity.WARNING
        for _, problem in checked.problems
    )


def _providers_with_hidden_models(backend: Backend) -> set[str]:
    """Return the providers whose list of models cannot be read whole."""
    checked = backend.sources["providers"].checked
    hidden = set()
    for _, problem in checked.problems if checked else ():
        path = problem.path
        if problem.severity is Severity.WARNING or path[:1] != ("providers",) or len(path) < 2:
            continue
        whole_provider = len(path) == 2 and "must be a mapping" in problem.message
        about_models = (
            len(path) >= 3 and str(path[2]).startswith("model") and (len(path) <= 4 or path[4] == "name")
        )
        if whole_provider or (about_models and path[2] != "model_size_gb"):
            hidden.add(str(path[1]))
    return hidden
