"""Who listens on a port: one look at the system's table for all ports, and one knock on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aibackend.probes.http import Budget
from pytest_aibackend.probes.loop import run_in_thread
from pytest_aibackend.probes.observations import Listener, PortObservation, State
from pytest_aibackend.probes.targets import PortTarget
from pytest_aibackend.probes.trouble import explain

__all__ = ["list_listeners", "probe_ports"]


async def probe_ports(targets: Sequence[PortTarget], budget: Budget) -> tuple[PortObservation, ...]:
    """Probe all ports within the budget. Every network trouble is an observation, none is raised."""
    if not targets:
        return ()
    looking = asyncio.ensure_future(_listeners_in_time({target.port for target in targets}, budget))
    knocks = await asyncio.gather(*(_knock(target, budget) for target in targets))
    table = await looking
    return tuple(_observe(target, table, knock) for target, knock in zip(targets, knocks, strict=True))


def list_listeners(ports: set[int]) -> dict[int, tuple[Listener, ...]] | None:
    """Return who listens on these ports; None where the system tells only its administrator (macOS)."""
    import psutil

    try:
        sockets = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, PermissionError, NotImplementedError):
        return None
    found: dict[int, set[Listener]] = {port: set() for port in ports}
    for each in sockets:
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port in found:
            found[each.laddr.port].add(_describe(each.laddr.ip, each.pid))
    return {
        port: tuple(sorted(some, key=lambda one: (one.address, one.pid or 0))) for port, some in found.items()
    }


def _describe(address: str, pid: int | None) -> Listener:
    import psutil

    process = user = None
    if pid is not None:
        try:
            running = psutil.Process(pid)
            process = running.name()
            user = running.username()
        except (psutil.NoSuchProcess, psutil.AccessDenied, KeyError):
            pass  # it has ended meanwhile, or is somebody else's: its number is all there is to tell
    return Listener(address=address, pid=pid, process=process, user=user)


async def _listeners_in_time(ports: set[int], budget: Budget) -> Mapping[int, tuple[Listener, ...]] | None:
    try:
        async with asyncio.timeout_at(budget.deadline):
            table: Mapping[int, tuple[Listener, ...]] | None = await run_in_thread(list_listeners, ports)
            return table
    except TimeoutError:
        return None


async def _knock(target: PortTarget, budget: Budget) -> tuple[State, str, float | None]:
    begin = time.perf_counter()
    try:
        async with asyncio.timeout_at(budget.deadline):
            _, writer = await asyncio.open_connection(target.host, target.port)
    except TimeoutError:
        return State.TIMEOUT, f"no connection within {budget.timeout_s:g} s", None
    except (OSError, OverflowError, UnicodeError) as error:
        state, words = explain(error)
        return state, words, None
    latency = time.perf_counter() - begin
    _abort(writer)
    return State.OK, "a connection is accepted", latency


def _abort(writer: asyncio.StreamWriter) -> None:
    transport: Any = writer.transport
    transport.abort()  # nothing was sent, and there is no farewell to wait for


def _observe(
    target: PortTarget,
    table: Mapping[int, tuple[Listener, ...]] | None,
    knock: tuple[State, str, float | None],
) -> PortObservation:
    state, detail, latency = knock
    listeners = None if table is None else table.get(target.port, ())
    if state is State.DOWN and listeners:
        where = ", ".join(sorted({each.address for each in listeners}))
        detail = f"nothing listens on {target.host}, only on {where}"
    return PortObservation(
        name=target.name,
        port=target.port,
        protocol=target.protocol,
        state=state,
        detail=detail,
        reachable=state is State.OK,
        listeners=listeners,
        latency_s=latency,
    )
