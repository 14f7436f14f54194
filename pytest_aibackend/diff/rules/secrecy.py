"""Secrecy: who can read along, and what stands in the open."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.protection import lost, protection_changed
from pytest_aibackend.diff.settings import Owned, own, owned_by, settings_that_differ
from pytest_aibackend.diff.wording import dotted, from_to, holds_secrets
from pytest_aibackend.sources.references import variable_of
from pytest_aibackend.sources.secrets import is_key_shaped, is_placeholder, show_value

__all__ = [
    "callback_added",
    "callback_removed",
    "encryption_gained",
    "encryption_lost",
    "encryption_setting_changed",
    "logging_changed",
    "secret_inlined",
    "secret_taken_out",
    "variable_changed",
]

_CALLBACKS: Final = own(
    Owned(
        "litellm_settings",
        "callbacks success_callback failure_callback service_callback input_callback audit_log_callbacks",
    ),
    Owned("general_settings", "alerting"),
)
_LOGGING: Final = own(
    Owned(
        "litellm_settings",
        """turn_off_message_logging redact_user_api_key_info log_raw_request_response set_verbose json_logs
        store_audit_logs redact_messages_in_exceptions callback_settings global_disable_no_log_param""",
    ),
    Owned(
        "general_settings",
        """store_prompts_in_spend_logs disable_spend_logs disable_error_logs alert_to_webhook_url alert_types
        alerting_args""",
    ),
)
_TLS: Final = own(Owned("litellm_settings", "ssl_verify ssl_certificate ssl_security_level ssl_ecdh_curve"))
_VARIABLES: Final = own(Owned("environment_variables"))


@change_rule(
    "encryption-lost",
    kind=ChangeKind.REMOVED,
    classes=(ChangeClass.SECURITY,),
    opposite="encryption-gained",
)
def encryption_lost(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Something goes over the network in the open, or certificates are no longer looked at.

    A server on another machine is asked by http, and was asked by https, or not at all; `ssl` of the cache or
    `ssl_verify` is off: whoever is on the way reads keys, requests and answers, or answers in the server's
    place.
    """
    for place in lost(old, new):
        yield Said(
            subject=place,
            message=f"without TLS, or without a look at certificates: {place}",
            notice="Nothing, and neither would they notice who reads along.",
        )


