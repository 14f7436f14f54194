"""Check 4: the health checks of the port registry ask the right server, and cost nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.ports_schema import PORT_SCHEMA
from pytest_aibackend.rules.registry import rule
from pytest_aibackend.rules.services import gateway_service
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.backend import Backend

__all__: list[str] = []

_URL: Final = re.compile(r"https?://[^\s\"'|;&<>]+", re.IGNORECASE)
_REDIS_PORT: Final = re.compile(r"\b(?:redis|valkey)-cli\b[^|;&]*?\s-p\s*(\d{1,5})\b")
_LOOPBACK_HOST: Final = re.compile(r"\s-h\s+(?!localhost\b|127\.|::1)")


def _asked_ports(command: str) -> set[int]:
    """Return the ports of this machine that a health check asks."""
    addresses = (address_of(url) for url in _URL.findall(command))
    ports = {address.port for address in addresses if address is not None and address.is_loopback}
    if not _LOOPBACK_HOST.search(command):
        ports.update(int(port) for port in _REDIS_PORT.findall(command))
    return ports


@rule("health-check-port", group=PORT_SCHEMA.id)
def find_health_checks_of_other_ports(backend: Backend) -> Iterator[Problem]:
    """The health check of a service asks another port than the service's own.

    It says that one service is well when another is. Give both the same port.
    """
    for name, entry in backend.ports.items():
        ports = _asked_ports(entry.health_check or "")
        if ports and entry.port not in ports:
            asked = " and ".join(str(port) for port in sorted(ports))
            yield Problem(
                source="ports",
                path=(name, "health_check"),
                subject=name,
                message=f"the health check of service {name!r} asks port {asked}, not {entry.port}",
                hint=f"ask port {entry.port}, or mend the service's port",
            )


@rule("billed-health-check", group=PORT_SCHEMA.id, severity=Severity.WARNING)
def find_billed_health_checks(backend: Backend) -> Iterator[Problem]:
    """The health check of the LiteLLM gateway asks `/health`.

    LiteLLM then sends one real request to every deployment: each check loads every model, is billed by
    every cloud, and answers 200 even when all of them are down. `/health/liveliness` asks nobody and
    says that the gateway is alive; `/health/readiness` that it is ready (LiteLLM 1.106, observed).
    """
    gateway = gateway_service(backend)
    if gateway is None:
        return
    for url in _URL.findall(backend.ports[gateway].health_check or ""):
        address = address_of(url)
        if address is not None and address.path == "/health":
            yield Problem(
                source="ports",
                path=(gateway, "health_check"),
                subject=gateway,
                message=f"the health check of {gateway!r} asks /health: LiteLLM then calls every model",
                hint="ask /health/liveliness, which sends none",
            )
            return
