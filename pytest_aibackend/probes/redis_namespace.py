"""Write, read, expire and remove one key inside the namespace, and leave nothing behind."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from pytest_aibackend.probes.http import Budget
from pytest_aibackend.probes.observations import NamespaceProbe
from pytest_aibackend.probes.redis_client import explain_redis

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["PROBE_KEY", "probe_namespace"]

PROBE_KEY = b":aibackend-probe:"  # in the name of the one key that is written

LIFE_TIME_MS = 250  # short enough for any time budget; what a lost connection leaves behind goes by itself


async def probe_namespace(client: Redis, namespace: str, budget: Budget) -> NamespaceProbe:
    """Return what became of the key. Errors of the server are in its detail, none is raised."""
    from redis.exceptions import RedisError

    key = f"{namespace}{PROBE_KEY.decode()}{secrets.token_hex(8)}"
    value = secrets.token_hex(8).encode()
    done = {"written": False, "read_back": False, "expires": False, "expired": False, "removed": False}
    detail = ""
    life_ms = int(min(LIFE_TIME_MS, max(50.0, budget.left_s * 1000 / 4)))
    try:
        done["written"] = bool(await client.set(key, value, px=life_ms, nx=True))
        # Both in one go: a slow server must not let the key expire between the two.
        async with client.pipeline(transaction=False) as pipe:
            pipe.get(key)
            pipe.pttl(key)
            read, left_ms = await pipe.execute()
        done["read_back"] = read == value
        done["expires"] = 0 < left_ms <= life_ms
        await asyncio.sleep(life_ms / 1000 + 0.02)
        done["expired"] = await client.exists(key) == 0
        if not done["expired"]:
            await client.unlink(key)
        done["removed"] = await client.exists(key) == 0
    except (RedisError, OSError) as error:
        detail = explain_redis(error)[1]
    if not detail and not all(done.values()):
        detail = "the key was not " + ", not ".join(
            name.replace("_", " ") for name, was in done.items() if not was
        )
    return NamespaceProbe(key=key, detail=detail, **done)
