"""Take base URLs apart: where a server's root is, where its OpenAI-like API, and who may ask."""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pytest_aibackend.probes.redact import redact_url

__all__ = ["BadUrlError", "BaseUrl", "parse_base_url"]

_VERSION_SEGMENT = re.compile(r"v\d+(?:(?:alpha|beta)\d*)?", re.ASCII)


class BadUrlError(ValueError):
    """The text is no URL that can be asked; the message says why, and repeats no secret."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseUrl:
    """A base URL without its user info, and what follows from it."""

    origin: str  # scheme://host:port
    path: str  # "" or "/v1" or "/api/v1", never with a slash at its end
    host: str  # without brackets
    port: int
    shown: str  # redacted
    basic_auth: str | None = field(default=None, repr=False)  # value of an Authorization header

    @property
    def is_https(self) -> bool:
        """Tell whether it is asked over TLS."""
        return self.origin.startswith("https:")

    @property
    def root(self) -> str:
        """The server's own root: the base URL without /v1 (or Ollama's /api) at its end."""
        return self.origin + re.sub(r"/(?:v1|api)$", "", self.path)

    @property
    def openai_root(self) -> str:
        """Where /models and /chat/completions are: never /v1/v1, and other versions are left alone."""
        if any(_VERSION_SEGMENT.fullmatch(segment) for segment in self.path.split("/")):
            return self.origin + self.path
        return f"{self.origin}{self.path}/v1"

    @property
    def is_local(self) -> bool:
        """Tell whether the host is this machine, a private address or a bare name.

        A proxy from the environment is not for these.
        """
        if self.host == "localhost" or self.host.endswith(".localhost") or "." not in self.host:
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return address.is_loopback or address.is_private or address.is_link_local


def parse_base_url(text: str) -> BaseUrl:
    """Take a base URL apart. Raises BadUrlError."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadUrlError(f"{redact_url(text)} is not a URL: {_without_input(error)}") from None
    shown = redact_url(text.strip())
    if parts.scheme not in ("http", "https"):
        raise BadUrlError(f"{shown} begins neither with http:// nor with https://")
    if re.search(r"[^/]@", parts.path + parts.query + parts.fragment):
        raise BadUrlError(f"{shown} has an @ behind its host: a password must be percent-encoded")
    if not host:
        raise BadUrlError(f"{shown} names no host")
    if re.search(r"[\s\x00-\x1f\x7f\\<>^`{|}$]", host):
        raise BadUrlError(f"{shown} has a host that is no host name")
    if port == 0:
        raise BadUrlError(f"{shown} names port 0, where nothing can listen")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise BadUrlError(f"{shown} has a host that is no host name") from None
    basic = None
    if parts.username or parts.password:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
    number = port or (443 if parts.scheme == "https" else 80)
    netloc = f"[{host}]" if ":" in host else host
    return BaseUrl(
        origin=f"{parts.scheme}://{netloc}" + (f":{port}" if port else ""),
        path=parts.path.rstrip("/"),
        host=host,
        port=number,
        shown=shown,
        basic_auth=basic,
    )


def _without_input(error: ValueError) -> str:
    # urllib repeats what it could not read, which may be a password with a slash or a colon in it.
    text = str(error)
    return "its port is no number from 0 to 65535" if "ort" in text else "its host is malformed"
