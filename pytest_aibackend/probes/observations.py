"""What the probes saw: facts, without a judgement and without a secret.

Every class is frozen and turns into plain JSON and back. URLs are redacted before they come here, and
texts never repeat a key: `tests/unit/test_probes_secrets.py` looks for known ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pytest_aibackend.probes.plain import PlainData
from pytest_aibackend.probes.serving import ServingObservation
from pytest_aibackend.probes.state import State

__all__ = [
    "CompletionObservation",
    "EndpointAnswer",
    "GatewayObservation",
    "GroupsAnswer",
    "KeyPrefix",
    "Listener",
    "NamespaceProbe",
    "Observations",
    "PortObservation",
    "ProviderObservation",
    "RedisClient",
    "RedisObservation",
    "State",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderObservation(PlainData):
    """What one provider answered."""

    name: str
    type: str
    url: str  # redacted
    state: State
    detail: str  # one plain sentence that says why this state
    endpoint: str | None = None  # the path whose answer decided the state
    status_code: int | None = None  # of that answer
    latency_s: float | None = None  # the slowest answer of this provider, in seconds
    version: str | None = None
    seems_to_be: str | None = None  # for wrong_service: "vLLM", "Ollama", "an HTML page", ...
    redirect_to: str | None = None  # redacted
    models: tuple[str, ...] | None = None  # what it lists, sorted; None: could not be asked
    missing_models: tuple[str, ...] = ()  # configured, and not listed; only when models is not None
    unlisted_cloud_models: tuple[str, ...] = ()  # configured Ollama cloud models: no local list has them
    loaded_models: tuple[str, ...] | None = None  # Ollama: those in memory now
    health_endpoint_status: int | None = None  # of the configured health_endpoint, when it was asked
    health_endpoint_detail: str | None = None  # why it is no good; None when it is, or was not asked


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointAnswer(PlainData):
    """One answer of one endpoint of the gateway."""

    endpoint: str
    state: State
    detail: str
    status_code: int | None = None
    latency_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupsAnswer(PlainData):
    """One distinct list of model groups, and how many asks were answered with it."""

    groups: tuple[str, ...]  # sorted
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionObservation(PlainData):
    """What one tiny completion through the gateway gave."""

    group: str
    state: State
    detail: str
    status_code: int | None = None
    latency_s: float | None = None
    model: str | None = None  # as the answer names it
    fallbacks: int = 0  # how many fallbacks LiteLLM tried before this answer


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayObservation(PlainData):
    """What the gateway answered."""

    name: str
    url: str  # redacted
    state: State  # of the gateway as a whole: the worst of liveness, readiness and the model list
    detail: str
    liveness: EndpointAnswer
    readiness: EndpointAnswer
    models: EndpointAnswer  # /v1/models with the key: its worst answer
    latency_s: float | None = None  # of the slowest answer, in seconds
    version: str | None = None  # LiteLLM's, from /health/readiness
    database: str | None = None  # as /health/readiness says: "connected", "Not connected", ...
    cache: str | None = None  # as /health/readiness says
    asks: int = 0  # how often /v1/models was asked
    answered: int = 0  # how often it gave a list
    served_groups: tuple[str, ...] | None = None  # the union of all lists; None: never got one
    answers: tuple[GroupsAnswer, ...] = ()  # the distinct lists, the most frequent first
    missing_groups: tuple[str, ...] = ()  # expected, and absent from at least one list
    ghost_groups: tuple[str, ...] = ()  # listed, and not expected
    key_given: bool = False
    key_accepted: bool | None = None  # None: not asked, or no answer
    wrong_key_refused: bool | None = None
    wrong_key_status: int | None = None
    no_key_refused: bool | None = None
    no_key_status: int | None = None
    completions: tuple[CompletionObservation, ...] = ()

    @property
    def workers_disagree(self) -> bool:
        """Tell whether asks met different lists: workers that do not run the same configuration."""
        return len(self.answers) > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class NamespaceProbe(PlainData):
    """What became of the one key that was written inside the namespace."""

    key: str
    written: bool = False
    read_back: bool = False
    expires: bool = False  # it had the life time that was asked for
    expired: bool = False  # it was gone after its time, without being deleted
    removed: bool = False  # nothing of it is left
    detail: str = ""  # what went wrong; empty when all is well


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyPrefix(PlainData):
    """Keys of one kind: everything up to and with the first colon."""

    prefix: str  # "sessions:", or "(no prefix)"
    count: int
    example: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisClient(PlainData):
    """Somebody who is connected."""

    name: str  # CLIENT SETNAME, may be empty
    address: str  # host without port
    db: int
    library: str  # lib-name, may be empty
    user: str
    count: int  # connections that look alike


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisObservation(PlainData):
    """What the cache server answered."""

    name: str
    address: str  # host:port/db
    state: State
    detail: str
    latency_s: float | None = None
    server: str | None = None  # "redis" or "valkey"
    version: str | None = None
    role: str | None = None  # "master", "slave"
    maxmemory: int | None = None  # bytes; 0: no limit
    maxmemory_policy: str | None = None
    used_memory: int | None = None  # bytes
    evicted_keys: int | None = None  # since the server started
    password_required: bool | None = None  # None: not known; False: it lets anybody in
    namespace: str | None = None
    namespace_probe: NamespaceProbe | None = None
    total_keys: int | None = None  # in this database
    keys_scanned: int = 0
    scan_complete: bool = False  # every key of the database was looked at
    keys_in_namespace: int | None = None  # among those looked at
    own_keys_outside: int | None = None  # keys that LiteLLM names so, outside the namespace
    own_keys_outside_examples: tuple[str, ...] = ()
    foreign_prefixes: tuple[KeyPrefix, ...] = ()  # the others, the most frequent first
    other_databases: tuple[tuple[int, int], ...] = ()  # number and keys of those that are not empty
    clients: tuple[RedisClient, ...] | None = None  # without our own; None: not allowed to ask


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener(PlainData):
    """One socket that listens."""

    address: str  # "127.0.0.1", "0.0.0.0", "::"
    pid: int | None = None  # None: belongs to somebody else, who we may not look at
    process: str | None = None  # the program's name, never its arguments
    user: str | None = None

    @property
    def is_on_all_interfaces(self) -> bool:
        """Tell whether anybody on the network can reach it."""
        return self.address in ("0.0.0.0", "::", "*")  # noqa: S104  # compared with, not bound to

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach it."""
        return self.address.startswith("127.") or self.address in ("::1", "::ffff:127.0.0.1")


