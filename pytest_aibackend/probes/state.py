"""The kinds of answer, or of silence, that a service can give. Imported by rules: keep it light."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["State"]


class State(StrEnum):
    """What kind of answer, or of silence, a service gave."""

    OK = "ok"  # answers as its own protocol does
    SLOW = "slow"  # ok, but took more than SLOW_SHARE of the timeout
    LOADING = "loading"  # alive, its model or data still on the way
    DOWN = "down"  # nothing listens, the connection breaks, or it says itself that it cannot work
    TIMEOUT = "timeout"  # no complete answer within the time budget
    UNAUTHORISED = "unauthorised"  # the key is missing, wrong, or not allowed
    RATE_LIMITED = "rate_limited"  # answered 429
    WRONG_SERVICE = "wrong_service"  # something else answers there
    REDIRECTED = "redirected"  # answers with a redirect, which is not followed
    TLS_ERROR = "tls_error"  # certificate or handshake trouble
    DNS_ERROR = "dns_error"  # the host name does not resolve
    BAD_RESPONSE = "bad_response"  # its protocol, but broken: not JSON, too large, wrong shape, 5xx
    BAD_URL = "bad_url"  # cannot be asked at all

    @property
    def is_healthy(self) -> bool:
        """Tell whether the service can be used: ok, or only slow."""
        return self in (State.OK, State.SLOW)
