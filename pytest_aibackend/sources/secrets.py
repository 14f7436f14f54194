"""What must not be printed: which keys hold secrets, and how values and URLs are shown without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from pytest_aibackend.sources.references import REFERENCE, is_reference

__all__ = [
    "is_key_shaped",
    "is_placeholder",
    "is_secret_key",
    "redact_diff",
    "redact_line",
    "redact_text",
    "redact_url",
    "show_value",
]

_SECRET: Final = re.compile(
    r"(api|access|master|secret|priv|private|signing|encryption|salt|virtual|auth|service|account|db|database|client)"
    r"[_-]?key|(^|[_-])key$|secret|passw(or)?d|passphrase|(^|_)pwd$|(db|database|key)_?pass$|contrase[nñ]a"
    r"|credential|bearer|authorization|auth_value|(^|(?<!per)[_-])token($|[_-](?!s|per|count))|webhook|dsn"
    r"|database_url|redis_url",
    re.IGNORECASE,
)
_NAMES_ONLY: Final = frozenset(
    {"env_var", "requires_api_key", "api_key_env", "key_alias", "credential_name", "litellm_credential_name"}
)
_OTHER_KEYS: Final = re.compile(
    r"(cache|public|existing|primary|foreign|partition|sort)[_-]key$", re.IGNORECASE
)
_PASSWORD_IN_URL: Final = re.compile(r"://[^/?#\s@:]*:[^/?#\s@]+@")
_URL_USERINFO: Final = re.compile(r"(?<=://)[^/?#\s]*@")
# Also where the scheme was forgotten: me:password@host.
_BARE_USERINFO: Final = re.compile(r"(?<![\w/.])[^\s:/@\"'=]+:[^\s/@\"']+@(?=[\w\[])")
_QUERY: Final = re.compile(r"([?&])([\w.\-]+)=([^&#\s\"']+)")
_KEY_SHAPED: Final = re.compile(
    r"\b(sk-|hf_|ghp_|xox[abp]-|AKIA|hooks\.slack\.com/services/)[A-Za-z0-9_\-/]{6,}"
)
_YAML_PAIR: Final = re.compile(r"""([\w.\-]+|"[^"]*"|'[^']*')(\s*:\s+)(\S.*)""")
_OPEN_PAIR: Final = re.compile(r"""[\s\-]*([\w.\-]+|"[^"]*"|'[^']*')\s*:\s*([|>].*)?""")
_NAMED: Final = re.compile(r"([\w.\-]+)[\"']?\s*[:=]\s*(?=\S)")
_VALUE: Final = re.compile(r"\S+")
_NO_SECRETS: Final = (REFERENCE, "not-needed", f'"{REFERENCE}', f"'{REFERENCE}")
_SHOWN: Final = 60
# What people write for a server that asks for no key, so that the client starts.
_PLACEHOLDERS: Final = frozenset(
    """not-needed notneeded not_needed none no-key nokey no-key-required no-api-key sk-no-key-required empty
    dummy dummy-key fake fake-key fake-api-key placeholder null na n/a x xx xxx xxxx anything whatever unused
    ignored ollama lm-studio llama.cpp""".split()  # noqa: SIM905 # a text is easier to read than thirty quoted words
)


def is_secret_key(key: object) -> bool:
    """Say whether a value under this key may be a secret."""
    if not isinstance(key, str) or key in _NAMES_ONLY or _OTHER_KEYS.search(key):
        return False
    return bool(_SECRET.search(key))


def is_placeholder(value: object) -> bool:
    """Say whether an API key is a word in the place of one, for a server that asks for none."""
    return isinstance(value, str) and value.strip().lower() in _PLACEHOLDERS


def is_key_shaped(value: str) -> bool:
    """Say whether a text holds what looks like a key of a well-known kind, or a password in a URL."""
    if is_placeholder(value) or is_reference(value):
        return False
    return bool(_KEY_SHAPED.search(value)) or bool(_PASSWORD_IN_URL.search(value))


def show_value(key: object, value: Any) -> str:
    """Return a value as a message may show it: short, quoted, and hidden where it may be a secret."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple, set)):
        return "a list"
    if value is None:
        return "nothing"
    if is_secret_key(key) and not is_reference(value):
        return "the value given (not shown)"
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)[:_SHOWN]
    text = _hide_in_urls(value)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def redact_line(line: str) -> str:
    """Return a line of YAML, as in a diff, without what may be a secret: values of such keys, and in URLs."""

    def hide(match: re.Match[str]) -> str:
        key, colon, value = match.groups()
        is_open = value.startswith(_NO_SECRETS) or not is_secret_key(key.strip("\"'"))
        return match[0] if is_open else f"{key}{colon}***"

    return _hide_in_urls(_YAML_PAIR.sub(hide, line))


def redact_text(text: str) -> str:
    """Return what a program said without the values that stand behind names of secrets, or in URLs."""
    for match in reversed([*_NAMED.finditer(text)]):
        if is_secret_key(match[1]) and not text.startswith(_NO_SECRETS, match.end()):
            text = text[: match.end()] + _VALUE.sub("***", text[match.end() :], count=1)
    return _hide_in_urls(text)


def redact_diff(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a diff of YAML without secrets, those on lines of their own below a key included."""
    hidden_below: int | None = None  # the indentation of a key of secrets whose value stands below it
    for line in lines:
        content = line[1:]
        indentation = len(content) - len(content.lstrip())
        is_item = content.lstrip().startswith("- ") and hidden_below == indentation
        if line.startswith(("@@", "---", "+++")):
            hidden_below = None
        elif hidden_below is not None and (indentation > hidden_below or is_item):
            yield f"{line[:1]}{' ' * indentation}***"
            continue
        else:
            match = _OPEN_PAIR.fullmatch(content)
            is_open = match is not None and is_secret_key(match[1].strip("\"'"))
            hidden_below = indentation if is_open else None
        yield redact_line(line)


def _hide_in_urls(text: str) -> str:
    def hide(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}=***" if is_secret_key(match[2]) else match[0]

    text = _BARE_USERINFO.sub("***@", _URL_USERINFO.sub("***@", text))
    return _KEY_SHAPED.sub(r"\1***", _QUERY.sub(hide, text))


def redact_url(url: str) -> str:
    """Return the URL without user, password, query and fragment, any of which may hold a key."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return _URL_USERINFO.sub("***@", url)
    userinfo = "***@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, userinfo + host, parts.path, "***" if parts.query else "", ""))
