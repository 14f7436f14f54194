"""Tell network troubles apart, in plain words."""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator

from pytest_aibackend.probes.observations import State
from pytest_aibackend.probes.redact import clean_text

__all__ = ["HANG_UPS", "explain"]

_RESET = "the connection was reset before the answer was complete"
_CLOSED = "it closed the connection without an answer"
HANG_UPS = (_RESET, _CLOSED)

# OpenSSL's X509_V_ERR_* numbers, as ssl.SSLCertVerificationError.verify_code gives them.
_CERTIFICATE_TROUBLES = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed and not trusted here",
    19: "its certificate comes from a certificate authority that is not trusted here",
    20: "its certificate comes from a certificate authority that is not trusted here",
    21: "its certificate comes from a certificate authority that is not trusted here",
    23: "its certificate has been revoked",
    62: "its certificate is for another host name",
    64: "its certificate is for another IP address",
}


def explain(error: BaseException) -> tuple[State, str]:
    """Return the state and a clause ("nothing listens there") for a failed connection or answer."""
    chain = list(_chain(error))
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            reason = _CERTIFICATE_TROUBLES.get(
                each.verify_code, f"its certificate fails: {each.verify_message}"
            )
            return State.TLS_ERROR, reason
    for each in chain:
        if isinstance(each, ssl.SSLError):
            return State.TLS_ERROR, _tls_words(each)
    for each in chain:
        if isinstance(each, socket.gaierror):
            return State.DNS_ERROR, _dns_words(each)
    for each in chain:
        if isinstance(each, OSError) and (words := _os_words(each)):
            return words
    return _protocol_words(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            todo.extend(each.exceptions)
        todo += [each.__cause__, each.__context__]


def _tls_words(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return "what answers there does not speak TLS: plain http, it seems"
    if "EOF" in reason or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the connection was closed during the TLS handshake"
    if "ALERT" in reason or "VERSION" in reason or "CIPHER" in reason:
        return f"the TLS handshake was refused ({reason.replace('_', ' ').lower()})"
    return f"the TLS handshake failed ({reason.replace('_', ' ').lower() or 'no reason given'})"


def _dns_words(error: socket.gaierror) -> str:
    if error.errno == socket.EAI_NONAME:
        return "the host name does not exist"
    if error.errno == socket.EAI_AGAIN:
        return "the host name cannot be resolved now: the name server does not answer"
    return f"the host name cannot be resolved ({clean_text(error.strerror or 'no reason given')})"


def _os_words(error: OSError) -> tuple[State, str] | None:
    number = error.errno
    if isinstance(error, ConnectionRefusedError):
        return State.DOWN, "nothing listens there: the connection is refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return State.DOWN, _RESET
    if isinstance(error, TimeoutError) or number == errno.ETIMEDOUT:
        return State.TIMEOUT, "the connection was not established in time"
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN):
        return State.DOWN, "there is no route to the host"
    if number in (errno.EMFILE, errno.ENFILE):
        return State.TIMEOUT, "this machine has no free file descriptor to ask with"
    return None


def _protocol_words(error: BaseException) -> tuple[State, str]:
    text = str(error)
    if "illegal status line" in text:
        if re.search(r"b['\"]\\x15\\x03", text):
            return State.WRONG_SERVICE, "it speaks TLS, and is asked with http://"
        if re.search(r"b['\"](?:-ERR|-NOAUTH|-DENIED)", text):
            return State.WRONG_SERVICE, "it speaks Redis's protocol, not HTTP"
        if re.search(r"b['\"]SSH-", text):
            return State.WRONG_SERVICE, "it speaks SSH, not HTTP"
        return State.WRONG_SERVICE, "it does not speak HTTP"
    if "disconnected without sending" in text or not text:
        return State.DOWN, _CLOSED
    if "peer closed connection" in text:
        return State.BAD_RESPONSE, "it closed the connection in the middle of the answer"
    name = type(error).__name__
    if name in ("RemoteProtocolError", "DecodingError"):
        return State.BAD_RESPONSE, f"its answer breaks the HTTP protocol ({clean_text(text, longest=120)})"
    return State.DOWN, f"the connection failed ({name}: {clean_text(text, longest=120)})"
