"""Check 5: a provider that asks for a key says where the key is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Problem
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.models import Provider

__all__: list[str] = []

_CLOUD_TYPES: Final = ("openai", "anthropic")


def _needs_key(provider: Provider) -> bool:
    if provider.requires_api_key:
        return True
    address = address_of(provider.base_url)
    stands_in = "requires_api_key" in provider.model_fields_set and address is not None and address.is_private
    return provider.type in _CLOUD_TYPES and not stands_in


def _with_key(backend: Backend) -> list[str]:
    return [
        name
        for name, each in backend.providers.items()
        if each.is_active and (_needs_key(each) or each.env_var)
    ]


PROVIDER_KEY = declare_group(
    Group(id="provider-key", check=5, noun="provider", needs=("providers",), subjects=_with_key)
)


@rule("key-without-variable", group=PROVIDER_KEY.id)
def find_keys_without_variable(backend: Backend) -> Iterator[Problem]:
    """An active provider needs a key, and no environment variable is named that holds it.

    The gateway would send requests without a key, and each is refused. Name the variable in `env_var`;
    the key itself stays in the environment. A server of one's own that speaks OpenAI's protocol and
    wants no key says `requires_api_key: false`.
    """
    for name, provider in backend.providers.items():
        if not (provider.is_active and _needs_key(provider)) or provider.env_var:
            continue
        if backend.sources["providers"].data["providers"][name].get("env_var") is not None:
            continue  # there is one, and its form is reported
        reason = "says requires_api_key" if provider.requires_api_key else f"is of type {provider.type}"
        variable = _variable(name)
        yield Problem(
            source="providers",
            path=("providers", name, "requires_api_key")
            if provider.requires_api_key
            else ("providers", name),
            message=f"provider {name!r} {reason}, and no env_var names its key",
            hint=f"add env_var: {variable}, and set {variable} in the gateway's environment",
            subject=name,
        )


def _variable(name: str) -> str:
    letters = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.upper())
    letters = letters.removesuffix("_API_KEY")
    return f"{'_' if letters[:1].isdigit() else ''}{letters}_API_KEY"
