"""The shape of the four source files, as pydantic models.

The models say what a key means and which type it has; what happens to a key that they do not know
(a typo is an error, anything else a warning) is decided in `schema.py`, which is why every model
keeps its extra keys instead of forbidding them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "CAPABILITY_STRATEGIES",
    "PROVIDER_TYPES",
    "Capability",
    "Chain",
    "Deploy",
    "ExactMatch",
    "GatewayFile",
    "GatewayPassthrough",
    "HealthChecks",
    "LoadBalancing",
    "LoadBalancingMember",
    "Model",
    "ModelMappingsFile",
    "Passthrough",
    "Pattern",
    "PortEntry",
    "PortsFile",
    "Provider",
    "ProvidersFile",
    "RateLimits",
    "ReservedPort",
    "Retention",
    "RoutingRules",
    "ServiceManager",
]

ProviderType = Literal["ollama", "llama_cpp", "vllm", "openai", "anthropic", "openai_compatible"]
ProviderStatus = Literal["active", "disabled", "pending_integration", "template"]
ModelMode = Literal[
    "chat",
    "completion",
    "embedding",
    "image_generation",
    "audio_transcription",
    "audio_speech",
    "moderation",
    "rerank",
    "responses",
]
PROVIDER_TYPES: tuple[str, ...] = ("ollama", "llama_cpp", "vllm", "openai", "anthropic", "openai_compatible")
CAPABILITY_STRATEGIES: tuple[str, ...] = ("direct", "ordered")

Positive = Annotated[int, Field(gt=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]


class Source(BaseModel):
    """What all source models share: immutable, extra keys kept, no input in error texts."""

    model_config = ConfigDict(
        frozen=True, extra="allow", hide_input_in_errors=True, protected_namespaces=(), defer_build=True
    )


def _named(value: Any) -> Any:
    """Let a model be written as its bare name."""
    return {"name": value} if isinstance(value, str) else value


class Passthrough(Source):
    """What a deployment gets in LiteLLM's own words, after all else; null takes a key away."""

    litellm_params: dict[str, Any] = {}
    model_info: dict[str, Any] = {}
    notes: Any = None


class RateLimits(Source):
    """Limits that become `rpm` and `tpm` of each deployment of the provider."""

    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    details: str | None = None


class Model(Source):
    """One model that a provider serves."""

    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    size: str | None = None
    quantization: str | None = None
    context_length: Positive | None = None
    specialty: str | None = None
    mode: ModelMode | None = None
    tags: list[str] = []
    options: dict[str, Any] = {}
    rpm: Positive | None = None
    tpm: Positive | None = None
    max_parallel_requests: Positive | None = None
    timeout_seconds: PositiveNumber | None = None
    passthrough: Passthrough = Passthrough()
    notes: Any = None
    pulled_at: Any = None
    model_size_gb: PositiveNumber | None = None
    kv_cache_available_gb: PositiveNumber | None = None


class Provider(Source):
    """One server, or one account at a cloud, that answers requests for its models."""

    type: ProviderType
    base_url: str
    status: ProviderStatus = "active"
    required: bool = False
    description: str | None = None
    models: list[Annotated[Model, BeforeValidator(_named)]] = []
    health_endpoint: Annotated[str, Field(pattern="^/")] | None = None
    requires_api_key: bool = False
    env_var: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    rate_limits: RateLimits = RateLimits()
    features: list[str] = []
    configuration: dict[str, Any] = {}
    docs: str | None = None
    location: str | None = None
    service_file: str | None = None
    api_format: str | None = None
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = None
    max_model_len: Positive | None = None
    hardware_requirements: dict[str, Any] = {}
    cost_per_1k_tokens: dict[str, float] = {}
    passthrough: Passthrough = Passthrough()
    notes: Any = None
    metadata: Any = None

    @property
    def is_active(self) -> bool:
        """Say whether the gateway sends requests to this provider."""
        return self.status == "active"

    @property
    def model_names(self) -> tuple[str, ...]:
        """Return the names of the provider's models, in file order."""
        return tuple(model.name for model in self.models)


class HealthChecks(Source):
    """Where the providers' health endpoints are, as other tools read them."""

    enabled: bool = True
    interval_seconds: PositiveNumber | None = None
    timeout_seconds: PositiveNumber | None = None
    retry_attempts: Annotated[int, Field(ge=0)] | None = None
    endpoints: dict[str, str] = {}


class ProvidersFile(Source):
    """`providers.yaml`."""

    providers: dict[str, Provider] = {}
    health_checks: HealthChecks = HealthChecks()
    metadata: Any = None
    notes: Any = None


class ExactMatch(Source):
    """A route: the name that a client asks for, and the deployment that answers it."""

    provider: str
    backend_model: str | None = None
    priority: Literal["primary", "secondary", "tertiary"] = "primary"
    fallback: str | None = None
    passthrough: Passthrough = Passthrough()
    description: str | None = None
    notes: Any = None


class Pattern(Source):
    """A route for all names that match a regular expression."""

    pattern: str
    provider: str
    fallback: str | None = None
    description: str | None = None
    notes: Any = None


