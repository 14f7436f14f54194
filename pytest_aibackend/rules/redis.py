"""Check 11: the cache server is there, lets the gateway in, and keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from pytest_aibackend.findings import Path, Problem, Severity
from pytest_aibackend.probes.state import State
from pytest_aibackend.rules.registry import Group, LiveBackend, declare_group, rule
from pytest_aibackend.sources.backend import Backend

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import RedisObservation

__all__ = ["ENDPOINT", "healthy_caches", "redis_params", "redis_params_of", "redis_problem"]

_PARAMS: Final[Path] = ("litellm_settings", "cache_params")
_KEEPS_ALL: Final = ("noeviction",)
_OLDEST: Final = (6, 0)  # UNLINK, ACLs and SET ... EX are there
_NEARLY_FULL: Final = 0.9


def redis_params(backend: Backend) -> Mapping[str, Any] | None:
    """Return the settings of the Redis that the gateway caches in, None where it has none."""
    return redis_params_of(backend.gateway.litellm_settings)


def redis_params_of(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the settings of the Redis that some `litellm_settings` cache in, None where there is none.

    `cache: true` alone is a Redis that the environment names (LiteLLM 1.106.2, proxy/proxy_server.py).
    """
    params = settings.get("cache_params")
    params = {} if params is None else params
    if settings.get("cache") is not True or not isinstance(params, dict):
        return None
    return params if str(params.get("type", "redis")) in ("redis", "redis-semantic") else None


def _endpoint(backend: Backend) -> list[str]:
    params = redis_params(backend)
    if params is None:
        return []
    if "host" not in params and "url" in params:
        return ["redis"]
    host = params.get("host") or ("127.0.0.1" if params else "$REDIS_HOST")
    return [f"{host}:{params.get('port') or 6379}".replace("os.environ/", "$")]


ENDPOINT = declare_group(
    Group(id="redis-endpoint", check=11, noun="redis", needs=("gateway",), subjects=_endpoint, live=True)
)


def _seen(live: LiveBackend) -> tuple[RedisObservation, ...]:
    found: tuple[RedisObservation, ...] = live.observations.observations.redis
    return found


def healthy_caches(live: LiveBackend) -> Iterator[RedisObservation]:
    """Yield what was seen of the cache server, if it is well."""
    yield from (seen for seen in _seen(live) if seen.state.is_healthy)


def redis_problem(live: LiveBackend, group: Group, message: str, hint: str, *keys: str) -> Problem:
    """Return a problem of the one subject of a group, at a key of `cache_params`."""
    subject = next(iter(group.subjects(live.backend)), "redis")
    return Problem(source="gateway", path=(*_PARAMS, *keys), message=message, hint=hint, subject=subject)


def _in_state(live: LiveBackend, *states: State, hint: str, key: str) -> Iterator[Problem]:
    for seen in _seen(live):
        if seen.state in states:
            message = f"Redis at {seen.address}: {seen.detail}"
            yield redis_problem(live, ENDPOINT, message, hint, key)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@rule("redis-down", group=ENDPOINT.id)
def redis_down(live: LiveBackend) -> Iterator[Problem]:
    """The cache server does not answer.

    LiteLLM boots all the same, 8 s slower, and works without a cache; only its log says so (1.106.2).
    """
    yield from _in_state(
        live,
        State.DOWN,
        State.TIMEOUT,
        State.DNS_ERROR,
        State.BAD_URL,
        hint="start it, or correct host and port",
        key="host",
    )


@rule("redis-tls", group=ENDPOINT.id)
def redis_tls(live: LiveBackend) -> Iterator[Problem]:
    """The cache server and `cache_params` do not agree on TLS, or its certificate is not trusted.

    Set `ssl: true` (or a `rediss://` URL) where the server speaks TLS, and only there.
    """
    yield from _in_state(
        live, State.TLS_ERROR, hint="correct cache_params.ssl, or mend the certificate", key="ssl"
    )


@rule("redis-unauthorised", group=ENDPOINT.id)
def redis_unauthorised(live: LiveBackend) -> Iterator[Problem]:
    """The cache server refuses the password, or asks for one where none is configured.

    LiteLLM then answers without its cache and says so only in its log. Correct `password` or `username` in
    `cache_params`.
    """
    yield from _in_state(
        live,
        State.UNAUTHORISED,
        hint="set cache_params.password: os.environ/REDIS_PASSWORD, and that variable",
        key="password",
    )


