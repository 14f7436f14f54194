"""Check 6, its offline half: one port, one service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Path, Problem, Severity
from pytest_aibackend.rules.provider_ports import foreign_ports
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.addresses import Address, address_of
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.wording import listed

__all__: list[str] = []

_SERVERS: Final = ("ollama", "llama_cpp", "vllm")


def _claims(backend: Backend) -> dict[int, list[tuple[str, Path]]]:
    claims: dict[int, list[tuple[str, Path]]] = {}
    for name, entry in backend.ports.items():
        claims.setdefault(entry.port, []).append((name, (name, "port")))
    for name, reserved in backend.reserved.items():
        claims.setdefault(reserved.port, []).append((f"{name} (reserved)", ("reserved", name, "port")))
    return claims


def _addresses(backend: Backend) -> dict[str, list[tuple[str, Address]]]:
    """Return the active providers at each address of this machine or its network."""
    found: dict[str, list[tuple[str, Address]]] = {}
    for name, provider in backend.providers.items():
        address = address_of(provider.base_url) if provider.is_active else None
        if address is not None and address.is_private:
            host, port = address.endpoint
            found.setdefault(f"{host}:{port}", []).append((name, address))
    return found


PORT_CONFLICT = declare_group(
    Group(
        id="port-conflict",
        check=6,
        noun="port",
        needs=("ports",),
        subjects=lambda b: [str(port) for port in sorted(_claims(b))],
    )
)
PROVIDER_ADDRESS = declare_group(
    Group(id="provider-address", check=6, noun="address", needs=("providers",), subjects=_addresses)
)


@rule("port-conflict", group=PORT_CONFLICT.id)
def find_port_conflicts(backend: Backend) -> Iterator[Problem]:
    """Two services, or a service and a reservation, have the same port.

    The one that starts second fails, or worse, the clients of one talk to the other. Give each its own
    port.
    """
    for port, claims in _claims(backend).items():
        if len(claims) > 1:
            yield Problem(
                source="ports",
                path=claims[1][1],
                subject=str(port),
                message=f"port {port} is claimed by {listed([name for name, _ in claims])}",
                hint="give each its own port",
            )


@rule("shared-address", group=PROVIDER_ADDRESS.id)
def find_shared_addresses(backend: Backend) -> Iterator[Problem]:
    """Two active providers have the same host and port.

    Two servers of different kinds cannot listen there both: one of the URLs is wrong. Of the same kind
    it is a warning: they can be one server under two names, whose requests then count twice.
    """
    # A provider at the port of another's service is reported there.
    astray = foreign_ports(backend) if backend.is_loaded("ports") else {}
    for text, every in _addresses(backend).items():
        holders = [holder for holder in every if holder[0] not in astray]
        if len(holders) < 2:
            continue
        first, _ = holders[0]
        kind = backend.providers[first].type
        for name, address in holders[1:]:
            other = backend.providers[name].type
            differ = other != kind
            same_path = address.path == holders[0][1].path
            if (differ and not (kind in _SERVERS and other in _SERVERS)) or not (differ or same_path):
                continue  # one server may speak two protocols, or serve two paths
            kinds = f"{first!r} ({kind}) and {name!r} ({other})" if differ else f"{first!r} and {name!r}"
            yield Problem(
                source="providers",
                path=("providers", name, "base_url"),
                subject=text,
                message=f"providers {kinds} have the same address {text}",
                hint=f"mend the URL of one of them{'' if differ else ', or make them one provider'}",
                severity=None if differ else Severity.WARNING,
            )
