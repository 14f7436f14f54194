"""What every way of signalling the gateway has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Service", "ServiceError", "ServiceState"]


class ServiceError(Exception):
    """The service cannot be asked or signalled; the text says what was tried, what came back, what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceState:
    """Whether the gateway's main process runs."""

    running: bool
    pid: int | None
    detail: str  # for people: how it runs, or why it does not


class Service(Protocol):
    """One gateway, as its service manager sees it."""

    @property
    def label(self) -> str:
        """Return what people call it: a unit, a pid file."""

    @property
    def can_signal(self) -> bool:
        """Say whether there is anything to signal at all."""

    def state(self) -> ServiceState:
        """Return whether it runs; raises ServiceError when that cannot be found out."""

    def environment(self) -> dict[str, str] | None:
        """Return the environment of the running gateway, else the one it would get; None if unknown.

        It holds secrets: never print it.
        """

    def reload(self) -> None:
        """Tell it to load its file; raises ServiceError."""

    def restart(self) -> None:
        """Start it anew; raises ServiceError."""
