"""A canary that is kept: LiteLLM is loaded once for many candidates, anew when its surroundings change."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from pytest_aibackend.deploy.canary.client import Canary, find_litellm
from pytest_aibackend.deploy.service import ServiceError
from pytest_aibackend.deploy.site import Site

__all__ = ["WarmCanary"]


class WarmCanary:
    """A canary for one site after the other; a context manager."""

    def __init__(self) -> None:
        self._canary: Canary | None = None
        self._kept_for: tuple[str, Mapping[str, str]] | None = None
        self._found: dict[str | None, str | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def of(self, site: Site) -> Canary | None:
        """Return a canary for this site, loaded or being loaded; None where LiteLLM is not installed."""
        python = self._python(site.backend.gateway.deploy.python)
        if python is None:
            self.close()
            return None
        if self._canary is not None and self._kept_for is not None and self._is_same(site, python):
            self._canary.start()  # if it has died meanwhile
            return self._canary
        self.close()
        environment = dict(site.own_environment())
        self._canary = Canary(python, environment, directory=site.target.parent)
        self._kept_for = python, environment
        self._canary.start()
        return self._canary

    def close(self) -> None:
        """End LiteLLM."""
        canary, self._canary = self._canary, None
        if canary is not None:
            canary.close()

    def _is_same(self, site: Site, python: str) -> bool:
        assert self._kept_for is not None
        kept_python, kept_environment = self._kept_for
        try:
            environment = site.service.environment()
        except ServiceError:
            environment = None
        # Of a gateway that does not run just now nothing is known: what it had will do.
        return python == kept_python and environment in (None, kept_environment)

    def _python(self, named: str | None) -> str | None:
        """Return the interpreter with LiteLLM; one without is looked at each time, it may be installed."""
        if self._found.get(named) is None:
            self._found[named] = find_litellm(named)
        return self._found[named]
