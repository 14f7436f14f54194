"""Check 5: the providers' URLs agree with the port registry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.rules.services import folded, gateway_service
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.models import PortEntry, Provider

__all__ = ["foreign_ports"]

_OWN_SERVERS: Final = ("ollama", "llama_cpp", "vllm")
_NO_MARK: Final = frozenset(
    {"server", "service", "local", "main", "model", "models", "the", "and", "for", "http"}
)


def _local_ports(backend: Backend) -> dict[str, int]:
    """Return the port of each provider of this machine that is more than a template."""
    found = {}
    for name, provider in backend.providers.items():
        address = address_of(provider.base_url) if provider.status in ("active", "disabled") else None
        if address is not None and address.is_loopback:
            found[name] = address.port
    return found


PROVIDER_PORT = declare_group(
    Group(id="provider-port", check=5, noun="provider", needs=("providers", "ports"), subjects=_local_ports)
)


def _problem(backend: Backend, name: str, message: str, hint: str) -> Problem:
    severity = None if backend.providers[name].is_active else Severity.WARNING
    return Problem(
        source="providers",
        path=("providers", name, "base_url"),
        message=message,
        hint=hint,
        subject=name,
        severity=severity,
    )


@rule("unregistered-port", group=PROVIDER_PORT.id)
def find_unregistered_ports(backend: Backend) -> Iterator[Problem]:
    """A provider on this machine uses a port that belongs to no service, or is only reserved.

    Either the URL is wrong and every request fails, or the registry does not know the service and will
    one day give its port to another. Mend the URL, or register the service in `ports.yaml`.
    """
    by_port = {entry.port for entry in backend.ports.values()}
    reserved = {entry.port: name for name, entry in backend.reserved.items()}
    own = _own_services(backend)
    unsound = _unsound_services(backend)
    for name, port in _local_ports(backend).items():
        if port in by_port or folded(name) in unsound:
            continue
        service = own.get(folded(name))
        what = f"which is reserved for {reserved[port]!r}" if port in reserved else "which no service has"
        fact = f"provider {name!r} is at port {port}, {what}"
        if service:
            registered = backend.ports[service].port
            yield _problem(
                backend,
                name,
                f"{fact}; its service {service!r} has port {registered}",
                f"write port {registered} in base_url, or change it in ports.yaml",
            )
        else:
            yield _problem(backend, name, fact, "mend base_url, or register the service in ports.yaml")


@rule("foreign-port", group=PROVIDER_PORT.id)
def find_foreign_ports(backend: Backend) -> Iterator[Problem]:
    """A provider's URL has the port of another service.

    Its requests go to a server that does not know its models, and may be answered with something that
    looks right. Write the port of its own service.
    """
    own = _own_services(backend)
    for name, service in foreign_ports(backend).items():
        mine = own.get(folded(name))
        port = backend.ports[service].port
        fact = f"provider {name!r} is at port {port}, which belongs to service {service!r}"
        hint = "mend base_url, or register the provider's service in ports.yaml"
        if mine is not None:
            registered = backend.ports[mine].port
            fact, hint = f"{fact}; {mine!r} has port {registered}", f"write port {registered} in base_url"
        yield _problem(backend, name, fact, hint)


def foreign_ports(backend: Backend) -> dict[str, str]:
    """Return the providers whose port belongs to another service, and that service."""
    by_port: dict[int, str] = {}
    for service, entry in backend.ports.items():
        by_port.setdefault(entry.port, service)
    shared = {entry.port for service, entry in backend.ports.items() if by_port[entry.port] != service}
    own = _own_services(backend)
    gateway = gateway_service(backend)
    others = {folded(name) for name in backend.providers}
    found = {}
    for name, port in _local_ports(backend).items():
        if port not in by_port or port in shared:  # two services on one port: check 6
            continue
        holder, mine = by_port[port], own.get(folded(name))
        if mine is not None:
            is_foreign = backend.ports[mine].port != port
        else:
            provider = backend.providers[name]
            # One server may speak two protocols; and a disabled provider may take turns with another.
            is_taken = folded(holder) in others and provider.is_active and provider.type in _OWN_SERVERS
            is_foreign = is_taken or backend.ports[holder].protocol == "tcp" or holder == gateway
            is_foreign = is_foreign or not _fits(name, provider, holder, backend.ports[holder])
        if is_foreign:
            found[name] = holder
    return found


def _own_services(backend: Backend) -> Mapping[str, str]:
    return {folded(service): service for service in backend.ports}


def _unsound_services(backend: Backend) -> frozenset[str]:
    """Return the services that have errors of their own, so that their ports are not known."""
    data = backend.sources["ports"].data
    return frozenset(folded(str(name)) for name in data if name not in backend.ports)


def _fits(name: str, provider: Provider, service: str, entry: PortEntry) -> bool:
    """Say whether a service may be this provider's although it has another name."""
    if provider.type not in _OWN_SERVERS:
        return True
    marks = _marks(f"{name} {provider.type}")
    return bool(marks & _marks(f"{service} {entry.service or ''} {entry.description or ''}"))


def _marks(text: str) -> set[str]:
    words = re.split(r"[^a-z0-9]+", text.casefold().replace("llama.cpp", "llama_cpp llamacpp"))
    return {word for word in words if len(word) >= 3 and word not in _NO_MARK}
