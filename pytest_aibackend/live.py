"""From a configuration to what is probed, and the probing itself: once a run, also with several workers."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from pytest_aibackend.litellm.served import expected_groups
from pytest_aibackend.probes.targets import (
    GatewayTarget,
    PortTarget,
    ProbeTargets,
    ProviderTarget,
    RedisTarget,
    ServingTarget,
)
from pytest_aibackend.rules.redis import redis_params_of
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.references import variable_of

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import Observations

__all__ = ["Seen", "observe", "redis_target", "redis_target_of", "serving_target", "targets_of"]

MASTER_KEY: Final = "LITELLM_MASTER_KEY"


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What a live run knows: the observations, and which variables the environment lacks."""

    observations: Observations
    unset_variables: frozenset[str]


def observe(
    backend: Backend,
    selected: Mapping[str, Iterable[str]],
    *,
    timeout_s: float,
    completions: bool,
    shared: Path | None,
) -> Seen:
    """Probe what the selected live tests need, all at once; with `shared`, only the first process does.

    `selected` holds the subjects of each live group; `timeout_s` is the budget in seconds.
    """
    targets = targets_of(backend, selected, completions=completions)
    unset = frozenset(
        provider.env_var
        for provider in backend.providers.values()
        if provider.is_active and provider.env_var and not os.environ.get(provider.env_var)
    )
    return Seen(observations=_probe_once(targets, timeout_s, shared), unset_variables=unset)


def _probe_once(targets: ProbeTargets, timeout_s: float, shared: Path | None) -> Observations:
    from pytest_aibackend.probes.observations import Observations
    from pytest_aibackend.probes.run import run_probes

    if shared is None:
        return run_probes(targets, timeout_s=timeout_s)
    # The lock ends with its holder: if a worker dies over it, the next one probes.
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = shared / "observations.json"
        if result.exists():
            return Observations.from_json(json.loads(result.read_text(encoding="utf-8")))
        observations = run_probes(targets, timeout_s=timeout_s)
        partial = shared / "observations.partial"
        partial.write_text(json.dumps(observations.to_json()), encoding="utf-8")
        partial.replace(result)
        return observations


def targets_of(
    backend: Backend, selected: Mapping[str, Iterable[str]], *, completions: bool = False
) -> ProbeTargets:
    """Return what to probe for the selected subjects of the live groups."""
    names = set(selected.get("provider-health", ()))
    names |= {subject.partition("/")[0] for subject in selected.get("provider-model", ())}
    providers = tuple(
        _provider_target(backend, name)
        for name, provider in backend.providers.items()
        if name in names and provider.is_active
    )
    is_gateway = "gateway-endpoint" in selected or "gateway-model-group" in selected
    gateways = (_gateway_target(backend, completions=completions),) if is_gateway else ()
    redis = redis_target(backend) if "redis-endpoint" in selected or "redis-namespace" in selected else None
    services = set(selected.get("port-listener", ()))
    ports = tuple(
        PortTarget(name=name, port=entry.port, protocol=entry.protocol, required=entry.required)
        for name, entry in backend.ports.items()
        if name in services
    )
    return ProbeTargets(
        providers=providers,
        gateways=gateways,
        redis=(redis,) if redis else (),
        ports=ports,
        serving=serving_target(backend) if "gateway-endpoint" in selected else None,
    )


def serving_target(backend: Backend) -> ServingTarget:
    """Return where the gateway's own notes are."""
    deploy = backend.gateway.deploy
    return ServingTarget(state_dir=backend.resolve(deploy.state_dir), file=backend.resolve(deploy.path))


def _provider_target(backend: Backend, name: str) -> ProviderTarget:
    provider = backend.providers[name]
    return ProviderTarget(
        name=name,
        type=provider.type,
        base_url=provider.base_url,
        health_endpoint=provider.health_endpoint,
        api_key=os.environ.get(provider.env_var) if provider.env_var else None,
        models=provider.model_names,
    )


def _gateway_target(backend: Backend, *, completions: bool) -> GatewayTarget:
    groups = expected_groups(backend.deployed.data)
    return GatewayTarget(
        url=backend.gateway.deploy.url,
        api_key=os.environ.get(MASTER_KEY) or None,
        expected_groups=groups.names if groups else None,
        completions=completions,
        completion_groups=groups.chat if groups else None,
    )


def redis_target(backend: Backend) -> RedisTarget | None:
    """Return the Redis that the gateway caches in, None where it has none."""
    return redis_target_of(backend.gateway.litellm_settings, os.environ)


def redis_target_of(settings: Mapping[str, Any], environment: Mapping[str, str]) -> RedisTarget | None:
    """Return the Redis that some `litellm_settings` cache in, as a gateway with this environment finds it."""
    params = redis_params_of(settings)
    if params is None:
        return None

    def resolve(name: str) -> str | None:
        return _resolve(params.get(name), environment)

    url = resolve("url")
    parts = urlsplit(url) if url else None
    host = (parts.hostname if parts else None) or resolve("host") or environment.get("REDIS_HOST")
    port = (parts.port if parts else None) or _number(resolve("port") or environment.get("REDIS_PORT"), 6379)
    password = unquote(parts.password) if parts and parts.password else resolve("password")
    username = unquote(parts.username) if parts and parts.username else resolve("username")
    database = parts.path.strip("/") if parts else resolve("db")
    namespace = params.get("namespace")
    return RedisTarget(
        host=host or "127.0.0.1",
        port=port,
        db=_number(database, 0),
        username=username,
        password=password or environment.get("REDIS_PASSWORD") or None,
        ssl=bool(params.get("ssl")) or bool(parts and parts.scheme == "rediss"),
        namespace=str(namespace) if namespace else None,
    )


def _resolve(value: Any, environment: Mapping[str, str]) -> str | None:
    """Return a setting as LiteLLM would read it: `os.environ/NAME` stands for the variable."""
    if value is None or isinstance(value, (dict, list)):
        return None
    text = str(value)
    variable = variable_of(text)
    return text if variable is None else environment.get(variable)


def _number(value: str | None, default: int) -> int:
    return int(value) if value and value.isdigit() else default
