"""How the gateway is signalled: through systemd, through a pid file, or not at all."""

from __future__ import annotations

from pytest_aibackend.deploy.service.contract import Service, ServiceError, ServiceState
from pytest_aibackend.deploy.service.none import NoService
from pytest_aibackend.deploy.service.pidfile import PidfileService
from pytest_aibackend.deploy.service.systemd import SystemdService
from pytest_aibackend.serving.state import StateDir
from pytest_aibackend.sources.backend import Backend

__all__ = ["Service", "ServiceError", "ServiceState", "service_of"]


def service_of(backend: Backend, state: StateDir) -> Service:
    """Return what gateway.yaml names as its service; raises ServiceError where it names none."""
    service = backend.gateway.deploy.service
    if service.kind == "none":
        return NoService(state)
    wanted = "pidfile" if service.kind == "pidfile" else "name"
    value = getattr(service, wanted)
    where = backend.locate("gateway", ("deploy", "service", "kind"))
    if not value:
        example = "pidfile: run/litellm.pid" if wanted == "pidfile" else "name: litellm.service"
        raise ServiceError(
            f"{where}: deploy.service is of kind {service.kind}, but has no {wanted!r}; add `{example}`"
        )
    if service.kind == "pidfile":
        return PidfileService(backend.resolve(value), state)
    try:
        return SystemdService(value, user=service.kind == "systemd-user")
    except ValueError as error:
        raise ServiceError(f"{where}: {error}") from None
