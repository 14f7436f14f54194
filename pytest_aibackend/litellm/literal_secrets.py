"""Secrets that stand in the sources themselves: they must not be copied into the gateway's file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pytest_aibackend.findings import Path, Problem
from pytest_aibackend.sources.backend import FILES, Backend
from pytest_aibackend.sources.models import Passthrough
from pytest_aibackend.sources.references import REFERENCE
from pytest_aibackend.sources.secrets import is_placeholder, is_secret_key

__all__ = ["literal_secrets", "urls_with_credentials"]

_SECTIONS = ("litellm_settings", "router_settings", "general_settings", "environment_variables")


def literal_secrets(backend: Backend) -> Iterator[Problem]:
    """Yield each setting, and each value passed through, that is the secret itself and not its variable."""
    for role, start, value in _places(backend):
        for path, key in _secrets(value, start):
            yield Problem(
                source=role,
                path=path,
                message=f"{'.'.join(str(step) for step in path)} holds the secret itself",
                hint=f"write {key}: os.environ/NAME, set that variable, and make a new secret",
                subject=FILES[role],
            )


def _places(backend: Backend) -> Iterator[tuple[str, Path, Any]]:
    """Yield what goes to LiteLLM as it is written."""
    for section in _SECTIONS:
        yield "gateway", (section,), getattr(backend.gateway, section)
    carried = backend.gateway.passthrough
    yield "gateway", ("passthrough", "model_list"), carried.model_list
    yield "gateway", ("passthrough", "sections"), carried.sections
    for role, path, deployment in _carried(backend):
        for key in ("litellm_params", "model_info"):
            yield role, (*path, "passthrough", key), getattr(deployment, key)


def _carried(backend: Backend) -> Iterator[tuple[str, Path, Passthrough]]:
    for name, provider in backend.providers.items():
        yield "providers", ("providers", name), provider.passthrough
        for place, model in enumerate(provider.models):
            yield "providers", ("providers", name, "models", place), model.passthrough
    for name, route in backend.mappings.exact_matches.items():
        yield "model-mappings", ("exact_matches", name), route.passthrough
    for name, group in backend.mappings.load_balancing.items():
        for place, member in enumerate(group.providers):
            yield "model-mappings", ("load_balancing", name, "providers", place), member.passthrough


def urls_with_credentials(backend: Backend) -> list[str]:
    """Return the names of the providers whose URL carries a user or a password."""
    return [name for name, provider in backend.providers.items() if _has_userinfo(provider.base_url)]


def _secrets(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and item and is_secret_key(key) and REFERENCE not in item:
                if not (key == "api_key" and is_placeholder(item)):
                    yield (*path, key), str(key)
            else:
                yield from _secrets(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, (*path, index))


def _has_userinfo(url: str) -> bool:
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return "@" in url
