"""Secrets that stand in the file, and keys that are sent where others can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import dotted
from pytest_aibackend.litellm.lint.endpoints import address_in_deployment
from pytest_aibackend.litellm.lint.token_shapes import kind_of_secret
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.references import REFERENCE
from pytest_aibackend.sources.secrets import is_placeholder, is_secret_key

__all__ = ["credentials_in_url", "literal_secret", "unencrypted_key"]

_READ: Final = "proxy/proxy_server.py, _check_for_os_environ_vars: os.environ/NAME (1.106.2)"
_WRITE: Final = "write os.environ/NAME, set that variable, and make a new one: this one is known"
# How the names of fields end that hold a secret: many hold its name, its file or its price.
_FIELD: Final = re.compile(
    r"(key|key_id|secret|passw(or)?d|pwd|pass|passphrase|contrase[nñ]a|token|authorization|bearer|auth_value|dsn"
    r"|webhook(_url)?|connection_string)$",
    re.IGNORECASE,
)
_NO_SECRETS: Final = frozenset(
    {"eos_token", "bos_token", "pad_token", "page_token", "stop_token", "next_token"}
)
_TAGS: Final = frozenset({"team_metadata_schema", "aws_session_tags"})  # where `key` is a name
_PASSWORDS: Final = re.compile(r"passw(or)?d|passphrase|secret", re.IGNORECASE)
_FILE: Final = re.compile(r"(~|\.{1,2})?(/[\w.-]+){2,}")  # of a certificate, or of a mounted secret
# What documentation has in the place of a key: sk-1234, <your-key>, my-api-key, sk-..., {{ key }}.
_EXAMPLE: Final = re.compile(
    r"(bearer\s+)?(sk-|key-)?(1234\d*|x{3,}.*|\*+|\.{3}.*|none|empty|any\w*|test.*|fake.*|dummy.*|mock.*"
    r"|example.*|placeholder.*|change.?me.*|(my|your|our|the|some|not|no)[-_ ].*|.*your[-_ ].*"
    r"|.*\b(not|no|un)[-_ ]?(used|needed|required|auth)|.*[-_ ]api[-_ ]?key"
    r"|<.*|.*>|\{.*|\$.*|%.*)",
    re.IGNORECASE,
)
_SHORT: Final = 8
_NAMES: Final = frozenset({"model", "model_name"})  # most texts of a fleet's config
_IN_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>`]+", re.IGNORECASE)


@lint_rule("literal-secret", where=_READ)
def literal_secret(context: LintContext) -> Iterator[LintProblem]:
    """A key, token or password stands in the file itself.

    Everybody who reads the file, its history or its backups has it. Write `os.environ/NAME`, keep the secret
    in the environment, and make a new one. Fields that hold secrets are known by their names, and keys of
    well-known kinds by their shape, wherever they stand. Words in the place of a key, such as `not-needed`,
    are none.
    """
    for path, text in context.document.texts:
        if path[-1] in _NAMES or REFERENCE in text or path == ("general_settings", "master_key"):
            continue
        kind = None if _EXAMPLE.fullmatch(text) else kind_of_secret(text)
        if kind is None and _is_field_of_secret(path, text):
            kind = "a secret"
        if kind is not None:
            yield LintProblem(path=path, message=f"{dotted(path)} holds {kind} itself", hint=_WRITE)


@lint_rule("credentials-in-url", where="main.py, completion: api_base; _redis.py: url (1.106.2)")
def credentials_in_url(context: LintContext) -> Iterator[LintProblem]:
    """A URL carries a password or a key.

    The file is read, copied and committed by many, and URLs are written into logs; LiteLLM shows `api_base`
    to whoever may ask for `/model/info`. With a user in its `api_base` it does not even connect. Put the
    whole URL into a variable, or the key into `api_key`.
    """
    for path, text in context.document.texts:
        urls = _IN_URL.findall(text) if "://" in text else ()
        is_api_base = path[-1] in ("api_base", "base_url")
        fact = next((fact for url in urls if (fact := _credentials(url, is_api_base=is_api_base))), None)
        if fact is not None:
            yield LintProblem(
                path=path,
                message=f"the URL at {dotted(path)} carries {fact}",
                hint="take it out, change it, and write os.environ/NAME for the whole URL or its key",
            )


@lint_rule("unencrypted-key", severity=Severity.WARNING, where="main.py, completion: api_base (1.106.2)")
def unencrypted_key(context: LintContext) -> Iterator[LintProblem]:
    """A key is sent over http to a server outside the local network.

    Whoever is on the way reads it. Use https.
    """
    for deployment in context.document.deployments:
        key = deployment.params.get("api_key")
        if not isinstance(key, str) or not key or is_placeholder(key) or _EXAMPLE.fullmatch(key):
            continue
        named = address_in_deployment(context, deployment)
        address = address_of(named[1]) if named else None
        if named is not None and address is not None and address.scheme == "http" and not address.is_private:
            yield LintProblem(
                path=deployment.at(named[0]),
                message=f"the key of {deployment.label!r} is sent to {address.host} without encryption",
                hint="use https://",
            )


def _is_field_of_secret(path: Path, text: str) -> bool:
    field = next((step for step in reversed(path) if isinstance(step, str)), "")
    if (
        field in _NO_SECRETS
        or not _TAGS.isdisjoint(path)
        or not _FIELD.search(field)
        or not is_secret_key(field)
    ):
        return False
    value = text.strip()
    if not value or is_placeholder(value) or _EXAMPLE.fullmatch(value) or _FILE.fullmatch(value):
        return False
    if _IN_URL.match(value) and "webhook" not in field.lower():
        return False  # credentials-in-url speaks of it
    return len(value) >= _SHORT or bool(_PASSWORDS.search(field))


def _credentials(url: str, *, is_api_base: bool) -> str | None:
    try:
        parts = urlsplit(url.strip())
        password = parts.password
        query = parse_qsl(parts.query)
    except ValueError:
        return None
    if is_api_base and "@" in parts.netloc:
        return "a user or password: LiteLLM does not connect"
    if password and not _EXAMPLE.fullmatch(password):
        return "a password"
    named = [key for key, value in query if is_secret_key(key) and not _EXAMPLE.fullmatch(value)]
    return f"a key, as {named[0]}" if named else None
