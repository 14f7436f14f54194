"""Check 6, live half: who listens on the registered ports of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.redis import redis_params
from pytest_aibackend.rules.registry import Group, LiveBackend, declare_group, rule
from pytest_aibackend.sources.backend import Backend

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import Listener, PortObservation

__all__ = ["LISTENERS"]

LISTENERS = declare_group(
    Group(
        id="port-listener",
        check=6,
        noun="service",
        needs=("ports",),
        subjects=lambda b: list(b.ports),
        live=True,
    )
)
# Programs by what a service's name says of it: a listener that is none of them is foreign.
_PROGRAMS: Final[dict[str, tuple[str, ...]]] = {
    "ollama": ("ollama",),
    "redis": ("redis", "valkey", "keydb", "dragonfly"),
    "valkey": ("redis", "valkey", "keydb", "dragonfly"),
    "llama": ("llama", "python"),
    "vllm": ("vllm", "python"),
    "litellm": ("litellm", "python", "gunicorn", "uvicorn", "granian"),
    "gateway": ("litellm", "python", "gunicorn", "uvicorn", "granian"),
}
# Services that bear another's name and are not it: `ollama-webui` is no Ollama.
_COMPANIONS: Final = ("ui", "webui", "exporter", "commander", "insight", "sentinel", "dashboard", "metrics")
# Programs that hold a port for another, in a container, behind a tunnel or a socket unit: who that is
# cannot be seen from here, and checks 7, 8 and 11 ask the service itself.
_FORWARDERS: Final = (
    "docker", "com.docker", "rootlessport", "slirp4netns", "pasta", "gvproxy", "conmon", "containerd",
    "podman", "kubectl", "ssh", "socat", "systemd", "launchd",
)  # fmt: skip


def _ports(live: LiveBackend) -> Iterator[PortObservation]:
    yield from live.observations.observations.ports


def _who(listener: Listener) -> str:
    name = listener.process or "a process of another user"
    return f"{name} (pid {listener.pid})" if listener.pid else name


def _problem(seen: PortObservation, message: str, hint: str, severity: Severity | None = None) -> Problem:
    return Problem(
        source="ports",
        path=(seen.name, "port"),
        message=message,
        hint=hint,
        subject=seen.name,
        severity=severity,
    )


@rule("required-port-silent", group=LISTENERS.id)
def required_port_silent(live: LiveBackend) -> Iterator[Problem]:
    """Nothing listens on the port of a required service.

    The service is down, or listens elsewhere. Start it, or correct its port in ports.yaml.
    """
    for seen in _ports(live):
        entry = live.backend.ports[seen.name]
        if entry.required and not seen.reachable and not seen.listeners:
            start = f"systemctl start {entry.service}" if entry.service else f"start {seen.name}"
            yield _problem(
                seen,
                f"nothing listens on port {seen.port}, where {seen.name} is required: {seen.detail}",
                f"{start}, or correct its port",
            )


@rule("foreign-listener", group=LISTENERS.id)
def foreign_listener(live: LiveBackend) -> Iterator[Problem]:
    """Another program than the registered service listens on its port.

    The service cannot start, and clients talk to a stranger. Stop the other program or move one of them.
    """
    for seen in _ports(live):
        expected = _expected_programs(live.backend, seen.name)
        strangers: dict[str, Listener] = {}  # by name: the workers of one program are one trouble
        for listener in seen.listeners or ():
            name = (listener.process or "").lower()
            is_known = name.startswith(_FORWARDERS) or any(part in name for part in expected)
            if expected and name and not is_known:
                strangers.setdefault(name, listener)
        for listener in strangers.values():
            yield _problem(
                seen,
                f"port {seen.port} is registered for {seen.name}, and {_who(listener)} listens on it",
                "stop that program, or give one of them another port",
            )


@rule("listener-on-all-interfaces", group=LISTENERS.id, severity=Severity.WARNING)
def listener_on_all_interfaces(live: LiveBackend) -> Iterator[Problem]:
    """A service that is used over loopback listens on every interface of the machine.

    Model servers and Redis have no password by default: anybody on the network can use them. LiteLLM
    binds to all interfaces unless it is told `--host 127.0.0.1` (1.106.2, proxy/proxy_cli.py).
    """
    loopback = _loopback_ports(live.backend)
    for seen in _ports(live):
        if seen.port in loopback:
            wide = [listener for listener in seen.listeners or () if listener.is_on_all_interfaces]
            if wide:
                where = " and ".join(sorted({listener.address for listener in wide}))
                yield _problem(
                    seen,
                    f"{_who(wide[0])} serves port {seen.port} on all interfaces ({where});"
                    " the configuration uses it over loopback",
                    "bind it to 127.0.0.1, or guard it with a firewall and a key",
                )


def _expected_programs(backend: Backend, name: str) -> tuple[str, ...]:
    words = f"{name} {backend.ports[name].service or ''}".lower()
    if any(word in _COMPANIONS for word in re.split(r"[^a-z0-9]+", words)):
        return ()
    return next((programs for word, programs in _PROGRAMS.items() if word in words), ())


def _loopback_ports(backend: Backend) -> set[int]:
    urls = [provider.base_url for provider in backend.providers.values() if provider.is_active]
    urls += [backend.gateway.deploy.url, str((redis_params(backend) or {}).get("url", ""))]
    ports = set()
    for url in urls:
        try:
            parts = urlsplit(url)
            if parts.hostname in ("127.0.0.1", "localhost", "::1") and parts.port:
                ports.add(parts.port)
        except ValueError:
            continue  # a malformed URL is a finding of check 5
    cache = redis_params(backend) or {}
    if cache.get("host") in ("127.0.0.1", "localhost", "::1"):
        ports.add(cache["port"] if isinstance(cache.get("port"), int) else 6379)
    return ports
