"""Check 5: every model that a route, capability, load-balancing group or chain names is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pytest_aibackend.findings import Path, Problem, Severity
from pytest_aibackend.rules.catalogue import Catalogue, catalogue_of
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.wording import Suggester, listed

__all__ = ["CAPABILITIES", "CHAINS", "DEFAULT_CHAIN", "LOAD_BALANCING", "ROUTES", "chain_path"]

_NEEDS: Final = ("providers", "model-mappings")
DEFAULT_CHAIN: Final = "default"

ROUTES = declare_group(
    Group(id="route-model", check=5, noun="route", needs=_NEEDS, subjects=lambda b: b.mappings.exact_matches)
)
LOAD_BALANCING = declare_group(
    Group(
        id="load-balancing-model",
        check=5,
        noun="load-balancing group",
        needs=_NEEDS,
        subjects=lambda b: b.mappings.load_balancing,
    )
)
CAPABILITIES = declare_group(
    Group(
        id="capability-members",
        check=5,
        noun="capability",
        needs=_NEEDS,
        subjects=lambda b: b.mappings.capabilities,
    )
)
CHAINS = declare_group(
    Group(
        id="chain-members", check=5, noun="chain", needs=_NEEDS, subjects=lambda b: b.mappings.fallback_chains
    )
)
_GROUPS: Final = (ROUTES.id, LOAD_BALANCING.id, CAPABILITIES.id, CHAINS.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reference:
    """A place that names a model: one of a provider's, or anything that is served."""

    group: str
    path: Path
    says: str  # "chain 'a' names"
    subject: str
    name: str
    provider: str | None = None  # whose model it must be; None: anything that is served
    is_source: bool = False  # the name whose failure a chain mends

    def problem(self, message: str, hint: str, severity: Severity | None = None) -> Problem:
        return Problem(
            source="model-mappings",
            path=self.path,
            message=message,
            hint=hint,
            subject=self.subject,
            group=self.group,
            severity=severity,
        )


def chain_path(backend: Backend, name: str) -> Path:
    """Return the place of a chain's list, which may be written without the key `chain`."""
    raw = backend.sources["model-mappings"].data["fallback_chains"][name]
    return ("fallback_chains", name) if isinstance(raw, list) else ("fallback_chains", name, "chain")


def _references(backend: Backend) -> Iterator[_Reference]:
    yield from _route_references(backend)
    yield from _member_references(backend)
    yield from _capability_references(backend)
    yield from _chain_references(backend)


def _route_references(backend: Backend) -> Iterator[_Reference]:
    for name, route in backend.mappings.exact_matches.items():
        path: Path = ("exact_matches", name)
        says = f"route {name!r} goes to"
        if route.backend_model is not None:
            path = (*path, "backend_model")
            says = f"route {name!r} names"
        yield _Reference(
            group=ROUTES.id,
            path=path,
            says=says,
            subject=name,
            name=route.backend_model or name,
            provider=route.provider,
        )


def _member_references(backend: Backend) -> Iterator[_Reference]:
    for name, group in backend.mappings.load_balancing.items():
        for index, member in enumerate(group.providers):
            for key in ("model", "preferred_model"):
                model = getattr(member, key)
                if model is not None:
                    yield _Reference(
                        group=LOAD_BALANCING.id,
                        path=("load_balancing", name, "providers", index, key),
                        says=f"load-balancing group {name!r} names",
                        subject=name,
                        name=model,
                        provider=member.provider,
                    )


def _capability_references(backend: Backend) -> Iterator[_Reference]:
    for name, each in backend.mappings.capabilities.items():
        places: list[tuple[Path, str]] = [
            (("preferred_models", index), model) for index, model in enumerate(each.preferred_models)
        ]
        for key in ("complexity_thresholds", "context_thresholds"):
            places += [((key, level), model) for level, model in getattr(each, key).items()]
        for place, model in places:
            yield _Reference(
                group=CAPABILITIES.id,
                path=("capabilities", name, *place),
                says=f"capability {name!r} names",
                subject=name,
                name=model,
            )


def _chain_references(backend: Backend) -> Iterator[_Reference]:
    for name, chain in backend.mappings.fallback_chains.items():
        if name != DEFAULT_CHAIN:
            yield _Reference(
                group=CHAINS.id,
                path=("fallback_chains", name),
                says="there is a fallback chain for",
                subject=name,
                name=name,
                is_source=True,
            )
        path = chain_path(backend, name)
        for index, member in enumerate(chain.chain):
            yield _Reference(
                group=CHAINS.id, path=(*path, index), says=f"chain {name!r} names", subject=name, name=member
            )