@dataclass(frozen=True, kw_only=True, slots=True)
class PortObservation(PlainData):
    """Who listens on one port."""

    name: str
    port: int
    protocol: str
    state: State  # ok: a connection is accepted
    detail: str
    reachable: bool
    listeners: tuple[Listener, ...] | None = None  # None: this system does not tell us
    latency_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Observations(PlainData):
    """All that one run of the probes saw, in the order of its targets."""

    providers: tuple[ProviderObservation, ...] = ()
    gateways: tuple[GatewayObservation, ...] = ()
    redis: tuple[RedisObservation, ...] = ()
    ports: tuple[PortObservation, ...] = ()
    serving: ServingObservation | None = None  # None: not looked at
    duration_s: float = 0.0
    timeout_s: float = 0.0

    def provider(self, name: str) -> ProviderObservation:
        """Return the observation of this provider. Raises KeyError for one that was not probed."""
        return _by_name(self.providers, name)

    def gateway(self, name: str = "gateway") -> GatewayObservation:
        """Return the observation of this gateway. Raises KeyError for one that was not probed."""
        return _by_name(self.gateways, name)

    def cache(self, name: str = "redis") -> RedisObservation:
        """Return the observation of this Redis. Raises KeyError for one that was not probed."""
        return _by_name(self.redis, name)

    def port(self, name: str) -> PortObservation:
        """Return the observation of this port. Raises KeyError for one that was not probed."""
        return _by_name(self.ports, name)


_Named = TypeVar("_Named", ProviderObservation, GatewayObservation, RedisObservation, PortObservation)


def _by_name(observed: tuple[_Named, ...], name: str) -> _Named:
    for one in observed:
        if one.name == name:
            return one
    raise KeyError(name)