@rule("redis-loading", group=ENDPOINT.id)
def redis_loading(live: LiveBackend) -> Iterator[Problem]:
    """The cache server is still reading its data from disk and refuses commands meanwhile.

    It is ready in a while; nothing is cached until then. Ask again.
    """
    yield from _in_state(live, State.LOADING, hint="wait, and run the check again", key="host")


@rule("redis-wrong-service", group=ENDPOINT.id)
def redis_wrong_service(live: LiveBackend) -> Iterator[Problem]:
    """Something answers at the cache server's address, and it is not Redis, or a broken one.

    Nothing is cached. Correct host and port in `cache_params`, or stop what took the port.
    """
    yield from _in_state(
        live,
        State.WRONG_SERVICE,
        State.BAD_RESPONSE,
        State.REDIRECTED,
        State.RATE_LIMITED,
        hint="correct host and port",
        key="port",
    )


@rule("redis-slow", group=ENDPOINT.id, severity=Severity.WARNING)
def redis_slow(live: LiveBackend) -> Iterator[Problem]:
    """The cache server took a large part of the time that a probe may take: slower than no cache.

    Every request waits for it. Look at what else the server does, or use one that is nearer.
    """
    yield from _in_state(live, State.SLOW, hint="look for long commands with SLOWLOG", key="host")


@rule("redis-too-old", group=ENDPOINT.id, severity=Severity.WARNING)
def redis_too_old(live: LiveBackend) -> Iterator[Problem]:
    """The cache server is older than version 6, which has no users and gets no security fixes.

    Whoever reaches it can read every cached answer. Update it.
    """
    for seen in healthy_caches(live):
        parts = (seen.version or "").split(".")
        if (
            len(parts) >= 2
            and all(part.isdigit() for part in parts[:2])
            and (int(parts[0]), int(parts[1])) < _OLDEST
        ):
            yield redis_problem(
                live, ENDPOINT, f"{seen.server} {seen.version} is older than 6.0", "upgrade it", "host"
            )


@rule("redis-read-only", group=ENDPOINT.id)
def redis_read_only(live: LiveBackend) -> Iterator[Problem]:
    """The cache server is a replica: it takes no writes, so nothing is ever cached.

    Name its primary in `cache_params`.
    """
    for seen in healthy_caches(live):
        if seen.role == "slave":
            yield redis_problem(
                live,
                ENDPOINT,
                f"Redis at {seen.address} is a replica and takes no writes",
                "name the primary server",
                "host",
            )


@rule("redis-memory", group=ENDPOINT.id, severity=Severity.WARNING)
def redis_memory(live: LiveBackend) -> Iterator[Problem]:
    """The server's memory or eviction policy will drop the cache, or other people's data.

    With `noeviction` a full server refuses writes; with an `allkeys` policy it drops keys of everybody,
    also data that is no cache. `volatile-lru` or `volatile-ttl` drops only keys that expire anyhow.
    """
    for seen in healthy_caches(live):
        if not seen.maxmemory:
            continue
        policy = seen.maxmemory_policy or "noeviction"
        share = (seen.used_memory or 0) / seen.maxmemory
        others = sum(prefix.count for prefix in seen.foreign_prefixes)
        if policy.startswith("allkeys") and others:
            yield redis_problem(
                live,
                ENDPOINT,
                f"maxmemory-policy {policy} drops keys of everybody, and {others} keys here belong to others",
                "set maxmemory-policy volatile-lru, or give the gateway its own server",
                "host",
            )
        elif policy in _KEEPS_ALL and share > _NEARLY_FULL:
            yield redis_problem(
                live,
                ENDPOINT,
                f"the server is {share:.0%} full and its policy {policy} refuses writes then",
                "raise maxmemory, or set maxmemory-policy volatile-lru",
                "host",
            )


@rule("redis-without-password", group=ENDPOINT.id, severity=Severity.WARNING)
def redis_without_password(live: LiveBackend) -> Iterator[Problem]:
    """The cache server lets anybody in, and is not on this machine alone.

    Cached answers hold what your users asked. Set a password, or bind it to loopback.
    """
    for seen in healthy_caches(live):
        if seen.password_required is False and not _is_loopback(seen.address.rpartition(":")[0]):
            yield redis_problem(
                live,
                ENDPOINT,
                f"Redis at {seen.address} asks nobody for a password",
                "set requirepass and cache_params.password: os.environ/REDIS_PASSWORD",
                "host",
            )