@change_rule(
    "encryption-gained", kind=ChangeKind.ADDED, classes=(ChangeClass.INFO,), opposite="encryption-lost"
)
def encryption_gained(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Something that went over the network in the open no longer does.

    A server that has no certificate, or one that nobody trusts, is no longer reached; one that is no longer
    asked is missed by nobody.
    """
    for place in lost(new, old):
        yield Said(
            subject=place,
            message=f"no longer without TLS, or without a look at certificates: {place}",
            notice="Nothing, if the server has a certificate that the gateway trusts, or is no longer asked.",
        )


@change_rule("encryption-setting-changed", classes=(ChangeClass.SECURITY,))
def encryption_setting_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """How certificates are looked at is another: which are trusted, with which ciphers.

    Servers may be trusted that were not, or be refused that were.
    """
    told = protection_changed(old, new)
    for place, before, after in owned_by(old, new, _TLS):
        if dotted(place) in told:
            continue
        yield Said(
            subject=place[-1],
            message=from_to(place, before, after),
            notice="Nothing, if the gateway trusts its servers' certificates.",
        )


@change_rule(
    "callback-added", kind=ChangeKind.ADDED, classes=(ChangeClass.SECURITY,), opposite="callback-removed"
)
def callback_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Requests and answers are handed to one more program or service.

    A callback sees everything: prompts, answers, names of keys. Where it sends them is in its own settings.
    """
    for name, added in _callbacks(old, new):
        yield Said(
            subject=added,
            message=f"{added} is told of requests ({name})",
            notice=f"What clients send and get is handed to {added}, too.",
        )


@change_rule(
    "callback-removed", kind=ChangeKind.REMOVED, classes=(ChangeClass.INFO,), opposite="callback-added"
)
def callback_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Requests and answers are no longer handed to a program or service.

    Its measurements, logs or checks end. If it was one that refuses requests, they are let through.
    """
    for name, removed in _callbacks(new, old):
        yield Said(
            subject=removed,
            message=f"{removed} is no longer told of requests ({name})",
            notice=f"Nothing, unless {removed} changed or refused requests.",
        )


@change_rule("logging-changed", classes=(ChangeClass.SECURITY,))
def logging_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """What is logged of requests, or who is alerted, is another.

    Prompts and answers may be written where they were not, or the other way round.
    """
    for place, before, after in owned_by(old, new, _LOGGING):
        yield Said(subject=place[-1], message=from_to(place, before, after), notice="Nothing.")
    for place, before, after in settings_that_differ(old, new):
        if place in _CALLBACKS and _texts(before) == _texts(after):
            message = f"{'.'.join(place)} is written differently or in another order"
            yield Said(subject=place[-1], message=message, notice="Nothing.")


@change_rule(
    "secret-inlined", kind=ChangeKind.ADDED, classes=(ChangeClass.SECURITY,), opposite="secret-taken-out"
)
def secret_inlined(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A secret stands in the configuration itself.

    Everybody who reads the file, its history or its backups has it. Write `os.environ/NAME`, and make a new
    one: this one is known.
    """
    for place in sorted(_secrets(new) - _secrets(old)):
        yield Said(subject=place, message=f"{place} holds the secret itself", notice="Nothing.")


@change_rule(
    "secret-taken-out", kind=ChangeKind.REMOVED, classes=(ChangeClass.INFO,), opposite="secret-inlined"
)
def secret_taken_out(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A secret no longer stands in the configuration.

    It is still in the history and in the backups: make a new one.
    """
    for place in sorted(_secrets(old) - _secrets(new)):
        yield Said(subject=place, message=f"{place} no longer holds a secret", notice="Nothing.")


@change_rule("variable-changed", classes=(ChangeClass.SECURITY,))
def variable_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A variable that the configuration gives the gateway is another.

    LiteLLM, and what it calls, read keys, addresses and switches there. Values are not shown. Where it is the
    master key the change is breaking.
    """
    masters = {variable_of(side.setting("general_settings", "master_key")) for side in (old, new)}
    for place, was, now in owned_by(old, new, _VARIABLES):
        is_master = place[-1] in {"LITELLM_MASTER_KEY", *masters}
        notice = "Nothing, unless it is a key or an address that requests go by."
        if is_master:
            notice = "Requests with the old key are refused, unless both hold the same."
        yield Said(
            subject=place[-1],
            message=from_to(place, was, now),
            notice=notice,
            classes=(ChangeClass.BREAKING, ChangeClass.SECURITY) if is_master else None,
        )


def _callbacks(one: Meaning, other: Meaning) -> Iterator[tuple[str, str]]:
    """Yield the callbacks that the other has and the one has not, with the setting that names them."""
    for place in sorted(_CALLBACKS):
        for name in sorted(_texts(other.setting(*place)) - _texts(one.setting(*place))):
            yield place[-1], name


def _texts(value: Any) -> set[str]:
    listed = value if isinstance(value, list) else [value]
    return {text if not is_key_shaped(text) else "(not shown)" for text in listed if isinstance(text, str)}


@lru_cache(maxsize=2)  # two rules ask about the same two sides
def _secrets(meaning: Meaning) -> frozenset[str]:
    found = set()
    for place, key, value in meaning.leaves():
        if not isinstance(value, str) or not value or "os.environ/" in value or is_placeholder(value):
            continue
        is_hidden = "***" in show_value("", value) and "***" not in value  # in a URL's query, for example
        if holds_secrets(key) or is_key_shaped(value) or is_hidden:
            found.add(place)
    return frozenset(found)
