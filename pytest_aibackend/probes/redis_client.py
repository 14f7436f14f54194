"""A client for Redis or Valkey that asks once: no retries, no pool, no secret in its messages."""

from __future__ import annotations

import ssl as ssl_library
from typing import TYPE_CHECKING, Any

from pytest_aibackend.probes.observations import State
from pytest_aibackend.probes.redact import clean_text
from pytest_aibackend.probes.targets import RedisTarget
from pytest_aibackend.probes.trouble import explain

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["CLIENT_NAME", "connect", "explain_redis"]

CLIENT_NAME = "aibackend-probe"


def connect(target: RedisTarget, *, anonymous: bool = False) -> Redis:
    """Return a client that connects at its first command. The caller closes it."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    options: dict[str, Any] = {}
    if target.ssl:
        options = {
            "ssl": True,
            "ssl_cert_reqs": "required" if target.ssl_verify else "none",
            "ssl_check_hostname": target.ssl_verify,
            "ssl_ca_path": ssl_library.get_default_verify_paths().capath,
            "ssl_ca_certs": ssl_library.get_default_verify_paths().cafile,
        }
    if not anonymous:
        options |= {"username": target.username, "password": target.password}
    return Redis(
        host=target.host,
        port=target.port,
        db=0 if anonymous else target.db,
        socket_timeout=None,  # the budget's deadline rules
        socket_connect_timeout=None,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        driver_info=None,
        **options,
    )


def explain_redis(error: BaseException) -> tuple[State, str]:
    """Return the state and a sentence for an error of the server, of the connection or of the protocol."""
    from redis import exceptions

    text = clean_text(str(error), longest=200)
    if isinstance(error, exceptions.BusyLoadingError) or text.startswith("LOADING"):
        return State.LOADING, "it is loading its data into memory"
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return State.UNAUTHORISED, _auth_words(text)
    if isinstance(error, exceptions.NoPermissionError) or text.startswith("NOPERM"):
        return State.UNAUTHORISED, f"this user may not do that ({text})"
    if isinstance(error, exceptions.InvalidResponse):
        return State.WRONG_SERVICE, "it does not speak Redis's protocol"
    if isinstance(error, exceptions.ResponseError):
        if text.startswith(("NOAUTH", "WRONGPASS")) or "AUTH" in text:
            return State.UNAUTHORISED, _auth_words(text)
        if "DB index is out of range" in text:
            return State.BAD_RESPONSE, "it has no database of that number"
        return State.BAD_RESPONSE, f"it answers with an error ({text})"
    if isinstance(error, exceptions.ConnectionError) and "closed by server" in text.lower():
        return State.DOWN, "it closed the connection without an answer"
    if isinstance(error, exceptions.MaxConnectionsError):
        return State.DOWN, "it has no connection left for us"
    return explain(error)


def _auth_words(text: str) -> str:
    lowered = text.lower()
    if "without any password configured" in lowered or "no password is set" in lowered:
        return "a password is configured here, but the server has none"
    if "wrongpass" in lowered or "invalid" in lowered:
        return "it refuses the user name or the password"
    return "it wants a password"
