"""What to probe. Plain values only: no configuration objects, nothing that needs a network."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from pytest_aibackend.probes.redact import redact_url

__all__ = [
    "GatewayTarget",
    "PortTarget",
    "ProbeTargets",
    "ProviderTarget",
    "RedisTarget",
    "ServingTarget",
]


class _ShownRedacted:
    """A repr without the fields that hold secrets, and without the user info of URLs."""

    __slots__ = ()

    def __repr__(self) -> str:
        shown = [
            f"{each.name}={redact_url(value) if each.name.endswith('url') else value!r}"
            for each in fields(self)  # type: ignore[arg-type]  # only dataclasses inherit from here
            if each.repr and (value := getattr(self, each.name)) is not None
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class ProviderTarget(_ShownRedacted):
    """One provider: an Ollama, llama.cpp, vLLM, OpenAI-like or Anthropic server."""

    name: str  # as in providers.yaml
    type: str  # ollama | llama_cpp | vllm | openai | anthropic | openai_compatible
    base_url: str  # with or without /v1 at its end; user info in it is used, and never reported
    health_endpoint: str | None = None  # a path asked in addition to those of the protocol
    api_key: str | None = field(default=None, repr=False)
    models: tuple[str, ...] = ()  # the configured models, as the provider calls them


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class GatewayTarget(_ShownRedacted):
    """One LiteLLM proxy, and the model groups that it ought to serve."""

    url: str
    name: str = "gateway"
    api_key: str | None = field(default=None, repr=False)  # the master key, or a key for /v1/models
    expected_groups: tuple[str, ...] | None = None  # None: nothing to compare with
    asks: int = 12  # how often /v1/models is asked, each on a connection of its own, to meet every worker
    completions: bool = False  # one completion of one token per model group: makes a provider work
    completion_groups: tuple[str, ...] | None = None  # None: the expected groups without a wildcard


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisTarget:
    """One Redis or Valkey, and the namespace that the gateway keeps its keys in."""

    name: str = "redis"
    host: str = "127.0.0.1"
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ssl: bool = False
    ssl_verify: bool = True
    namespace: str | None = None  # cache_params.namespace; None or empty: the gateway uses none
    write_probe: bool = True  # write, read, expire and remove one key inside the namespace
    scan_limit: int = 20_000  # keys looked at, at most, when asking who else lives there


@dataclass(frozen=True, kw_only=True, slots=True)
class PortTarget:
    """One registered port of this machine."""

    name: str
    port: int
    protocol: str = "tcp"  # http | tcp
    required: bool = False
    host: str = "127.0.0.1"  # where to knock


@dataclass(frozen=True, kw_only=True, slots=True)
class ServingTarget:
    """The state directory that a gateway of ours writes its notes into, and the file deployed for it."""

    state_dir: Path
    file: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTargets:
    """Everything that one run probes."""

    providers: tuple[ProviderTarget, ...] = ()
    gateways: tuple[GatewayTarget, ...] = ()
    redis: tuple[RedisTarget, ...] = ()
    ports: tuple[PortTarget, ...] = ()
    serving: ServingTarget | None = None
