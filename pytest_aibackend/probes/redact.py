"""Keep secrets and control characters out of everything that is reported."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

__all__ = ["Redactor", "clean_text", "redact_url"]

HIDDEN = "***"
LONGEST_TEXT = 400  # characters of anything that a server said

# Shorter ones would blacken ordinary words, and guard nothing.
SHORTEST_SECRET = 4

# Names that come from the configuration, not from a server: they are what observations are looked up by.
_OWN_WORDS = frozenset(
    {
        "name",
        "type",
        "state",
        "protocol",
        "namespace",
        "group",
        "missing_models",
        "missing_groups",
        "unlisted_cloud_models",
    }
)

_LATE_USER_INFO = re.compile(r"[^/?#]*[/?#].*[^/]@", re.DOTALL)


def clean_text(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return the text on one line, without control characters, cut to `longest` characters.

    What a server says ends up in a terminal and in reports: it must not move the cursor or fill the screen.
    """
    cut = text[: longest * 2]
    plain = "".join(" " if unicodedata.category(each).startswith(("C", "Z")) else each for each in cut)
    plain = re.sub(r" {2,}", " ", plain).strip()
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def redact_url(url: str) -> str:
    """Return the URL without user info, and with the values of its query hidden.

    A password with a slash, a question mark or a hash in it ends the host too early: what stands before an
    `@` that no slash precedes is taken for user info too.
    """
    before, scheme_end, rest = url.partition("//")
    if _LATE_USER_INFO.match(rest):
        url = f"{before}{scheme_end}{HIDDEN}@{rest.rpartition('@')[2]}"
    try:
        parts = urlsplit(url)
        netloc = parts.netloc
    except ValueError:
        return re.sub(r"//[^/?#]*@", f"//{HIDDEN}@", clean_text(url))
    if "@" in netloc:
        netloc = f"{HIDDEN}@{netloc.rpartition('@')[2]}"
    query = re.sub(r"=[^&]*", f"={HIDDEN}", parts.query)
    return clean_text(urlunsplit((parts.scheme, netloc, parts.path, query, "")))


class Redactor:
    """Replace known secrets, as they are and in the forms in which they travel."""

    def __init__(self, secrets: Iterable[str | None]) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if secret is None or len(secret) < SHORTEST_SECRET:
                continue
            forms |= {secret, quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
            forms.add(base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode().rstrip("="))
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to hide."""
        return self._pattern is None

    def text(self, text: str) -> str:
        """Return the text with every known secret replaced by stars."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def plain(self, value: Any) -> Any:
        """Return plain JSON data with every text in it redacted, but the names from the configuration."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if isinstance(value, dict):
            return {
                key: each if key in _OWN_WORDS and isinstance(each, str | list) else self.plain(each)
                for key, each in value.items()
            }
        return value
