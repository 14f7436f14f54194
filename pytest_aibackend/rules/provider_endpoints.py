"""Check 5: the health endpoints listed in providers.yaml belong to its providers."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.catalogue import catalogue_of
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.addresses import address_of, shown_url, url_trouble
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.wording import Suggester, listed

__all__: list[str] = []

ENDPOINTS = declare_group(
    Group(
        id="health-check-endpoints",
        check=5,
        noun="health endpoint",
        needs=("providers",),
        subjects=lambda b: b.providers_file.health_checks.endpoints,
    )
)


def _problem(name: str, message: str, hint: str, severity: Severity | None = None) -> Problem:
    return Problem(
        source="providers",
        path=("health_checks", "endpoints", name),
        message=message,
        hint=hint,
        subject=name,
        severity=severity,
    )


@rule("endpoint-without-provider", group=ENDPOINTS.id)
def find_endpoints_without_provider(backend: Backend) -> Iterator[Problem]:
    """A health endpoint is listed for a provider that is not defined, or not in use.

    What watches it reports on nothing that the gateway uses; for a provider that is not active, which
    is a warning, it reports an outage that is none. Mend the name, or remove the endpoint.
    """
    known = catalogue_of(backend)
    suggester = Suggester()
    for name in backend.providers_file.health_checks.endpoints:
        status = known.status.get(name)
        if status is None and known.providers_complete:
            yield _problem(
                name,
                f"a health endpoint is listed for provider {name!r}, which is not defined",
                suggester.hint(name, known.status.keys(), otherwise=f"providers are {listed(known.status)}"),
            )
        elif status is not None and status != "active":
            yield _problem(
                name,
                f"a health endpoint is listed for provider {name!r}, whose status is {status}",
                "remove it while the provider is not active",
                Severity.WARNING,
            )


@rule("endpoint-mismatch", group=ENDPOINTS.id)
def find_endpoint_mismatches(backend: Backend) -> Iterator[Problem]:
    """A health endpoint is not a URL, or is another address than its provider's.

    What watches it looks at another server than the one that answers requests. Give both the same host
    and port.
    """
    for name, url in backend.providers_file.health_checks.endpoints.items():
        trouble = url_trouble(url)
        if trouble is not None:
            yield _problem(name, f"the health endpoint {shown_url(url)} of {name!r} {trouble[0]}", trouble[1])
            continue
        provider, endpoint = backend.providers.get(name), address_of(url)
        base = address_of(provider.base_url) if provider else None
        if base is not None and endpoint is not None and base.endpoint != endpoint.endpoint:
            yield _problem(
                name,
                f"the health endpoint of {name!r} is at {endpoint.host}:{endpoint.port},"
                f" the provider at {base.host}:{base.port}",
                "give both the same host and port",
            )
