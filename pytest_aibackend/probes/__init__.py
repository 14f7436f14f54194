"""Network in, observations out. Knows nothing of pytest, of rules, or of the configuration.

`run_probes` asks every target at once, within one time budget. Importing this package imports no network
library: httpx, redis and psutil are imported when a probe runs.
"""

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
    State,
)
from pytest_aibackend.probes.run import run_probes
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
