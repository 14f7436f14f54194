"""Cache: which answers come from memory, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.deployment import Place
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.protection import protection_changed
from pytest_aibackend.diff.settings import Owned, own, owned_by
from pytest_aibackend.diff.wording import dotted, from_to, holds_secrets
from pytest_aibackend.sources.addresses import address_of

__all__ = [
    "cache_address_changed",
    "cache_lifetime_changed",
    "cache_namespace_changed",
    "cache_off",
    "cache_on",
    "cache_setting_changed",
]

_CACHE: Final = own(
    Owned(
        "litellm_settings",
        """cache cache_params default_in_memory_ttl default_redis_ttl caching_with_models
        enable_caching_on_provider_specific_optional_params""",
    ),
    Owned(
        "router_settings",
        """cache_responses redis_host redis_port redis_url redis_db redis_password cache_kwargs caching_groups
        client_ttl""",
    ),
)
_LIFETIMES: Final = (
    "ttl",
    "default_in_redis_ttl",
    "default_in_memory_ttl",
    "default_redis_ttl",
    "client_ttl",
)
_HOSTS: Final = ("host", "redis_host")
_ADDRESSES: Final = (
    *("type", "host", "port", "url", "db", "redis_host", "redis_port", "redis_url", "redis_db"),
    *("redis_startup_nodes", "sentinel_nodes", "service_name", "s3_bucket_name", "disk_cache_dir"),
)


@change_rule("cache-off", kind=ChangeKind.REMOVED, classes=(ChangeClass.PERFORMANCE,), opposite="cache-on")
def cache_off(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Answers are no longer kept: the same request is answered anew.

    The servers have more to do, and cloud services bill every request.
    """
    if _is_on(old) and not _is_on(new):
        yield Said(
            subject="cache",
            message="the cache is off",
            notice="Repeated requests take as long as the first, and may be answered differently.",
        )


@change_rule("cache-on", kind=ChangeKind.ADDED, classes=(ChangeClass.PERFORMANCE,), opposite="cache-off")
def cache_on(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Answers are kept: the same request gets the same answer again.

    Clients that ask twice because they want two answers must send `cache: {no-cache: true}`.
    """
    if _is_on(new) and not _is_on(old):
        yield Said(
            subject="cache",
            message="the cache is on",
            notice="A repeated request gets the same answer, at once.",
        )


@change_rule("cache-namespace-changed", classes=(ChangeClass.PERFORMANCE,))
def cache_namespace_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The cache keeps its answers under other names.

    What was kept is not found again and stays until it ends by itself; the servers answer everything anew.
    """
    for place, before, after in owned_by(old, new, _CACHE):
        if place[-1] == "namespace":
            notice = "The cache is empty at first: answers take longer."
            yield _said(old, new, place, from_to(place, before, after), notice)


@change_rule("cache-lifetime-changed", classes=(ChangeClass.PERFORMANCE,))
def cache_lifetime_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Answers are kept for another time.

    Longer means fewer requests to the servers and older answers, shorter the contrary.
    """
    for place, before, after in owned_by(old, new, _CACHE):
        if place[-1] in _LIFETIMES:
            notice = "A repeated request gets the same answer for another time."
            yield _said(old, new, place, from_to(place, before, after), notice)


@change_rule("cache-address-changed", classes=(ChangeClass.PERFORMANCE,))
def cache_address_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The cache is kept elsewhere: another server, another kind.

    It is empty at first. Where the server is down the gateway answers without a cache, and says nothing. What
    stands in `router_settings` is no cache of answers: deployments' use and cooldowns are counted there.
    """
    for place, before, after in owned_by(old, new, _CACHE):
        if place[-1] in _ADDRESSES:
            is_same = place[-1] in _HOSTS and _is_here(before) and _is_here(after)
            notice = "The cache is empty at first: answers take longer."
            if place[0] == "router_settings":
                notice = "Limits and cooldowns are counted from nothing at first."
            if is_same:
                notice = "Nothing: it is this machine, written differently."
            yield _said(old, new, place, from_to(place, before, after), notice, is_noticed=not is_same)


@change_rule("cache-setting-changed", classes=(ChangeClass.PERFORMANCE,))
def cache_setting_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The cache works in another way.

    Which calls are kept, how alike two requests have to be, how the server is asked. Another password is a
    change of security.
    """
    for place, before, after in owned_by(old, new, _CACHE):
        if not _is_told(old, new, place):
            notice, is_secret = "Other requests may be answered from the cache.", holds_secrets(place[-1])
            if is_secret:
                notice = "Nothing, if the server takes it; else the gateway works without the server."
            said = _said(old, new, place, from_to(place, before, after), notice)
            yield replace(said, classes=(ChangeClass.SECURITY,)) if is_secret else said


def _is_on(meaning: Meaning) -> bool:
    value: Any = meaning.setting("litellm_settings", "cache")
    return value is True or str(value).lower() == "true"


def _said(
    old: Meaning, new: Meaning, place: Place, message: str, notice: str, *, is_noticed: bool = True
) -> Said:
    """Return what is said of a setting; while there is no cache of answers, nobody notices one of it."""
    if place[0] == "litellm_settings" and not _is_on(old) and not _is_on(new):
        notice, is_noticed = "Nothing: the cache is off.", False
    return Said(
        subject="cache",
        message=message,
        notice=notice,
        classes=None if is_noticed else (ChangeClass.INFO,),
    )


def _is_here(host: Any) -> bool:
    address = address_of(f"http://{host}") if isinstance(host, str) else None
    return address is not None and address.is_loopback


def _is_told(old: Meaning, new: Meaning, place: Place) -> bool:
    if place == ("litellm_settings", "cache"):
        return _is_on(old) != _is_on(new)
    if place[-1] == "ssl" and dotted(place) in protection_changed(old, new):
        return True
    return place[-1] in {"namespace", *_LIFETIMES, *_ADDRESSES}
