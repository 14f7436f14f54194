"""Network in, observations out. Knows nothing of pytest, of rules, or of the configuration.

`run_probes` asks every target at once, within one time budget. Importing this package imports nothing
else: rules take the kinds of answers from `probes.state` in every run, and only a live run needs more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import (
        CompletionObservation,
        EndpointAnswer,
        GatewayObservation,
        GroupsAnswer,
        KeyPrefix,
        Listener,
        NamespaceProbe,
        Observations,
        PortObservation,
        ProviderObservation,
        RedisClient,
        RedisObservation,
    )
    from pytest_aibackend.probes.run import run_probes
    from pytest_aibackend.probes.state import State
    from pytest_aibackend.probes.targets import (
        GatewayTarget,
        PortTarget,
        ProbeTargets,
        ProviderTarget,
        RedisTarget,
    )

__all__ = [
    "CompletionObservation",
    "EndpointAnswer",
    "GatewayObservation",
    "GatewayTarget",
    "GroupsAnswer",
    "KeyPrefix",
    "Listener",
    "NamespaceProbe",
    "Observations",
    "PortObservation",
    "PortTarget",
    "ProbeTargets",
    "ProviderObservation",
    "ProviderTarget",
    "RedisClient",
    "RedisObservation",
    "RedisTarget",
    "State",
    "run_probes",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for from the module that defines it."""
    if name in __all__:
        for module in ("state", "targets", "observations", "run"):
            found = import_module(f"{__name__}.{module}")
            if hasattr(found, name):
                return getattr(found, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
