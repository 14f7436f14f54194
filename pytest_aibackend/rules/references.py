"""Check 5: every provider that a file names is defined, and is in use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.findings import Path, Problem
from pytest_aibackend.rules.catalogue import Catalogue, catalogue_of
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.schema_places import subject_of
from pytest_aibackend.sources.wording import Suggester, listed

__all__ = ["PROVIDER_GROUPS", "Reference", "provider_references"]

_NEEDS: Final = ("providers", "model-mappings")
_MAPPINGS: Final = "model-mappings"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A place that names a provider, or where a model group can stand too."""

    group: str
    path: Path
    owner: str  # in the reader's words: "route 'llama3.1:8b'"
    subject: str
    name: str
    is_fallback: bool = False  # a fallback names a provider or a model group

    def problem(self, message: str, hint: str) -> Problem:
        """Return the problem at this place."""
        return Problem(
            source=_MAPPINGS,
            path=self.path,
            message=message,
            hint=hint,
            subject=self.subject,
            group=self.group,
        )


ROUTES = declare_group(
    Group(
        id="route-provider", check=5, noun="route", needs=_NEEDS, subjects=lambda b: b.mappings.exact_matches
    )
)
PATTERNS = declare_group(
    Group(
        id="pattern-provider",
        check=5,
        noun="pattern",
        needs=_NEEDS,
        subjects=lambda b: [each.pattern for each in b.mappings.patterns],
    )
)
CAPABILITIES = declare_group(
    Group(
        id="capability-provider",
        check=5,
        noun="capability",
        needs=_NEEDS,
        subjects=lambda b: [
            name for name, each in b.mappings.capabilities.items() if each.provider or each.fallback
        ],
    )
)
LOAD_BALANCING = declare_group(
    Group(
        id="load-balancing-provider",
        check=5,
        noun="load-balancing group",
        needs=_NEEDS,
        subjects=lambda b: b.mappings.load_balancing,
    )
)
ROUTING_RULES = declare_group(
    Group(
        id="routing-rules-provider",
        check=5,
        noun="routing rule",
        needs=_NEEDS,
        subjects=lambda b: dict.fromkeys(each.subject for each in _routing_rules(b)),
    )
)
PROVIDER_GROUPS: Final = (
    ROUTES.id,
    PATTERNS.id,
    CAPABILITIES.id,
    LOAD_BALANCING.id,
    ROUTING_RULES.id,
)


def provider_references(backend: Backend) -> Iterator[Reference]:
    """Yield every place of model-mappings.yaml that names a provider."""
    mappings = backend.mappings
    for name, route in mappings.exact_matches.items():
        yield from _pair(
            ROUTES.id,
            ("exact_matches", name),
            f"route {name!r}",
            name,
            provider=route.provider,
            fallback=route.fallback,
        )
    for index, pattern in enumerate(mappings.patterns):
        text = pattern.pattern
        yield from _pair(
            PATTERNS.id,
            ("patterns", index),
            f"pattern {text!r}",
            text,
            provider=pattern.provider,
            fallback=pattern.fallback,
        )
    for name, each in mappings.capabilities.items():
        yield from _pair(
            CAPABILITIES.id,
            ("capabilities", name),
            f"capability {name!r}",
            name,
            provider=each.provider,
            fallback=each.fallback,
        )
    for name, group in mappings.load_balancing.items():
        for index, member in enumerate(group.providers):
            yield from _pair(
                LOAD_BALANCING.id,
                ("load_balancing", name, "providers", index),
                f"load-balancing group {name!r}",
                name,
                provider=member.provider,
                fallback=None,
            )
    yield from _routing_rules(backend)


def _pair(
    group: str, path: Path, owner: str, subject: str, *, provider: str | None, fallback: str | None
) -> Iterator[Reference]:
    if provider is not None:
        yield Reference(group=group, path=(*path, "provider"), owner=owner, subject=subject, name=provider)
    if fallback is not None:
        yield Reference(
            group=group,
            path=(*path, "fallback"),
            owner=owner,
            subject=subject,
            name=fallback,
            is_fallback=True,
        )


