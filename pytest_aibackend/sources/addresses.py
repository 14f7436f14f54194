"""URLs of services, taken apart, and shown without what may be secret."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from pytest_aibackend.sources.secrets import redact_url

__all__ = ["Address", "address_of", "shown_url", "url_trouble"]

_REMEMBERED: Final = 4096  # the deployments of a fleet share their servers
_USERINFO: Final = re.compile(r"[^/?#\s@]*:[^/?#\s]*@")
_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST: Final = re.compile(r"^[A-Za-z0-9._-]+$")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LOOPBACK_NAMES: Final = ("localhost", "0.0.0.0", "::", "ip6-localhost")  # noqa: S104 # compared, never bound
_LOCAL_SUFFIXES: Final = (".local", ".lan", ".internal", ".home.arpa", ".svc", ".localdomain", ".localhost")


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a URL leads."""

    scheme: str
    host: str
    port: int
    path: str
    has_query: bool
    has_userinfo: bool

    @property
    def is_loopback(self) -> bool:
        """Say whether it is this machine, by name or number."""
        if self.host in _LOOPBACK_NAMES or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def is_private(self) -> bool:
        """Say whether it is this machine or one beside it, also by a private network such as Tailscale's."""
        if self.is_loopback or "." not in self.host or self.host.endswith(_LOCAL_SUFFIXES):
            return True
        try:
            return not ipaddress.ip_address(self.host).is_global  # 100.64.0.0/10 is neither
        except ValueError:
            return False

    @property
    def endpoint(self) -> tuple[str, int]:
        """Return host and port, all names of this machine being one."""
        return ("127.0.0.1" if self.is_loopback else self.host, self.port)


def shown_url(url: str) -> str:
    """Return the URL as a message may show it."""
    shown = _USERINFO.sub("***@", redact_url(url))
    return repr(shown if len(shown) <= 80 else shown[:80] + "...")


@lru_cache(maxsize=_REMEMBERED)
def address_of(url: str) -> Address | None:
    """Return where a URL leads, None where it leads nowhere."""
    if url_trouble(url) is not None:
        return None
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port or _DEFAULT_PORTS[parts.scheme.lower()]
    return Address(
        scheme=parts.scheme.lower(),
        host=host,
        port=port,
        path=parts.path.rstrip("/"),
        has_query=bool(parts.query or parts.fragment),
        has_userinfo="@" in parts.netloc,
    )


@lru_cache(maxsize=_REMEMBERED)
def url_trouble(url: str) -> tuple[str, str] | None:
    """Return what keeps a text from being the URL of a server, and the hint, None where it is one."""
    if not url.strip():
        return "is empty", "write the server's address, as in http://127.0.0.1:11434"
    if re.search(r"\s", url):
        return "holds white space", "remove it"
    scheme = _SCHEME.match(url)
    if scheme is None:
        return "does not begin with http:// or https://", "write it in full, as in http://127.0.0.1:11434"
    if scheme[1].lower() not in _DEFAULT_PORTS:
        return f"begins with {scheme[1]}://, which LiteLLM does not speak", "use http:// or https://"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "has brackets that do not hold an IPv6 address", "write it as in http://[::1]:8000"
    if not host:
        return "names no host", "write the host after //, as in http://127.0.0.1:11434"
    if ":" not in host and not _HOST.match(host) and not host.isalnum():
        return "has a host name that no server can have", "use letters, digits, dots and dashes"
    return _port_trouble(parts.netloc.rpartition("@")[2])


def _port_trouble(netloc: str) -> tuple[str, str] | None:
    port = netloc.rpartition("]")[2].partition(":")[2]
    if ":" in port:
        return "has more than one port", "keep one; an IPv6 address stands in brackets"
    if port and not (port.isascii() and port.isdigit()):
        return "has a port that is not a number", "write the port that the server listens on"
    if port and not 1 <= int(port[:9]) <= 65535:
        return f"has port {port[:9]}; a port is from 1 to 65535", "write the port that the server listens on"
    return None
