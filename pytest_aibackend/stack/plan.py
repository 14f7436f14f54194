"""What the embedded stack has to run, read from a configuration directory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_aibackend.sources.references import variable_of

__all__ = ["CachePlan", "GatewayPlan", "LlamaServerPlan", "StackPlan", "StackPlanError", "read_stack_plan"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
GATEWAY_ENTRY = "litellm_gateway"  # in ports.yaml
REDIS_ENTRY = "redis"


class StackPlanError(ValueError):
    """The configuration cannot be run as an embedded stack; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LlamaServerPlan:
    """A llama.cpp server: one active provider of type llama_cpp."""

    name: str  # the provider
    host: str
    port: int
    models: tuple[str, ...]  # the names under which it serves its one model


@dataclass(frozen=True, kw_only=True, slots=True)
class CachePlan:
    """The Redis-compatible server that the gateway's cache is configured for."""

    host: str
    port: int
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayPlan:
    """The LiteLLM proxy."""

    host: str
    port: int
    config_file: Path  # what LiteLLM is started with
    state_dir: Path  # what a reload and the gateway tell one another
    workers: int
    pidfile: Path | None  # where a reload looks for the process, if it is told to use a pid file


@dataclass(frozen=True, kw_only=True, slots=True)
class StackPlan:
    """Everything that one configuration directory asks the stack to run."""

    config_dir: Path  # absolute
    llama_servers: tuple[LlamaServerPlan, ...]
    cache: CachePlan | None
    gateway: GatewayPlan
    left_out: tuple[str, ...]  # active providers that the stack cannot run


def read_stack_plan(config_dir: Path) -> StackPlan:
    """Read what to run, and on which ports, from the files in `config_dir`; raises StackPlanError."""
    folder = config_dir.resolve()
    if not folder.is_dir():
        raise StackPlanError(f"{config_dir} is not a directory")
    providers = _mapping(_load(folder / "providers.yaml").get("providers"), "providers.yaml: providers")
    ports = _load(folder / "ports.yaml")
    gateway = _load(folder / "gateway.yaml")

    active = {
        name: provider
        for name, raw in providers.items()
        if (provider := _mapping(raw, f"providers.yaml: {name}")).get("status", "active") == "active"
    }
    plan = StackPlan(
        config_dir=folder,
        llama_servers=tuple(
            _llama_server(str(name), provider)
            for name, provider in active.items()
            if provider.get("type") == "llama_cpp"
        ),
        cache=_cache(gateway, ports),
        gateway=_gateway(folder, gateway, ports),
        left_out=tuple(str(name) for name, provider in active.items() if provider.get("type") != "llama_cpp"),
    )
    _refuse_shared_ports(plan)
    return plan


def _load(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        raise StackPlanError(f"{path} does not exist") from None
    except (OSError, yaml.YAMLError) as error:
        raise StackPlanError(f"{path} cannot be read: {error}") from error
    return _mapping(document, str(path))


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise StackPlanError(f"{where} is not a mapping")
    return value


def _llama_server(name: str, provider: Mapping[str, Any]) -> LlamaServerPlan:
    host, port = _loopback_address(provider.get("base_url"), f"providers.yaml: base_url of {name}")
    models = provider.get("models") or []
    if not isinstance(models, list):
        raise StackPlanError(f"providers.yaml: models of {name} is not a list")
    names = tuple(str(model.get("name") if isinstance(model, dict) else model) for model in models)
    if not names:
        raise StackPlanError(f"providers.yaml: {name} has no model for its server to serve")
    return LlamaServerPlan(name=name, host=host, port=port, models=names)


def _cache(gateway: Mapping[str, Any], ports: Mapping[str, Any]) -> CachePlan | None:
    settings = _mapping(gateway.get("litellm_settings"), "gateway.yaml: litellm_settings")
    params = _mapping(settings.get("cache_params"), "gateway.yaml: cache_params")
    if settings.get("cache") is not True or params.get("type") != "redis":
        return None
    host = str(_from_environment(params.get("host")) or "127.0.0.1")
    if host not in LOOPBACK:
        raise StackPlanError(
            f"gateway.yaml: the cache is on {host}; the embedded stack starts servers on this machine only"
        )
    port = _from_environment(params.get("port"))
    if port is None:
        port = _registered_port(ports, REDIS_ENTRY)
    password = _from_environment(params.get("password"))
    return CachePlan(
        host="127.0.0.1" if host == "localhost" else host,
        port=_port(port, "gateway.yaml: port of cache_params"),
        password=None if password is None else str(password),
    )


def _gateway(folder: Path, gateway: Mapping[str, Any], ports: Mapping[str, Any]) -> GatewayPlan:
    deploy = _mapping(gateway.get("deploy"), "gateway.yaml: deploy")
    service = _mapping(deploy.get("service"), "gateway.yaml: deploy: service")
    registered = _registered_port(ports, GATEWAY_ENTRY)
    if deploy.get("url") is not None:
        host, port = _loopback_address(deploy["url"], "gateway.yaml: deploy: url")
        if registered is not None and port != registered:
            raise StackPlanError(
                f"the gateway has port {port} in gateway.yaml, {registered} in ports.yaml: make them agree"
            )
    else:
        host, port = "127.0.0.1", _port(registered, f"ports.yaml: port of {GATEWAY_ENTRY}")
    config_file = folder / str(deploy.get("path") or "litellm-unified.yaml")
    if not config_file.is_file():
        raise StackPlanError(
            f"{config_file} does not exist; write it with `aibackend generate --config {folder}`"
        )
    pidfile = service.get("pidfile") if service.get("kind") == "pidfile" else None
    return GatewayPlan(
        host=host,
        port=port,
        config_file=config_file.resolve(),
        state_dir=folder / str(deploy.get("state_dir") or ".aibackend/deploy"),
        workers=int(deploy.get("workers") or 2),
        pidfile=folder / str(pidfile) if pidfile else None,
    )


def _loopback_address(url: object, where: str) -> tuple[str, int]:
    try:
        parts = urlsplit(str(url))
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise StackPlanError(f"{where}: {error}") from error
    if parts.scheme != "http" or host is None or port is None:
        raise StackPlanError(f"{where} is not of the form http://127.0.0.1:PORT")
    if host not in LOOPBACK:
        raise StackPlanError(f"{where} is on {host}; the embedded stack starts servers on this machine only")
    return ("127.0.0.1" if host == "localhost" else host), _port(port, where)


def _registered_port(ports: Mapping[str, Any], entry: str) -> int | None:
    registered = _mapping(ports.get(entry), f"ports.yaml: {entry}").get("port")
    return None if registered is None else _port(registered, f"ports.yaml: port of {entry}")


def _port(value: object, where: str) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= 65535:
        raise StackPlanError(f"{where} is {value!r}, not a port number")
    return number


def _from_environment(value: object) -> object:
    name = variable_of(value)
    if name is None:
        return value
    if name not in os.environ:
        raise StackPlanError(f"gateway.yaml refers to the environment variable {name}, which is not set")
    return os.environ[name]


def _refuse_shared_ports(plan: StackPlan) -> None:
    users: dict[int, str] = {}
    servers = [(server.name, server.port) for server in plan.llama_servers]
    if plan.cache is not None:
        servers.append(("the cache", plan.cache.port))
    for name, port in [*servers, ("the gateway", plan.gateway.port)]:
        if port in users:
            raise StackPlanError(f"port {port} is used by both {users[port]} and {name}")
        users[port] = name
