"""What must not be printed: which keys hold secrets, and how values and URLs are shown without them."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

__all__ = ["is_secret_key", "redact_line", "redact_url", "show_value"]

_SECRET: Final = re.compile(
    r"(api|access|master|secret|private|signing|encryption|salt|virtual)[_-]?key|^key$|secret|passw(or)?d|passphrase"
    r"|credential|bearer|authorization|(^|[_-])token($|[_-](?!s|per|count))|webhook|dsn|database_url|redis_url",
    re.IGNORECASE,
)
_NAMES_ONLY: Final = frozenset({"env_var", "requires_api_key", "api_key_env", "key_alias"})
_URL_USERINFO: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_KEY_SHAPED: Final = re.compile(r"\b(sk-|hf_|ghp_|xox[abp]-|AKIA)[A-Za-z0-9_\-]{6,}")
_YAML_PAIR: Final = re.compile(r"""([\w.\-]+|"[^"]*"|'[^']*')(\s*:\s+)(\S.*)""")
_NO_SECRETS: Final = ("os.environ/", "not-needed", '"os.environ/', "'os.environ/")
_SHOWN: Final = 60


def is_secret_key(key: object) -> bool:
    """Say whether a value under this key may be a secret."""
    return isinstance(key, str) and key not in _NAMES_ONLY and bool(_SECRET.search(key))


def show_value(key: object, value: Any) -> str:
    """Return a value as a message may show it: short, quoted, and hidden where it may be a secret."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    if value is None:
        return "nothing"
    is_reference = isinstance(value, str) and value.startswith("os.environ/")
    if is_secret_key(key) and not is_reference:
        return "the value given (not shown)"
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)[:_SHOWN]
    text = _KEY_SHAPED.sub(r"\1***", _URL_USERINFO.sub("***@", value))
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def redact_line(line: str) -> str:
    """Return a line of YAML, as in a diff, without what may be a secret: values of such keys, and in URLs."""

    def hide(match: re.Match[str]) -> str:
        key, colon, value = match.groups()
        is_open = value.startswith(_NO_SECRETS) or not is_secret_key(key.strip("\"'"))
        return match[0] if is_open else f"{key}{colon}***"

    return _KEY_SHAPED.sub(r"\1***", _URL_USERINFO.sub("***@", _YAML_PAIR.sub(hide, line)))


def redact_url(url: str) -> str:
    """Return the URL without user, password, query and fragment, any of which may hold a key."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return _URL_USERINFO.sub("***@", url)
    userinfo = "***@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, userinfo + host, parts.path, "***" if parts.query else "", ""))
