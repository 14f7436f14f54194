"""Care of the gateway's cache: look at its keys, and clear them, inside its namespace and nowhere else.

Other tenants of the same server are never touched: the keys are found by SCAN with a pattern that matches
only "namespace:" and what follows, each is compared once more here, and they are removed by UNLINK in
batches, which does not block the server. FLUSHDB is never used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pytest_aibackend.probes.redact import Redactor
from pytest_aibackend.probes.redis_client import explain_redis
from pytest_aibackend.probes.redis_names import in_namespace, namespace_pattern
from pytest_aibackend.probes.targets import RedisTarget

if TYPE_CHECKING:
    from redis import Redis

__all__ = ["CacheError", "CacheStats", "Cleared", "cache_command", "clear", "report", "stats"]

BATCH = 500  # keys per SCAN and per UNLINK: about a millisecond of the server's time
TIMEOUT_S = 5.0  # for one command


class CacheError(Exception):
    """The cache cannot be looked at or cleared; the message says why, and repeats no secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheStats:
    """What the namespace holds."""

    address: str
    namespace: str
    keys: int
    with_expiry: int  # keys that go by themselves
    without_expiry: int
    soonest_expiry_s: float | None  # of those that expire
    latest_expiry_s: float | None
    bytes_used: int | None  # as MEMORY USAGE counts; None where that is not allowed
    keys_of_others: int  # keys of the same database outside the namespace
    used_memory: int | None  # of the whole server, in bytes
    maxmemory: int | None  # 0: no limit
    hits: int | None  # of the whole server, since its start
    misses: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleared:
    """What was removed, or would be."""

    address: str
    namespace: str
    dry_run: bool
    found: int  # keys in the namespace
    removed: int  # 0 for a dry run
    keys_of_others: int  # left alone


def stats(target: RedisTarget) -> CacheStats:
    """Count the namespace's keys, their bytes and their life times. Raises CacheError."""
    namespace = _namespace(target)
    with _Connection(target) as client:
        keys = with_expiry = 0
        used: int | None = 0
        lives: list[float] = []
        for batch in _batches(client, namespace):
            keys += len(batch)
            left = _left_ms(client, batch)
            lives += [each / 1000 for each in left if each >= 0]
            with_expiry += sum(each >= 0 for each in left)
            used = None if used is None else _add_bytes(client, batch, used)
        info = client.info("all")
        return CacheStats(
            address=_address(target),
            namespace=namespace,
            keys=keys,
            with_expiry=with_expiry,
            without_expiry=keys - with_expiry,
            soonest_expiry_s=min(lives, default=None),
            latest_expiry_s=max(lives, default=None),
            bytes_used=used,
            keys_of_others=max(0, client.dbsize() - keys),
            used_memory=info.get("used_memory"),
            maxmemory=info.get("maxmemory"),
            hits=info.get("keyspace_hits"),
            misses=info.get("keyspace_misses"),
        )


def clear(target: RedisTarget, *, dry_run: bool) -> Cleared:
    """Remove every key of the namespace, or only count them. Raises CacheError."""
    namespace = _namespace(target)
    with _Connection(target) as client:
        found = removed = 0
        for batch in _batches(client, namespace):
            found += len(batch)
            if not dry_run:
                removed += int(client.unlink(*batch))
        left = found if dry_run else 0
        return Cleared(
            address=_address(target),
            namespace=namespace,
            dry_run=dry_run,
            found=found,
            removed=removed,
            keys_of_others=max(0, client.dbsize() - left),
        )