class Capability(Source):
    """A name for what a client wants, answered by the first usable of several models."""

    description: str | None = None
    preferred_models: list[str] = []
    provider: str | None = None
    fallback: str | None = None
    min_model_size: str | None = None
    min_context: Positive | None = None
    routing_strategy: str | None = None
    complexity_thresholds: dict[str, str] = {}
    context_thresholds: dict[str, str] = {}
    notes: Any = None


class LoadBalancingMember(Source):
    """One deployment of a load-balanced model group; without weight (null), LiteLLM looks at rpm and tpm."""

    provider: str
    weight: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] | None = 1.0
    model: str | None = None
    preferred_model: str | None = None
    condition: str | None = None
    passthrough: Passthrough = Passthrough()
    notes: Any = None


class LoadBalancing(Source):
    """A model group that several providers answer, by weight."""

    providers: list[LoadBalancingMember] = []
    strategy: str | None = None
    description: str | None = None
    parameters: dict[str, Any] = {}
    notes: Any = None


def _chain(value: Any) -> Any:
    """Let a chain be written as its bare list of model groups."""
    return {"chain": value} if isinstance(value, list) else value


class Chain(Source):
    """Which model groups are tried, in order, when one fails."""

    chain: list[str]
    description: str | None = None
    tier: str | None = None
    notes: Any = None


class RoutingRules(Source):
    """What happens to a request that no route names."""

    default_provider: str | None = None
    default_fallback: str | None = None
    request_metadata_routing: dict[str, Any] = {}
    model_size_routing: list[Any] = []
    notes: Any = None


class ModelMappingsFile(Source):
    """`model-mappings.yaml`."""

    exact_matches: dict[str, ExactMatch] = {}
    patterns: list[Pattern] = []
    capabilities: dict[str, Capability] = {}
    load_balancing: dict[str, LoadBalancing] = {}
    fallback_chains: dict[str, Annotated[Chain, BeforeValidator(_chain)]] = {}
    routing_rules: RoutingRules = RoutingRules()
    special_cases: dict[str, dict[str, Any]] = {}
    metadata: Any = None
    notes: Any = None


class PortEntry(Source):
    """One service of the machine and the port it listens on."""

    port: Port
    protocol: Literal["http", "tcp"] = "http"
    required: bool = False
    service: str | None = None
    description: str | None = None
    health_check: str | None = None
    depends_on: list[str] = []
    range: str | None = None
    notes: Any = None
    metadata: Any = None


class ReservedPort(Source):
    """A port kept free for a service to come."""

    port: Port
    description: str | None = None
    notes: Any = None


class PortsFile(Source):
    """`ports.yaml`: the services stand at the top of the file, beside its sections."""

    services: dict[str, PortEntry] = {}
    reserved: dict[str, ReservedPort] = {}
    ranges: dict[str, str] = {}
    metadata: Any = None
    notes: Any = None


_LONGEST_NAME: Final = 255  # bytes, in the usual file systems


def _usable(path: str) -> str:
    """Refuse what the system can take for no path: a NUL, a name too long, or the home of nobody."""
    if "\0" in path:
        raise ValueError("a path holds no NUL")
    if any(len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME for name in path.split("/")):
        raise ValueError(f"a name in a path has at most {_LONGEST_NAME} bytes")
    try:
        Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return path


UsablePath = Annotated[str, AfterValidator(_usable)]


class Retention(Source):
    """How many backups are kept: the newest, and the newest of each day and of each ISO week."""

    recent: Annotated[int, Field(ge=1)] = 10
    daily: Annotated[int, Field(ge=0)] = 7
    weekly: Annotated[int, Field(ge=0)] = 4


class ServiceManager(Source):
    """Who starts and reloads the gateway."""

    kind: Literal["systemd-user", "systemd", "pidfile", "none"] = "none"
    name: str | None = None
    pidfile: UsablePath | None = None


class Deploy(Source):
    """Where the generated file goes, and how the gateway takes it up. Paths are relative to the file.

    `workers` is how many processes `aibackend serve` runs; `python` the interpreter that LiteLLM is installed
    for, where that is not ours.
    """

    path: UsablePath = "litellm-unified.yaml"
    backup_dir: UsablePath = "backups"
    state_dir: UsablePath = ".aibackend/deploy"
    retention: Retention = Retention()
    service: ServiceManager = ServiceManager()
    url: str = "http://127.0.0.1:4000"
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    python: str | None = None


class GatewayPassthrough(Source):
    """What the sources have no place for: whole deployments and whole sections, as LiteLLM reads them."""

    model_list: list[dict[str, Any]] = []
    sections: dict[str, Any] = {}
    notes: Any = None


class GatewayFile(Source):
    """`gateway.yaml`: LiteLLM's own settings, passed through, and how they are deployed."""

    litellm_settings: dict[str, Any] = {}
    router_settings: dict[str, Any] = {}
    general_settings: dict[str, Any] = {}
    environment_variables: dict[str, Any] = {}
    passthrough: GatewayPassthrough = GatewayPassthrough()
    deploy: Deploy = Deploy()
    metadata: Any = None
    notes: Any = None
