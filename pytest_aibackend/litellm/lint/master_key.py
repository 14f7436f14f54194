"""The master key: without a good one LiteLLM refuses to start, or everybody may use the gateway."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import departures_of, dotted
from pytest_aibackend.litellm.lint.shape import Kind
from pytest_aibackend.litellm.master_key import MASTER_KEY, master_key_of

__all__ = [
    "master_key_literal",
    "master_key_misplaced",
    "master_key_unnamed",
    "master_key_unusable",
    "master_key_weak",
    "weakness",
]

_PATH: Final = ("general_settings", "master_key")
_PERMIT: Final = "dangerously_permit_weak_or_unset_master_key"
_PERMIT_VARIABLE: Final = f"LITELLM_{_PERMIT.upper()}"
_CHECK: Final = "proxy/auth/master_key_boot_check.py (1.106.2)"
_ADD: Final = "write master_key: os.environ/LITELLM_MASTER_KEY under general_settings, and set that variable"
# The SHA-256 of what LiteLLM refuses as known to everybody: its own example.
_PUBLISHED: Final = frozenset({"88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"})
_SHORT: Final = 12  # letters; what people type by hand


@lint_rule("master-key-unnamed", severity=Severity.WARNING, where=_CHECK)
def master_key_unnamed(context: LintContext) -> Iterator[LintProblem]:
    """The config names no master key.

    LiteLLM then takes LITELLM_MASTER_KEY from its environment, and refuses to start without it: an error
    where the environment is known and lacks it. A `master_key:` with nothing behind it is an error always,
    for LiteLLM does not look further. Name the key, so that the file says what it needs.
    """
    settings = context.document.section("general_settings")
    if settings.get("master_key") is not None or settings.get(_PERMIT) is True:
        return
    if _environment_permits(context):
        yield LintProblem(
            path=_PATH,
            message=f"no master_key is named, and {_PERMIT_VARIABLE} lets LiteLLM start without:"
            " everybody may use it",
            hint=_ADD,
            subject="general_settings",
            severity=Severity.ERROR,
        )
    elif _is_named(context):
        yield LintProblem(
            path=_PATH,
            message="master_key is empty: LiteLLM refuses to start, even where LITELLM_MASTER_KEY is set",
            hint="write master_key: os.environ/LITELLM_MASTER_KEY, and set that variable",
            severity=Severity.ERROR,
        )
    elif not context.has_variable(MASTER_KEY):
        is_known = context.environment is not None
        yield LintProblem(
            path=("general_settings",),
            message="no master_key is named, and LITELLM_MASTER_KEY is not set: LiteLLM refuses to start"
            if is_known
            else "no master_key is named; without LITELLM_MASTER_KEY LiteLLM refuses to start",
            hint=_ADD,
            subject="general_settings",
            severity=Severity.ERROR if is_known else None,
        )


@lint_rule(
    "master-key-misplaced", where="proxy/proxy_server.py, load_config: general_settings only (1.106.2)"
)
def master_key_misplaced(context: LintContext) -> Iterator[LintProblem]:
    """A master key stands in a section where LiteLLM does not look for it.

    It protects nothing there: LiteLLM refuses to start, or goes on with another key. Older versions served
    everybody. Move it under `general_settings`.
    """
    for departure in departures_of(context, Kind.UNKNOWN):
        if departure.key == "master_key":
            place = f"under {dotted(departure.path[:-1])}" if len(departure.path) > 1 else "at the top"
            yield LintProblem(
                path=departure.path,
                message=f"master_key stands {place}, where LiteLLM does not look for it",
                hint="move it under general_settings",
            )


@lint_rule(
    "master-key-literal", where="proxy/proxy_server.py, load_config: general_settings.master_key (1.106.2)"
)
def master_key_literal(context: LintContext) -> Iterator[LintProblem]:
    """The master key itself stands in the file, where everybody who reads the file has it.

    Write `os.environ/LITELLM_MASTER_KEY`, keep the key in the environment, and make a new one: a key that
    was in a file is in its history and its backups, too.
    """
    key = context.document.get(*_PATH)
    if isinstance(key, str) and key.strip() and "os.environ" not in key and not key.startswith("$"):
        yield LintProblem(
            path=_PATH,
            message="the master key stands in the file itself",
            hint="write master_key: os.environ/LITELLM_MASTER_KEY, and make a new key: this one is known",
        )


@lint_rule("master-key-unusable", where="proxy/auth/user_api_key_auth.py: the Authorization header (1.106.2)")
def master_key_unusable(context: LintContext) -> Iterator[LintProblem]:
    """No client can send the master key: it has a line break, a blank at an end, or letters outside ASCII.

    LiteLLM starts with it, and refuses whoever comes: a header cannot carry it. A line break often comes from
    `|` behind `master_key:`, or from the file that the variable was read from.
    """
    key = master_key_of(context.document.data, context.environment or {})
    if key is not None and key.strip() and (key != key.strip() or not key.isascii() or not key.isprintable()):
        yield LintProblem(
            path=_place(context),
            message="the master key has blanks or a line break at an end, or letters outside ASCII:"
            " no client can send it",
            hint="make a key of letters and digits, in one line",
        )


@lint_rule("master-key-weak", where=_CHECK)
def master_key_weak(context: LintContext) -> Iterator[LintProblem]:
    """The master key is blank, is the one from LiteLLM's documentation, or is short enough to be guessed.

    LiteLLM refuses the first two and accepts any other: whoever has the key may use every model, make keys
    and read what was logged. `dangerously_permit_weak_or_unset_master_key` lets everybody in. Make a key
    with `openssl rand -hex 32`.
    """
    key = master_key_of(context.document.data, context.environment or {})
    reason = weakness(key) if key is not None else None
    if context.document.get("general_settings", _PERMIT) is True:
        yield LintProblem(
            path=("general_settings", _PERMIT),
            message=f"{_PERMIT} lets LiteLLM start without a good master key: then everybody may use it,"
            " and it listens on all interfaces unless --host says otherwise",
            hint="remove it, and " + _ADD,
        )
    elif reason is not None:
        yield LintProblem(
            path=_place(context),
            message=f"the master key {reason}",
            hint="make a key: sk- and `openssl rand -hex 32`",
        )


def _environment_permits(context: LintContext) -> bool:
    """Say whether a variable lets LiteLLM start without a master key, and no other holds one."""
    is_given = not _is_named(context) and context.has_variable(MASTER_KEY)
    return not is_given and (context.environment or {}).get(_PERMIT_VARIABLE, "").lower() == "true"


def _is_named(context: LintContext) -> bool:
    return "master_key" in context.document.section("general_settings")


def _place(context: LintContext) -> Path:
    """Return where the config has the master key, or should have it."""
    block = ("environment_variables", MASTER_KEY)
    return block if not _is_named(context) and context.document.get(*block) is not None else _PATH


def weakness(key: str) -> str | None:
    """Return what is wrong with a master key, None where nothing is."""
    key = key.strip()
    if not key:
        return "is blank: LiteLLM refuses to start"
    if hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest() in _PUBLISHED:
        return "is the one from LiteLLM's documentation: LiteLLM refuses to start"
    if len(key) < _SHORT:
        return f"has {len(key)} letters only: it can be guessed"
    return None
