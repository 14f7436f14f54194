"""Check 5: the addresses in gateway.yaml agree with the port registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_aibackend.findings import Path, Problem
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.rules.services import cache_service, gateway_service
from pytest_aibackend.sources.addresses import address_of, shown_url, url_trouble
from pytest_aibackend.sources.backend import Backend

__all__: list[str] = []

_URL: Path = ("deploy", "url")
_CACHE: Path = ("litellm_settings", "cache_params", "port")

GATEWAY_ADDRESS = declare_group(
    Group(
        id="gateway-address",
        check=5,
        noun="setting",
        needs=("gateway", "ports"),
        subjects=lambda b: ["deploy.url", *(["cache_params.port"] if _cache_port(b) is not None else [])],
    )
)


def _cache_port(backend: Backend) -> int | None:
    params: Any = backend.gateway.litellm_settings.get("cache_params")
    if not isinstance(params, dict) or str(params.get("type", "redis")) != "redis":
        return None
    port, host = params.get("port"), str(params.get("host", "127.0.0.1"))
    is_ours = (address := address_of(f"http://{host}")) is not None and address.is_loopback
    return int(port) if is_ours and isinstance(port, int | str) and str(port).isdecimal() else None


@rule("gateway-url", group=GATEWAY_ADDRESS.id)
def find_gateway_urls(backend: Backend) -> Iterator[Problem]:
    """The gateway's `deploy.url` is no URL, or has another port than its service in `ports.yaml`.

    After a reload the gateway is asked at this URL whether it is well: at the wrong one every reload
    is rolled back. Give both the same port.
    """
    url = backend.gateway.deploy.url
    trouble = url_trouble(url)
    address = address_of(url)
    service = gateway_service(backend)
    if trouble is not None:
        yield _problem(_URL, "deploy.url", f"deploy.url is {shown_url(url)}, which {trouble[0]}", trouble[1])
    elif address is not None and address.has_userinfo:
        yield _problem(
            _URL,
            "deploy.url",
            f"deploy.url is {shown_url(url)}, which carries credentials",
            "remove them: the key is read from LITELLM_MASTER_KEY",
        )
    elif (
        address is not None
        and service
        and address.is_loopback
        and backend.ports[service].port != address.port
    ):
        registered = backend.ports[service].port
        if backend.sources["gateway"].exists:
            yield _problem(
                _URL,
                "deploy.url",
                f"deploy.url has port {address.port}, service {service!r} has port {registered}",
                "give both the same port",
            )
        else:
            yield Problem(
                source="ports",
                path=(service, "port"),
                subject="deploy.url",
                message=f"service {service!r} has port {registered}, deploy.url without gateway.yaml {url}",
                hint=f"write gateway.yaml with deploy: {{url: http://127.0.0.1:{registered}}}",
            )


@rule("cache-port-mismatch", group=GATEWAY_ADDRESS.id)
def find_cache_port_mismatches(backend: Backend) -> Iterator[Problem]:
    """The gateway's cache is at another port than the Redis of `ports.yaml`.

    LiteLLM starts without its cache, eight seconds later, and says so only in its log. Give both the
    same port.
    """
    port, service = _cache_port(backend), cache_service(backend)
    if port is not None and service is not None and backend.ports[service].port != port:
        yield _problem(
            _CACHE,
            "cache_params.port",
            f"the cache is at port {port}, service {service!r} has port {backend.ports[service].port}",
            "give both the same port",
        )


def _problem(path: Path, subject: str, message: str, hint: str) -> Problem:
    return Problem(source="gateway", path=path, message=message, hint=hint, subject=subject)