def _trouble(known: Catalogue, reference: _Reference) -> str | None:
    """Return the id of the rule that reports this reference, None where there is nothing to report."""
    name, provider = reference.name, reference.provider
    if provider is not None:
        models = known.models.get(provider, ())
        # Without a usable provider, or without a list of its models, nobody can say what it serves.
        if not (models and known.is_active(provider) and known.models_complete[provider]):
            return None
        # Ollama reads a name without a tag as the tag "latest".
        if name in models or f"{name}:latest" in models or name.removesuffix(":latest") in models:
            return None
        return "provider-as-model" if name in known.status and name != reference.subject else "unknown-model"
    is_member = reference.group == CAPABILITIES.id
    if known.is_group(name) if is_member else known.is_served(name):
        return None
    if reference.is_source and not known.has_default and name not in known.owners:
        return None  # planning the gateway shows that nothing is served under this name
    if name in known.status:
        return "provider-as-model"
    if name in known.owners:
        return "unknown-model" if known.is_active(known.owners[name]) else "inactive-model"
    return "unknown-model" if known.names_complete else None


def _troubled(backend: Backend, trouble: str) -> Iterator[_Reference]:
    known = catalogue_of(backend)
    return (reference for reference in _references(backend) if _trouble(known, reference) == trouble)


@rule("unknown-model", group=_GROUPS)
def find_unknown_models(backend: Backend) -> Iterator[Problem]:
    """A route, capability, load-balancing group or chain names a model that nothing serves.

    A route to a model that its provider does not list ends in "model not found"; a capability or a
    chain is shorter than it looks. Mend the name, or add the model to the provider that serves it.
    """
    known = catalogue_of(backend)
    suggester = Suggester()
    for reference in _troubled(backend, "unknown-model"):
        name, provider = reference.name, reference.provider
        if not name.strip():
            yield reference.problem(
                f"{reference.says} a model without a name", "name the model, or remove the entry"
            )
        elif provider is None:
            kind = "" if reference.is_source else "model "
            fact, otherwise = _no_group(known, name)
            meant = known.served_as.get(name) or suggester.find(name, known.served.keys())
            yield reference.problem(
                f"{reference.says} {kind}{name!r}, {fact}",
                f"did you mean {meant!r}?" if meant and meant != name else otherwise,
            )
        else:
            models = known.models[provider]
            yield reference.problem(
                f"{reference.says} model {name!r} of provider {provider!r}, which does not list it",
                _hint_of_provider(known, reference, suggester.find(name, models)),
            )


def _no_group(known: Catalogue, name: str) -> tuple[str, str]:
    """Return what a name is that is no model group, and what to do where no other name was meant."""
    if name in known.capabilities:
        return "which is a capability and not a model group", "name the models themselves"
    if name in known.served_as:
        return f"which is served as {known.served_as[name]!r} only", "name the model group"
    if known.is_served(name):
        return "which only a pattern matches", "define a route for it"
    return "which nothing serves", "define a route for it, or add it to the models of a provider"


def _hint_of_provider(known: Catalogue, reference: _Reference, meant: str | None) -> str:
    models = known.models[reference.provider or ""]
    if meant and reference.path[-1] == "backend_model":
        return f"did you mean {meant!r}?"
    if meant:
        return (
            f"did you mean {meant!r}? {listed(models)} are listed"
            if len(models) > 1
            else f"did you mean {meant!r}?"
        )
    owner = known.owners.get(reference.name)
    if owner is not None and owner != reference.provider:
        return f"it is a model of provider {owner!r}; {reference.provider!r} lists {listed(models)}"
    verb = (
        "add backend_model with one of its models"
        if reference.group == ROUTES.id
        else "name one of its models"
    )
    return f"{verb}: {listed(models)}"


@rule("provider-as-model", group=_GROUPS)
def find_providers_as_models(backend: Backend) -> Iterator[Problem]:
    """A provider's name stands where a model's name is meant.

    LiteLLM knows models, not providers: a capability or chain with such a member has one member less
    than it seems, and nobody notices until the others fail. Name a model of that provider.
    """
    known = catalogue_of(backend)
    for reference in _troubled(backend, "provider-as-model"):
        models = known.models.get(reference.name, ())
        if not known.is_active(reference.name):
            hint = f"name a model; provider {reference.name!r} is not active"
        elif models:
            hint = f"name one of its models: {listed(models)}"
        else:
            hint = "name one of its models"
        yield reference.problem(
            f"{reference.says} {reference.name!r}, which is a provider and not a model", hint
        )


@rule("inactive-model", group=_GROUPS)
def find_inactive_models(backend: Backend) -> Iterator[Problem]:
    """A capability or chain names a model whose only provider is not in use.

    Nothing answers for it while the provider's `status` is not `active`. Activate the provider, or
    remove the name. A chain for such a model merely waits, which is a warning.
    """
    known = catalogue_of(backend)
    for reference in _troubled(backend, "inactive-model"):
        owner = known.owners[reference.name]
        where = f"model {reference.name!r} of provider {owner!r}, which is {known.status[owner]}"
        yield reference.problem(
            f"{reference.says} {where}",
            "set the provider's status to active, or remove the name",
            Severity.WARNING if reference.is_source else None,
        )
