"""What is noticed where a deployment is asked in another way, and the classes of that; None: the rule's."""

from __future__ import annotations

import math
from typing import Any, Final

from pytest_aibackend.diff.changes import ChangeClass
from pytest_aibackend.diff.deployment import Deployment, Place
from pytest_aibackend.diff.wording import holds_secrets
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.secrets import is_placeholder

__all__ = ["is_no_key", "of_move", "of_setting", "of_shares"]

_ACCESS: Final = ("access_groups", "team_id")

Noticed = tuple[str, tuple[ChangeClass, ...] | None]


def of_setting(place: Place, group: str) -> Noticed:
    """Return what is noticed of another parameter."""
    if place[-1] in _ACCESS:
        return f"Keys may ask for {group!r} that could not, or no longer.", (ChangeClass.SECURITY,)
    if holds_secrets(place[-1]):
        return "Nothing, if the server takes it; else requests fail (401).", (ChangeClass.SECURITY,)
    return f"{group!r} may answer differently.", None


def is_no_key(value: Any) -> bool:
    """Say whether a key is none, or a word in its place."""
    return value is None or is_placeholder(value)


def of_move(group: str, before: Deployment, after: Deployment) -> Noticed:
    """Return what is noticed of another address."""
    was, now = (address_of(side.base or "") for side in (before, after))
    if before.base == after.base:
        return "Nothing.", None
    if was is None or now is None or was.endpoint != now.endpoint:
        return f"Requests of {group!r} go to another server.", None
    if (was.scheme, was.path) != (now.scheme, now.path):
        return f"Requests of {group!r} go to the same server by another path or scheme.", None
    if any(side.has_userinfo or side.has_query for side in (was, now)):
        notice = "Nothing, if the server takes what is beside its name now; else requests fail (401)."
        return notice, (ChangeClass.SECURITY,)
    return "Nothing: it is the same server, written differently.", None


def of_shares(before: float | None, after: float | None) -> Noticed:
    """Return what is noticed of another share of a group's requests."""
    if before is None or after is None:
        return "The share of requests that each server gets may change.", None
    if math.isclose(before, after):
        return "Nothing: its share of the requests is the same.", (ChangeClass.INFO,)
    return f"It gets {after:.0%} of the requests, and got {before:.0%}.", None
