"""Secrets that stand in the sources themselves: they must not be copied into the gateway's file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pytest_aibackend.findings import Path, Problem
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.secrets import is_secret_key

__all__ = ["literal_secrets", "urls_with_credentials"]

_SECTIONS = ("litellm_settings", "router_settings", "general_settings", "environment_variables")


def literal_secrets(backend: Backend) -> Iterator[Problem]:
    """Yield each value in gateway.yaml that is a secret and not a reference to the environment."""
    for section in _SECTIONS:
        for path, key in _secrets(getattr(backend.gateway, section), (section,)):
            yield Problem(
                source="gateway",
                path=path,
                message=f"{'.'.join(str(step) for step in path)} holds the secret itself",
                hint=f"write {key}: os.environ/NAME, set that variable, and make a new secret",
                subject="gateway.yaml",
            )


def urls_with_credentials(backend: Backend) -> list[str]:
    """Return the names of the providers whose URL carries a user or a password."""
    return [name for name, provider in backend.providers.items() if _has_userinfo(provider.base_url)]


def _secrets(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and item and is_secret_key(key) and not item.startswith("os.environ/"):
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
