"""Find out what a silent or rude port speaks, for the sentence that says so."""

from __future__ import annotations

import asyncio
import ssl

from pytest_aibackend.probes.http import Budget

__all__ = ["HTTP", "REDIS", "SSH", "TLS", "sniff"]

REDIS = "Redis"
SSH = "an SSH server"
HTTP = "an HTTP server"
TLS = "a TLS server"

PATIENCE_S = 1.0  # a port that has said nothing by then waits for something else

_GREETINGS = (
    (b"+PONG", REDIS),
    (b"-NOAUTH", REDIS),
    (b"-ERR", REDIS),
    (b"-DENIED", REDIS),
    (b"-LOADING", REDIS),
    (b"SSH-", SSH),
    (b"HTTP/", HTTP),
    (b"<", HTTP),
    (b"\x15\x03", TLS),
)


async def sniff(host: str, port: int, budget: Budget) -> str | None:
    """Return what answers on a port, or None when it gives no sign; one PING is all that is sent."""
    greeting = await _first_bytes(host, port, budget)
    if greeting is None:
        return None
    for sign, service in _GREETINGS:
        if greeting.startswith(sign):
            return service
    return TLS if await _shakes_hands(host, port, budget) else None


async def _first_bytes(host: str, port: int, budget: Budget) -> bytes | None:
    """Return what comes after a PING, empty for silence; None if nobody is there."""
    try:
        async with asyncio.timeout_at(budget.deadline):
            reader, writer = await asyncio.open_connection(host, port)
    except (TimeoutError, OSError):
        return None
    try:
        async with asyncio.timeout(min(PATIENCE_S, budget.left_s)):
            writer.write(b"PING\r\n\r\n")
            return await reader.read(64)
    except (TimeoutError, OSError):
        return b""
    finally:
        writer.transport.abort()


async def _shakes_hands(host: str, port: int, budget: Budget) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent: the question is only whether it speaks TLS
    try:
        async with asyncio.timeout(min(PATIENCE_S, budget.left_s)):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (TimeoutError, OSError):
        return False
    writer.transport.abort()
    return True
