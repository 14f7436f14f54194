"""Ask the cache server: alive, whose it is, what it would throw away, and who else lives there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_aibackend.probes.http import Budget
from pytest_aibackend.probes.observations import (
    KeyPrefix,
    NamespaceProbe,
    RedisClient,
    RedisObservation,
    State,
)
from pytest_aibackend.probes.redact import clean_text
from pytest_aibackend.probes.redis_client import CLIENT_NAME, connect, explain_redis
from pytest_aibackend.probes.redis_names import in_namespace, is_litellm_name, prefix_of
from pytest_aibackend.probes.redis_namespace import PROBE_KEY, probe_namespace
from pytest_aibackend.probes.sniff import HTTP, REDIS, SSH, TLS, sniff
from pytest_aibackend.probes.targets import RedisTarget

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["probe_redis"]

SCAN_STEP = 1_000  # keys looked at by one SCAN: well under a millisecond of the server's time
SCAN_SHARE = 0.6  # of what is left of the budget, at most
MOST_PREFIXES = 20
MOST_EXAMPLES = 5


async def probe_redis(target: RedisTarget, budget: Budget) -> RedisObservation:
    """Probe one server within the budget. Every network trouble is an observation, none is raised."""
    from redis.exceptions import RedisError

    facts: dict[str, Any] = {}
    begin = time.perf_counter()
    state, detail = State.OK, "it answers as Redis does"
    client = connect(target)
    sniffing = asyncio.create_task(sniff(target.host, target.port, budget))
    try:
        async with asyncio.timeout_at(budget.deadline):
            await _ask(client, target, budget, facts, begin)
    except TimeoutError:
        # Who answered the ping, and then took too long over more, is slow and not silent.
        if "latency_s" in facts:
            state, detail = State.SLOW, f"it answers, but not everything within {budget.timeout_s:g} s"
        else:
            state, detail = State.TIMEOUT, f"no complete answer within {budget.timeout_s:g} s"
    except (RedisError, OSError, UnicodeError, ValueError) as error:
        state, detail = explain_redis(error)
    finally:
        await _close(client)
    service = await sniffing
    unclear = (State.TIMEOUT, State.DOWN, State.TLS_ERROR, State.WRONG_SERVICE)
    if "latency_s" not in facts and state in unclear:
        state, detail = _name_stranger(service, target) or (state, detail)
    if "state" in facts:
        state, detail = facts.pop("state"), facts.pop("detail")
    latency = facts.get("latency_s")
    if state is State.OK and latency is not None and budget.is_slow(latency):
        state, detail = State.SLOW, f"it answers, but took {latency:.1f} s of {budget.timeout_s:g} s"
    return RedisObservation(
        name=target.name,
        address=f"{target.host}:{target.port}/{target.db}",
        state=state,
        detail=detail,
        namespace=target.namespace,
        **facts,
    )


def _name_stranger(service: str | None, target: RedisTarget) -> tuple[State, str] | None:
    if service == REDIS and target.ssl:
        return State.TLS_ERROR, "it speaks Redis's protocol without TLS, and is asked with TLS"
    if service == TLS and not target.ssl:
        return State.TLS_ERROR, "it speaks TLS, and is asked without"
    if service in (HTTP, SSH):
        return State.WRONG_SERVICE, f"it does not answer as Redis: it seems to be {service}"
    return None


async def _ask(
    client: Redis, target: RedisTarget, budget: Budget, facts: dict[str, Any], begin: float
) -> None:
    from redis.exceptions import BusyLoadingError, NoPermissionError, ResponseError

    try:
        await client.ping()
    except BusyLoadingError as error:
        facts["state"], facts["detail"] = explain_redis(error)
    except NoPermissionError:
        facts["detail_ping"] = None  # an ACL may forbid PING, and allow all that the gateway needs
    facts.pop("detail_ping", None)
    facts["latency_s"] = time.perf_counter() - begin
    facts["password_required"] = await _wants_password(target)
    try:
        info: dict[str, Any] = await client.info("all")
    except (NoPermissionError, ResponseError):
        info = {}
    facts |= _from_info(info, target.db)
    if facts.get("state") is State.LOADING or info.get("loading"):
        facts["state"], facts["detail"] = State.LOADING, "it is loading its data into memory"
        return
    await _set_name(client)
    facts["clients"] = await _list_clients(client)
    scan_until = asyncio.get_running_loop().time() + SCAN_SHARE * budget.left_s
    probe: asyncio.Task[NamespaceProbe] | None = None
    second = connect(target)  # the probe waits for a key to expire, and the scan need not wait with it
    try:
        if target.namespace and target.write_probe:
            probe = asyncio.create_task(probe_namespace(second, target.namespace, budget))
        facts |= await _take_census(client, target, scan_until)
        if probe is not None:
            facts["namespace_probe"] = await probe
    finally:
        if probe is not None and not probe.done():
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
        await _close(second)


async def _wants_password(target: RedisTarget) -> bool | None:
    """Ask without a password: does the server let anybody in?"""
    from redis.exceptions import RedisError

    client = connect(target, anonymous=True)
    try:
        await client.ping()
    except RedisError as error:
        return True if explain_redis(error)[0] is State.UNAUTHORISED else None
    except OSError:
        return None
    finally:
        await _close(client)
    return False


def _from_info(info: dict[str, Any], db: int) -> dict[str, Any]:
    keyspace = {
        int(name[2:]): int(each["keys"])
        for name, each in info.items()
        if name.startswith("db") and name[2:].isdecimal() and isinstance(each, dict)
    }
    is_valkey = "valkey_version" in info or info.get("server_name") == "valkey"
    version = info.get("valkey_version") or info.get("redis_version")
    return {
        "server": ("valkey" if is_valkey else "redis") if info else None,
        "version": None if version is None else clean_text(str(version), longest=40),
        "role": _text(info.get("role")),
        "maxmemory": info.get("maxmemory"),
        "maxmemory_policy": _text(info.get("maxmemory_policy")),
        "used_memory": info.get("used_memory"),
        "evicted_keys": info.get("evicted_keys"),
        "total_keys": keyspace.get(db, 0) if info else None,
        "other_databases": tuple(sorted((n, keys) for n, keys in keyspace.items() if n != db and keys)),
    }


def _text(value: object) -> str | None:
    return None if value is None else clean_text(str(value), longest=60)


async def _set_name(client: Redis) -> None:
    from redis.exceptions import ResponseError

    with contextlib.suppress(ResponseError):  # an ACL may forbid it; then we are listed among the clients
        await client.client_setname(CLIENT_NAME)


async def _list_clients(client: Redis) -> tuple[RedisClient, ...] | None:
    from redis.exceptions import ResponseError

    try:
        rows: list[dict[str, str]] = await client.client_list()
    except ResponseError:  # NOPERM, or a server without CLIENT LIST
        return None
    found: Counter[tuple[str, str, int, str, str]] = Counter()
    for row in rows:
        if row.get("name") == CLIENT_NAME or row.get("flags", "").startswith(("S", "M")):
            continue  # ourselves, and replication
        if not row.get("name") and not row.get("lib-name") and row.get("cmd") in ("NULL", "ping"):
            continue  # has only knocked: most likely one of our own probes
        address = row.get("addr", "").rpartition(":")[0]
        database = row.get("db", "0")
        found[
            (
                clean_text(row.get("name", ""), longest=80),
                clean_text(address, longest=80),
                int(database) if database.isdecimal() else 0,
                clean_text(row.get("lib-name", ""), longest=80),
                clean_text(row.get("user", ""), longest=80),
            )
        ] += 1
    return tuple(
        RedisClient(name=name, address=address, db=db, library=library, user=user, count=count)
        for (name, address, db, library, user), count in sorted(found.items())
    )


async def _take_census(client: Redis, target: RedisTarget, until: float) -> dict[str, Any]:
    """Look at the names of a bounded number of keys, and tell ours from those of others."""
    from redis.exceptions import ResponseError

    loop = asyncio.get_running_loop()
    inside = outside = 0
    seen: set[bytes] = set()  # SCAN may give a key twice
    examples: list[str] = []
    foreign: Counter[str] = Counter()
    example_of: dict[str, str] = {}
    cursor = 0
    complete = False
    while len(seen) < target.scan_limit and loop.time() < until:
        try:
            cursor, found = await client.scan(cursor=cursor, count=SCAN_STEP)
        except ResponseError:
            break
        # Our own probe's key is there for a moment. (Keys are bytes without decode_responses.)
        keys = {key for key in found if isinstance(key, bytes) and PROBE_KEY not in key}
        for key in keys - seen:
            if target.namespace and in_namespace(key, target.namespace):
                inside += 1
            elif is_litellm_name(key):
                outside += 1
                if len(examples) < MOST_EXAMPLES:
                    examples.append(_example(key))
            else:
                prefix = clean_text(prefix_of(key), longest=80)
                foreign[prefix] += 1
                example_of.setdefault(prefix, _example(key))
        seen |= keys
        if cursor == 0:
            complete = True
            break
    return {
        "keys_scanned": len(seen),
        "scan_complete": complete,
        "keys_in_namespace": inside if target.namespace else None,
        "own_keys_outside": outside,
        "own_keys_outside_examples": tuple(sorted(examples)),
        "foreign_prefixes": tuple(
            KeyPrefix(prefix=prefix, count=count, example=example_of[prefix])
            for prefix, count in sorted(foreign.items(), key=lambda item: (-item[1], item[0]))[:MOST_PREFIXES]
        ),
    }


def _example(key: bytes) -> str:
    """Return the beginning of a key: others keep session tokens in their keys, which are secrets."""
    head, colon, tail = key.decode("utf-8", "replace").partition(":")
    rest = tail if colon else head
    shown = rest if len(rest) <= 8 else rest[:8] + "…"
    return clean_text(f"{head[:60]}:{shown}" if colon else shown, longest=80)


async def _close(client: Redis) -> None:
    from redis.exceptions import RedisError

    try:
        async with asyncio.timeout(0.2):
            await client.aclose()
    except (RedisError, OSError, TimeoutError):
        return  # a connection that is lost is closed
