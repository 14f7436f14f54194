"""ports.yaml: the services of this machine that the configuration speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.litellm.words import section_of
from pytest_aibackend.sources.addresses import address_of

__all__ = ["infer_ports"]

_GATEWAY: Final = "litellm_gateway"
_CHECKS: Final = {
    "ollama": "curl -f http://127.0.0.1:{port}/api/version",
    "vllm": "curl -f http://127.0.0.1:{port}/health",
    "openai_compatible": "curl -f http://127.0.0.1:{port}/v1/models",
}


def infer_ports(
    config: Mapping[Any, Any], providers: Mapping[str, Mapping[str, Any]], *, port: int
) -> dict[str, dict[str, Any]]:
    """Return the registry: the gateway, the providers on this machine, and Redis where it is here."""
    services: dict[str, dict[str, Any]] = {
        _GATEWAY: {
            "port": port,
            "protocol": "http",
            "required": True,
            "description": "LiteLLM gateway",
            "health_check": f"curl -f http://127.0.0.1:{port}/health/liveliness",
        }
    }
    taken = {port}
    for name, provider in providers.items():
        address = address_of(provider["base_url"])
        if address is None or not address.is_loopback or address.port in taken:
            continue
        taken.add(address.port)
        check = _CHECKS.get(provider["type"])
        services[name] = {"port": address.port, "protocol": "http", "description": f"Provider {name}"}
        if check:
            services[name]["health_check"] = check.format(port=address.port)
    for number in _redis_ports(config):
        if number not in taken:
            taken.add(number)
            name = "redis" if "redis" not in services else f"redis_{number}"
            services[name] = {
                "port": number,
                "protocol": "tcp",
                "description": "Redis",
                "health_check": f"redis-cli -p {number} ping",
            }
    return services


def _redis_ports(config: Mapping[Any, Any]) -> Iterator[int]:
    cache = section_of(section_of(config, "litellm_settings"), "cache_params")
    router = section_of(config, "router_settings")
    for host, port, is_meant in (
        (cache.get("host"), cache.get("port"), cache.get("type", "redis") == "redis"),
        (router.get("redis_host"), router.get("redis_port"), True),
    ):
        address = address_of(f"http://{host}") if isinstance(host, str) else None
        if is_meant and address is not None and address.is_loopback and str(port or 6379).isdecimal():
            number = int(str(port or 6379))
            if 0 < number < 65536:
                yield number
