"""Deployments: which servers answer a model group, and how they are asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.deployment import Deployment, Place
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.noticed import is_no_key, of_move, of_setting, of_shares
from pytest_aibackend.diff.pairing import pairs_by_group
from pytest_aibackend.diff.protection import protection_changed
from pytest_aibackend.diff.reach import place_of
from pytest_aibackend.diff.rules.answering import is_cost, modes
from pytest_aibackend.diff.shares import share_of
from pytest_aibackend.diff.wording import MISSING, dotted, from_to, leaves_that_differ, shown
from pytest_aibackend.sources.references import is_reference

__all__ = [
    "deployment_added",
    "deployment_moved",
    "deployment_removed",
    "deployment_setting_changed",
    "key_reference_changed",
    "order_changed",
    "rate_limit_relaxed",
    "rate_limit_tightened",
    "time_limit_changed",
    "weight_changed",
]

_LIMITS: Final = (
    *("rpm", "tpm", "itpm", "otpm", "max_parallel_requests", "max_budget"),
    *("default_api_key_rpm_limit", "default_api_key_tpm_limit"),
)
_TIMES: Final = ("timeout", "stream_timeout", "max_retries", "num_retries", "request_timeout")
_ADDRESS: Final = ("api_base", "base_url")
_KEYS: Final = ("api_key", "litellm_credential_name")
_MODEL: Final = ("model", "custom_llm_provider")
_WINDOWS: Final = ("max_input_tokens", "num_ctx")
_TOLD: Final = frozenset({*_LIMITS, *_TIMES, *_ADDRESS, *_KEYS, *_MODEL, "weight", "order"})


@change_rule(
    "deployment-added",
    kind=ChangeKind.ADDED,
    classes=(ChangeClass.PERFORMANCE,),
    opposite="deployment-removed",
)
def deployment_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """One more server answers a model group.

    The load is shared with it, or it is asked when another fails; its answers are those of its own model.
    """
    for group, pairs in pairs_by_group(old, new).items():
        for found in pairs.added:
            yield Said(
                subject=group,
                message=f"{found.model} at {place_of(found)} answers {group!r}, too",
                notice=f"Some requests of {group!r} are answered by {found.model}.",
                clients=new.clients(group),
            )


@change_rule(
    "deployment-removed",
    kind=ChangeKind.REMOVED,
    classes=(ChangeClass.PERFORMANCE,),
    opposite="deployment-added",
)
def deployment_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """One server fewer answers a model group.

    The others take its share, and one fewer is left when they fail.
    """
    for group, pairs in pairs_by_group(old, new).items():
        for found in pairs.removed:
            yield Said(
                subject=group,
                message=f"{found.model} at {place_of(found)} no longer answers {group!r}",
                notice=f"{len(old.groups[group])} deployments answered {group!r};"
                f" now {len(new.groups[group])}.",
                clients=new.clients(group),
            )


@change_rule("deployment-moved", classes=(ChangeClass.INFO,))
def deployment_moved(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A model group is answered at another address.

    Where the new server is not up, or does not have the model, requests fail or go on to a fallback. Another
    user, password or query in the address of the same server is a change of security.
    """
    for group, before, after, places in _changed(old, new):
        is_lent = before.base == after.base and ("litellm_params", "litellm_credential_name") in places
        if any(place[-1] in _ADDRESS for place in places) and not is_lent:
            where = place_of(before), place_of(after)
            if where[0] == where[1]:
                where = _shown_base(before), _shown_base(after)
            told = f"was asked at {where[0]}, is asked at {where[1]}"
            if where[0] == where[1]:
                told = f"is asked at {where[1]} with another user, password or query"
            if before.base == after.base:
                told = f"is asked at {where[1]}, which is written in another place"
            notice, classes = of_move(group, before, after)
            yield Said(
                subject=group,
                message=f"{after.model} of {group!r} {told}",
                notice=notice,
                classes=classes,
                clients=new.clients(group),
            )


@change_rule("weight-changed", classes=(ChangeClass.PERFORMANCE,))
def weight_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A deployment gets another share of its group's requests.

    Weights matter to `simple-shuffle` alone. Look whether the server that gets more can take it. Where all
    shares are as before, 7 and 3 in place of 0.7 and 0.3, nobody notices.
    """
    for group, before, after, places in _changed(old, new):
        if ("litellm_params", "weight") in places:
            notice, classes = of_shares(share_of(old, group, before), share_of(new, group, after))
            said = _said(new, group, (before, after), ("litellm_params", "weight"), notice)
            yield replace(said, classes=classes)


@change_rule("order-changed", classes=(ChangeClass.PERFORMANCE,))
def order_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A deployment has another place in the order in which its group is asked.

    The lowest order answers as long as it can; the others see requests only when it fails.
    """
    yield from _values(old, new, ("order",), "Another model may be the first to answer.")