def report(result: CacheStats | Cleared) -> str:
    """Return the result in words, for a terminal."""
    where = f"namespace {result.namespace!r} on {result.address}"
    others = f"{_number(result.keys_of_others, 'key')} of others in the same database, not touched"
    if isinstance(result, Cleared):
        did = f"would remove {_number(result.found, 'key')}"
        if not result.dry_run:
            did = f"removed {_number(result.removed, 'key')}"
        return f"{where}: {did}\n  {others}"
    lines = [f"{where}: {_number(result.keys, 'key')}"]
    if result.bytes_used is not None:
        lines.append(f"{_size(result.bytes_used)} of {_size(result.used_memory)} that the server uses")
    if result.maxmemory is not None:
        lines.append(f"server limit: {_size(result.maxmemory) if result.maxmemory else 'none'}")
    if result.keys:
        lines.append(f"{result.with_expiry} expire, {result.without_expiry} never do")
    if result.soonest_expiry_s is not None and result.latest_expiry_s is not None:
        lines.append(f"life left: {result.soonest_expiry_s:.0f} s to {result.latest_expiry_s:.0f} s")
    if result.hits is not None and result.misses is not None and result.hits + result.misses:
        share = 100 * result.hits / (result.hits + result.misses)
        lines.append(f"hits of the whole server: {result.hits}, misses: {result.misses} ({share:.0f} % hits)")
    return "\n  ".join([*lines, others])


def cache_command(action: str, target: RedisTarget, *, dry_run: bool, as_json: bool) -> int:
    """Do `stats` or `clear` and print what came of it; 0 done, 1 the cache refused, 2 wrong usage."""
    if action not in ("stats", "clear"):
        print(f"aibackend cache: unknown action {action!r}: stats or clear", file=sys.stderr)
        return 2
    try:
        _namespace(target)
    except CacheError as error:
        print(f"aibackend cache: {error}", file=sys.stderr)
        return 2
    try:
        result = stats(target) if action == "stats" else clear(target, dry_run=dry_run)
    except CacheError as error:
        print(f"aibackend cache: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(result), indent=2) if as_json else report(result))
    return 0


def _namespace(target: RedisTarget) -> str:
    namespace = target.namespace or ""
    try:
        namespace_pattern(namespace)
    except ValueError:
        raise CacheError(
            "the gateway has no cache namespace (litellm_settings.cache_params.namespace), so its keys "
            "cannot be told from those of others: nothing was touched"
        ) from None
    return namespace


def _address(target: RedisTarget) -> str:
    return f"{target.host}:{target.port}/{target.db}"


def _batches(client: Redis, namespace: str) -> Iterator[list[bytes]]:
    """Give the namespace's keys, each once, in batches."""
    seen: set[bytes] = set()  # SCAN may give a key twice
    cursor = 0
    while True:
        cursor, found = client.scan(cursor=cursor, match=namespace_pattern(namespace), count=BATCH)
        keys = {key for key in found if isinstance(key, bytes) and in_namespace(key, namespace)}
        batch = sorted(keys - seen)
        seen.update(batch)
        for first in range(0, len(batch), BATCH):
            yield batch[first : first + BATCH]
        if cursor == 0:
            return


def _left_ms(client: Redis, keys: list[bytes]) -> list[int]:
    """Return the life left of each key in milliseconds; negative: it never expires, or has gone."""
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.pttl(key)
        return [int(left) for left in pipe.execute()]


def _add_bytes(client: Redis, keys: list[bytes], so_far: int) -> int | None:
    from redis.exceptions import ResponseError

    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.memory_usage(key)
        try:
            return so_far + sum(each or 0 for each in pipe.execute())
        except ResponseError:
            return None


def _number(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _size(number: int | None) -> str:
    if number is None:
        return "an unknown amount"
    size = float(number)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


class _Connection:
    """A synchronous client whose every trouble is a CacheError in plain words."""

    def __init__(self, target: RedisTarget) -> None:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._target = target
        self._client: Redis = Redis(
            host=target.host,
            port=target.port,
            db=target.db,
            username=target.username,
            password=target.password,
            ssl=target.ssl,
            ssl_cert_reqs="required" if target.ssl_verify else "none",
            ssl_check_hostname=target.ssl_verify,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )

    def __enter__(self) -> Redis:
        return self._client

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from redis.exceptions import RedisError

        self._client.close()
        if isinstance(error, RedisError | OSError):
            words = Redactor([self._target.password]).text(explain_redis(error)[1])
            raise CacheError(f"{_address(self._target)}: {words}") from None
