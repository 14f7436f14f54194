"""Ports: where the services of the machine listen, as `ports.yaml` registers them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.listed import Listing, in_both, only_in, other_names
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.sources.models import PortEntry

__all__ = [
    "port_added",
    "port_moved",
    "port_protocol_changed",
    "port_removed",
    "port_renamed",
    "port_required_changed",
]

_PORTS: Final[Listing[PortEntry]] = Listing(lambda sources: sources.ports, ("port", "protocol", "required"))


@change_rule("port-moved", classes=(ChangeClass.BREAKING,))
def port_moved(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A service listens on another port.

    Whoever has the old one written down no longer finds it: clients, firewalls, units, health checks.
    """
    for name, before, after in in_both(old, new, _PORTS):
        if before.port != after.port:
            yield Said(
                subject=name,
                message=f"the port of {name!r} was {before.port}, is {after.port}",
                notice=f"A connection to port {before.port} is refused, or reaches another service.",
            )


@change_rule("port-removed", kind=ChangeKind.REMOVED, classes=(ChangeClass.INFO,), opposite="port-added")
def port_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A service is gone from the registry of ports.

    Its port is free for others; the checks no longer look at it.
    """
    for name, entry in only_in(old, new, _PORTS):
        yield Said(
            subject=name,
            message=f"port {entry.port} of {name!r} is no longer registered",
            notice="Nothing, unless the service is stopped, too.",
        )


@change_rule("port-added", kind=ChangeKind.ADDED, classes=(ChangeClass.INFO,), opposite="port-removed")
def port_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A service is new in the registry of ports.

    The checks look at it from now on.
    """
    for name, entry in only_in(new, old, _PORTS):
        yield Said(
            subject=name,
            message=f"port {entry.port} is registered for {name!r}",
            notice="Nothing by itself.",
        )


@change_rule("port-renamed", classes=(ChangeClass.INFO,))
def port_renamed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A service has another name in the registry of ports, and listens where it did.

    Names in the registry are the sources' own: nobody who connects sees them.
    """
    for was, name in other_names(old, new, _PORTS).items():
        yield Said(subject=was, message=f"{was!r} is called {name!r} in ports.yaml now", notice="Nothing.")


@change_rule("port-protocol-changed", classes=(ChangeClass.INFO,))
def port_protocol_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A service speaks another protocol on its port.

    The checks ask it differently.
    """
    for name, before, after in in_both(old, new, _PORTS):
        if before.protocol != after.protocol:
            yield Said(
                subject=name,
                message=f"{name!r} spoke {before.protocol}, speaks {after.protocol}",
                notice="Nothing, unless the service changes, too.",
            )


@change_rule("port-required-changed", classes=(ChangeClass.INFO,))
def port_required_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A service must run for the machine to be well, or no longer must.

    The live checks fail or warn when it is silent.
    """
    for name, before, after in in_both(old, new, _PORTS):
        if before.required != after.required:
            words = ("is required", "was not") if after.required else ("is no longer required", "was")
            yield Said(
                subject=name,
                message=f"{name!r} {words[0]}; it {words[1]} before",
                notice="Nothing: the live checks judge it differently.",
            )