def _routing_rules(backend: Backend) -> Iterator[Reference]:
    rules = backend.mappings.routing_rules
    defaults = {"default_provider": rules.default_provider, "default_fallback": rules.default_fallback}
    for key, name in defaults.items():
        if name is not None:
            yield _rule_reference(("routing_rules", key), key, name, is_fallback=key == "default_fallback")
    for key in ("request_metadata_routing", "model_size_routing"):
        yield from _nested(("routing_rules", key), getattr(rules, key))
    for key, case in backend.mappings.special_cases.items():
        yield from _nested(("special_cases", key), case)


def _nested(path: Path, value: Any) -> Iterator[Reference]:
    if isinstance(value, dict):
        for key, item in value.items():
            place = (*path, key)
            if key in ("provider", "fallback") and isinstance(item, str):
                yield _rule_reference(place, _words(path), item, is_fallback=key == "fallback")
            else:
                yield from _nested(place, item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nested((*path, index), item)


def _rule_reference(path: Path, owner: str, name: str, *, is_fallback: bool) -> Reference:
    return Reference(
        group=ROUTING_RULES.id,
        path=path,
        owner=owner,
        subject=subject_of(_MAPPINGS, path, None),
        name=name,
        is_fallback=is_fallback,
    )


def _words(path: Path) -> str:
    return ".".join(str(step) for step in path[1:] if not isinstance(step, int)) or str(path[0])


def _unknown(backend: Backend, *, is_fallback: bool) -> Iterator[Reference]:
    known = catalogue_of(backend)
    for reference in provider_references(backend):
        if reference.is_fallback == is_fallback and reference.name not in known.status:
            yield reference


@rule("unknown-provider", group=PROVIDER_GROUPS)
def find_unknown_providers(backend: Backend) -> Iterator[Problem]:
    """A reference names a provider that `providers.yaml` does not define.

    Routes, patterns, capabilities, load-balancing groups and routing rules name providers. Nothing can
    answer a request that goes to an unknown one: the generated file has no deployment for it. Mend the
    name, or define the provider in `providers.yaml`.
    """
    known = catalogue_of(backend)
    if not known.providers_complete:
        return
    suggester = Suggester()
    for reference in _unknown(backend, is_fallback=False):
        name = reference.name
        owner = known.owners.get(name)
        otherwise = (
            f"providers.yaml defines {listed(known.status)}"
            if known.status
            else "define it in providers.yaml"
        )
        if owner is not None:
            otherwise = f"{name!r} is a model of provider {owner!r}; name the provider here"
        yield reference.problem(
            f"{reference.owner} names provider {name!r}, which providers.yaml does not define",
            otherwise
            if owner is not None
            else suggester.hint(name, known.status.keys(), otherwise=otherwise),
        )


@rule("unknown-fallback", group=PROVIDER_GROUPS)
def find_unknown_fallbacks(backend: Backend) -> Iterator[Problem]:
    """A fallback names neither a provider nor anything that clients can ask for.

    When the first answer fails there is no second, and nobody notices until then. Mend the name.
    """
    known = catalogue_of(backend)
    if not (known.providers_complete and known.names_complete):
        return
    suggester = Suggester()
    names = {**known.status, **known.served}
    for reference in _unknown(backend, is_fallback=True):
        if known.is_served(reference.name):
            continue
        yield reference.problem(
            f"{reference.owner} falls back to {reference.name!r}, which is neither a provider nor a model",
            suggester.hint(
                reference.name, names, otherwise=f"name a provider, such as {listed(known.status)}"
            ),
        )


@rule("inactive-provider", group=PROVIDER_GROUPS)
def find_inactive_providers(backend: Backend) -> Iterator[Problem]:
    """A reference leads to a provider that is not in use.

    The gateway sends nothing to a provider whose `status` is `disabled`, `template` or
    `pending_integration`, so requests that are meant for it fail. Activate the provider, or lead the
    reference elsewhere.
    """
    known = catalogue_of(backend)
    hint = _instead(known)
    for reference in provider_references(backend):
        status = known.status.get(reference.name, "active")
        if status == "active" or (reference.is_fallback and known.is_served(reference.name)):
            continue
        verb = "falls back to" if reference.is_fallback else "names"
        yield reference.problem(
            f"{reference.owner} {verb} provider {reference.name!r}, whose status is {status}", hint
        )


def _instead(known: Catalogue) -> str:
    active = [name for name in known.status if known.is_active(name)]
    hint = "set its status to active"
    return f"{hint}, or name one that is: {listed(active)}" if active else hint
