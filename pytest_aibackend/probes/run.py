"""Run all probes at once, within one time budget."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from pytest_aibackend.probes.observations import EndpointAnswer, Observations
from pytest_aibackend.probes.plain import PlainData
from pytest_aibackend.probes.redact import Redactor
from pytest_aibackend.probes.serving import ServingObservation, look_at_serving
from pytest_aibackend.probes.targets import ProbeTargets, ServingTarget
from pytest_aibackend.serving.state import StateDir

__all__ = ["DEFAULT_TIMEOUT_S", "ask_liveness", "run_probes"]

DEFAULT_TIMEOUT_S = 5.0

_Observed = TypeVar("_Observed", bound=PlainData)


def run_probes(targets: ProbeTargets, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Observations:
    """Probe everything and return what was seen, in the order of the targets, within about `timeout_s`.

    All probes start together and share the budget: a fleet with dead members costs one timeout, not their
    sum. Trouble on the network is an observation; what is raised is a bug of ours, ValueError for a timeout
    that is not positive, or RuntimeError when called inside a running event loop.
    """
    if not timeout_s > 0:
        raise ValueError(f"the timeout must be positive, not {timeout_s!r}")
    from pytest_aibackend.probes.loop import room_for_sockets, run_loop

    begin = time.perf_counter()
    sockets = (
        2 * len(targets.providers)
        + sum(gateway.asks + 16 for gateway in targets.gateways)
        + 4 * len(targets.redis)
        + len(targets.ports)
    )
    with room_for_sockets(sockets):
        seen = run_loop(_probe_all(targets, timeout_s))
    redactor = Redactor(_secrets(targets))
    return Observations(
        providers=_redact(seen.providers, redactor),
        gateways=_redact(seen.gateways, redactor),
        redis=_redact(seen.redis, redactor),
        ports=seen.ports,
        serving=_look_at_notes(targets.serving),
        duration_s=time.perf_counter() - begin,
        timeout_s=timeout_s,
    )


def ask_liveness(url: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> EndpointAnswer:
    """Ask a gateway whether it lives, and nothing else."""
    from pytest_aibackend.probes.gateway import probe_liveness
    from pytest_aibackend.probes.loop import run_loop

    return run_loop(probe_liveness(url, timeout_s))


async def _probe_all(targets: ProbeTargets, timeout_s: float) -> Observations:
    import asyncio

    from pytest_aibackend.probes.gateway import probe_gateway
    from pytest_aibackend.probes.http import Budget
    from pytest_aibackend.probes.ports import probe_ports
    from pytest_aibackend.probes.providers import probe_provider
    from pytest_aibackend.probes.redis_server import probe_redis

    if targets.providers or targets.gateways:
        import httpx  # noqa: F401  # before the clock starts: importing it takes 0.1 s
    if targets.redis:
        import redis.asyncio  # noqa: F401  # as above
    budget = Budget(timeout_s)
    async with asyncio.TaskGroup() as group:
        providers = [group.create_task(probe_provider(each, budget)) for each in targets.providers]
        gateways = [group.create_task(probe_gateway(each, budget)) for each in targets.gateways]
        caches = [group.create_task(probe_redis(each, budget)) for each in targets.redis]
        ports = group.create_task(probe_ports(targets.ports, budget))
    return Observations(
        providers=tuple(task.result() for task in providers),
        gateways=tuple(task.result() for task in gateways),
        redis=tuple(task.result() for task in caches),
        ports=ports.result(),
    )


def _look_at_notes(target: ServingTarget | None) -> ServingObservation | None:
    return None if target is None else look_at_serving(StateDir(target.state_dir), target.file)


def _secrets(targets: ProbeTargets) -> Iterable[str | None]:
    for provider in targets.providers:
        yield provider.api_key
        yield from _password_in(provider.base_url)
    for gateway in targets.gateways:
        yield gateway.api_key
        yield from _password_in(gateway.url)
    for cache in targets.redis:
        yield cache.password


def _password_in(url: str) -> Iterable[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


def _redact(observed: tuple[_Observed, ...], redactor: Redactor) -> tuple[_Observed, ...]:
    if redactor.is_empty:
        return observed
    return tuple(type(each).from_json(redactor.plain(each.to_json())) for each in observed)