@change_rule("rate-limit-tightened", classes=(ChangeClass.PERFORMANCE,), opposite="rate-limit-relaxed")
def rate_limit_tightened(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A deployment takes fewer requests or tokens a minute, or fewer at a time.

    What is above the limit goes to another deployment or a fallback, or is answered 429.
    """
    yield from _values(old, new, _LIMITS, "Busy clients meet the limit earlier (429).", tightened=True)


@change_rule("rate-limit-relaxed", classes=(ChangeClass.PERFORMANCE,), opposite="rate-limit-tightened")
def rate_limit_relaxed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A deployment takes more requests or tokens a minute, or more at a time.

    The server behind it gets more to do at once.
    """
    yield from _values(old, new, _LIMITS, "Clients meet the limit later, or never.", tightened=False)


@change_rule("time-limit-changed", classes=(ChangeClass.PERFORMANCE,))
def time_limit_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A deployment may take another time to answer, or is tried another number of times.

    A shorter time cuts long answers off; a longer one lets a client wait for a server that is stuck.
    """
    yield from _values(old, new, _TIMES, "Long answers are cut off, and failures seen, at another time.")


@change_rule("key-reference-changed", classes=(ChangeClass.SECURITY,))
def key_reference_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A deployment takes its key from elsewhere, or has another one.

    Another account may be billed. The variable must be in the service's environment when it starts: a reload
    does not bring new variables.
    """
    for group, before, after, places in _changed(old, new):
        for place in places:
            if place[:1] == ("litellm_params",) and place[-1] in _KEYS:
                value = after.fields.get(place)
                need = "the server takes the new key"
                if value is None:
                    need = "the key comes from elsewhere, or the server asks for none"
                elif is_reference(value):
                    need = "the new variable is set"
                elif place[-1] == "litellm_credential_name":
                    need = "the credential is there"
                notice = f"Nothing, if {need}; else requests fail (401)."
                is_key = any(not is_no_key(side.fields.get(place)) for side in (before, after))
                if not is_key:
                    notice = "Nothing, for a server that asks for no key."
                said = _said(new, group, (before, after), place, notice)
                yield said if is_key else replace(said, classes=(ChangeClass.INFO,))


@change_rule("deployment-setting-changed", classes=(ChangeClass.INFO,))
def deployment_setting_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A deployment is asked with another parameter.

    Whatever no other rule speaks of: options of the model, tags, headers, facts that LiteLLM is told of it. A
    secret, and which keys may ask for the group, is a change of security.
    """
    unprotected = protection_changed(old, new)
    for group, pairs in pairs_by_group(old, new).items():
        told = _told_of_all(old, new, group) if pairs.changed else frozenset()
        for before, after, places in pairs.changed:
            rest = [place for place in places if not _has_a_rule(place) and place[-1] not in told]
            for place in rest:
                if f"{group}: {dotted(place)}" not in unprotected:
                    yield from _other_values(new, group, (before, after), place)


def _other_values(
    new: Meaning, group: str, pair: tuple[Deployment, Deployment], place: Place
) -> Iterator[Said]:
    values = (side.fields.get(place, MISSING) for side in pair)
    for leaf, was, now in leaves_that_differ(place, *values):
        notice, classes = of_setting(leaf, group)
        yield Said(
            subject=group,
            message=from_to(leaf, was, now, _whose(group, pair[1])),
            notice=notice,
            clients=new.clients(group),
            classes=classes,
        )


def _has_a_rule(place: Place) -> bool:
    """Say whether another rule speaks of a field."""
    return is_cost(place) or (len(place) > 1 and place[0] == "litellm_params" and place[-1] in _TOLD)


def _told_of_all(old: Meaning, new: Meaning, group: str) -> frozenset[str]:
    """Return the fields of which a rule about the whole group has spoken."""
    if group in old.aliases or group in new.aliases:
        return frozenset()
    told = {"mode"} if modes(old, group) != modes(new, group) else set()
    before, after = old.windows(group), new.windows(group)
    is_told = before and after and (before.is_less_than(after) or after.is_less_than(before))
    return frozenset(told.union(_WINDOWS) if is_told else told)


def _changed(old: Meaning, new: Meaning) -> Iterator[tuple[str, Deployment, Deployment, tuple[Place, ...]]]:
    for group, pairs in pairs_by_group(old, new).items():
        for pair in pairs.changed:
            yield group, *pair


def _values(
    old: Meaning, new: Meaning, keys: tuple[str, ...], notice: str, *, tightened: bool | None = None
) -> Iterator[Said]:
    for group, before, after, places in _changed(old, new):
        for place in places:
            if place[:1] == ("litellm_params",) and place[-1] in keys:
                if tightened is not None and _is_tighter(before, after, place) != tightened:
                    continue
                yield _said(new, group, (before, after), place, notice)


def _is_tighter(before: Deployment, after: Deployment, place: Place) -> bool:
    """Say whether a limit is lower than before; none is the highest."""
    return _limit(after, place) < _limit(before, place)


def _limit(deployment: Deployment, place: Place) -> tuple[float, str]:
    value = deployment.fields.get(place)
    try:
        return (float("inf") if value is None else float(value), repr(value))
    except (TypeError, ValueError):
        return (0.0, repr(value))


def _said(new: Meaning, group: str, pair: tuple[Deployment, Deployment], place: Place, notice: str) -> Said:
    was, now = (side.fields.get(place, MISSING) for side in pair)
    return Said(
        subject=group,
        message=from_to(place, was, now, _whose(group, pair[1])),
        notice=notice,
        clients=new.clients(group),
    )


def _whose(group: str, deployment: Deployment) -> str:
    return f"of {deployment.model} at {place_of(deployment)} for {group!r}"


def _shown_base(deployment: Deployment) -> str:
    return shown(("api_base",), deployment.base)
