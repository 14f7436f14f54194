"""Check 5: the URL of each provider is one that the gateway can use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.addresses import Address, address_of, shown_url, url_trouble
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.models import Provider

__all__: list[str] = []

_ENDPOINT: Final = re.compile(
    r"/(chat/completions|completions|embeddings|models|responses|messages|api/(tags|chat|generate|version|ps)"
    r"|health|metrics)$"
)


def _checked(backend: Backend) -> dict[str, Provider]:
    """Return the providers whose URL is meant to be one: a template's may hold anything."""
    return {name: each for name, each in backend.providers.items() if each.status != "template"}


PROVIDER_URL = declare_group(
    Group(id="provider-url", check=5, noun="provider", needs=("providers",), subjects=_checked)
)


def _problem(name: str, provider: Provider, message: str, hint: str, *, always: bool = False) -> Problem:
    """Return a problem of a provider's URL; of one that is not in use, only a warning unless `always`."""
    severity = None if provider.is_active or always else Severity.WARNING
    return Problem(
        source="providers",
        path=("providers", name, "base_url"),
        message=message,
        hint=hint,
        subject=name,
        severity=severity,
    )


def _addresses(backend: Backend) -> Iterator[tuple[str, Provider, Address]]:
    for name, provider in _checked(backend).items():
        address = address_of(provider.base_url)
        if address is not None:
            yield name, provider, address


@rule("malformed-url", group=PROVIDER_URL.id)
def find_malformed_urls(backend: Backend) -> Iterator[Problem]:
    """A provider's `base_url` is not the address of a server.

    The gateway starts all the same, and every request to the provider fails. Write scheme, host and
    port: `http://127.0.0.1:11434`.
    """
    for name, provider in _checked(backend).items():
        trouble = url_trouble(provider.base_url)
        if trouble is not None:
            fact, hint = trouble
            yield _problem(
                name, provider, f"the URL {shown_url(provider.base_url)} of provider {name!r} {fact}", hint
            )


@rule("credentials-in-url", group=PROVIDER_URL.id)
def find_credentials_in_urls(backend: Backend) -> Iterator[Problem]:
    """A provider's `base_url` carries a user name or password.

    The file is read, copied and committed by many; and LiteLLM does not send such credentials. Put the
    key into an environment variable and name it in `env_var`.
    """
    for name, provider, address in _addresses(backend):
        if address.has_userinfo:
            yield _problem(
                name,
                provider,
                f"the URL {shown_url(provider.base_url)} of provider {name!r} carries credentials",
                "remove them, change the password, and name an environment variable in env_var",
                always=True,
            )


@rule("url-with-query", group=PROVIDER_URL.id)
def find_urls_with_query(backend: Backend) -> Iterator[Problem]:
    """A provider's `base_url` has a query (`?...`) or a fragment (`#...`).

    LiteLLM appends the path of each request to the URL, behind the query: no request arrives where it
    should. Keep scheme, host, port and path.
    """
    for name, provider, address in _addresses(backend):
        if address.has_query:
            yield _problem(
                name,
                provider,
                f"the URL of provider {name!r} goes on after its path, with ? or #",
                "remove what follows the path",
            )


@rule("url-path-mismatch", group=PROVIDER_URL.id)
def find_paths_that_do_not_fit(backend: Backend) -> Iterator[Problem]:
    """The path of a provider's `base_url` does not fit its type.

    LiteLLM appends the path of each request itself. An Ollama server is addressed without `/v1` (its
    own protocol is not there), and no URL ends in the path of one request, such as
    `/v1/chat/completions`. Every request would be answered with 404.
    """
    for name, provider, address in _addresses(backend):
        end = _ENDPOINT.search(address.path)
        if end:
            yield _problem(
                name,
                provider,
                f"the URL of provider {name!r} ends in {end[0]}, the path of one request",
                f"remove {end[0]}: the path of each request is appended",
            )
        elif provider.type == "ollama" and address.path.endswith(("/v1", "/api")):
            path = address.path[address.path.rindex("/") :]
            yield _problem(
                name,
                provider,
                f"the URL of provider {name!r}, of type ollama, ends in {path}",
                f"remove {path}: Ollama's own protocol begins at the root",
            )


@rule("unencrypted-key", group=PROVIDER_URL.id, severity=Severity.WARNING)
def find_unencrypted_keys(backend: Backend) -> Iterator[Problem]:
    """A key is sent over http to a server outside the local network.

    Whoever is on the way reads it. Use https.
    """
    for name, provider, address in _addresses(backend):
        if (
            address.scheme == "http"
            and not address.is_private
            and (provider.requires_api_key or provider.env_var)
        ):
            yield _problem(
                name,
                provider,
                f"the key of provider {name!r} is sent to {address.host} without encryption",
                "use https://",
                always=True,
            )
