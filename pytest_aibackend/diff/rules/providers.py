"""Providers: the servers and accounts behind the gateway, as the sources name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.listed import Listing, in_both, only_in, other_names
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.sources.addresses import address_of, shown_url
from pytest_aibackend.sources.models import Provider
from pytest_aibackend.sources.secrets import show_value

__all__ = [
    "provider_added",
    "provider_check_changed",
    "provider_disabled",
    "provider_enabled",
    "provider_moved",
    "provider_removed",
    "provider_renamed",
    "provider_type_changed",
]

_NO_MORE = "Nothing beside what is said of names, deployments and fallbacks."
_WATCHED: Final = ("required", "health_endpoint")
_PROVIDERS: Final[Listing[Provider]] = Listing(
    lambda sources: sources.providers, ("type", "base_url", "status", "env_var", *_WATCHED)
)


@change_rule(
    "provider-removed", kind=ChangeKind.REMOVED, classes=(ChangeClass.INFO,), opposite="provider-added"
)
def provider_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A provider is gone from `providers.yaml`.

    What clients lose by it is said by name: names that vanish, deployments and fallbacks that are missing.
    """
    for name, provider in only_in(old, new, _PROVIDERS):
        yield Said(
            subject=name,
            message=f"provider {name!r} is gone: {_described(provider)}",
            notice=_NO_MORE if provider.is_active else "Nothing: it was not active.",
        )


@change_rule(
    "provider-added", kind=ChangeKind.ADDED, classes=(ChangeClass.INFO,), opposite="provider-removed"
)
def provider_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A provider is new in `providers.yaml`.

    It must run before the reload, or requests for its models fail.
    """
    for name, provider in only_in(new, old, _PROVIDERS):
        yield Said(
            subject=name,
            message=f"provider {name!r} is new: {_described(provider)}",
            notice="Nothing, until a name leads to it."
            if provider.is_active
            else "Nothing: it is not active.",
        )


@change_rule("provider-renamed", classes=(ChangeClass.INFO,))
def provider_renamed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A provider has another name in `providers.yaml`, and is the same server.

    Names of providers are the sources' own: no client sees them. Where a mapping still has the old one, what
    is lost by it is said by name.
    """
    for was, name in other_names(old, new, _PROVIDERS).items():
        yield Said(subject=was, message=f"provider {was!r} is called {name!r} now", notice="Nothing.")


@change_rule("provider-check-changed", classes=(ChangeClass.INFO,))
def provider_check_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The live checks look at a provider differently.

    Whether it must run (`required`), and where it is asked whether it does (`health_endpoint`).
    """
    for name, before, after in in_both(old, new, _PROVIDERS):
        for field in _WATCHED:
            was, now = getattr(before, field), getattr(after, field)
            if was != now:
                yield Said(
                    subject=name,
                    message=f"{field} of provider {name!r} was {show_value(field, was)},"
                    f" is {show_value(field, now)}",
                    notice="Nothing: the live checks judge it differently.",
                )


@change_rule("provider-disabled", classes=(ChangeClass.INFO,), opposite="provider-enabled")
def provider_disabled(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A provider is no longer active.

    It is left out of everything that the gateway does; what clients lose by it is said by name.
    """
    for name, before, after in in_both(old, new, _PROVIDERS):
        if before.is_active and not after.is_active:
            yield Said(
                subject=name,
                message=f"provider {name!r} was active, is {after.status}",
                notice=_NO_MORE,
            )


@change_rule("provider-enabled", classes=(ChangeClass.INFO,), opposite="provider-disabled")
def provider_enabled(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A provider is active that was not.

    It must run before the reload, or requests for its models fail.
    """
    for name, before, after in in_both(old, new, _PROVIDERS):
        if after.is_active and not before.is_active:
            yield Said(
                subject=name,
                message=f"provider {name!r} was {before.status}, is active",
                notice="Names that lead to it are answered by it.",
            )


@change_rule("provider-moved", classes=(ChangeClass.INFO,))
def provider_moved(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A provider has another address.

    The server must listen there before the reload; `ports.yaml` must agree.
    """
    for name, before, after in in_both(old, new, _PROVIDERS):
        if _place(before) != _place(after):
            yield Said(
                subject=name,
                message=f"provider {name!r} was at {shown_url(before.base_url)},"
                f" is at {shown_url(after.base_url)}",
                notice="Nothing, if the server is there; else requests fail or go on to a fallback.",
            )


@change_rule("provider-type-changed", classes=(ChangeClass.INFO,))
def provider_type_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A provider is another kind of server.

    LiteLLM speaks another dialect to it: parameters, streaming and tool calls may behave differently.
    """
    for name, before, after in in_both(old, new, _PROVIDERS):
        if before.type != after.type:
            yield Said(
                subject=name,
                message=f"provider {name!r} was {before.type}, is {after.type}",
                notice="Parameters, streaming and tool calls may behave differently.",
            )


def _place(provider: Provider) -> object:
    """Return where a provider is, the same for each way of writing it."""
    address = address_of(provider.base_url)
    if address is None or address.has_query or address.has_userinfo:
        return provider.base_url.rstrip("/")
    return address.scheme, address.host, address.port, address.path.rstrip("/")


def _described(provider: Provider) -> str:
    state = "" if provider.is_active else f", {provider.status}"
    return f"{provider.type} at {shown_url(provider.base_url)}{state}"
