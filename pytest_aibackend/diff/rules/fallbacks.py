"""Fallbacks: who is asked when a model group fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.wording import names_in

__all__ = ["fallback_added", "fallback_removed", "fallback_reordered"]

_WHEN: Final = {
    "fallbacks": "fails",
    "context_window_fallbacks": "is sent too much text",
    "content_policy_fallbacks": "refuses for its content policy",
    "default_fallbacks": "fails",
}


@change_rule(
    "fallback-removed",
    kind=ChangeKind.REMOVED,
    classes=(ChangeClass.PERFORMANCE,),
    opposite="fallback-added",
)
def fallback_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A model group is no longer asked in another one's place.

    When servers fail, fewer are left to answer. Without any the client gets the error: then the change is
    breaking. Where the name itself is gone, that is what clients notice, and this says no more than that.
    """
    for key, before, after in _chains(old, new):
        gone = [target for target in before if target not in after]
        if gone:
            notice, classes = _without(old, new, key, after)
            message = f"when {_when(key)}, {names_in(gone)} {_are(gone)} no longer asked"
            if not after and set(gone) <= set(new.fallbacks.get(_for_any(key), ())):
                message = f"{key[1]!r} has no chain of its own any more, which was {names_in(gone)}"
                classes = (ChangeClass.INFO,)
            yield Said(
                subject=key[1] or key[0],
                message=message,
                notice=notice,
                clients=_clients(old, key),
                classes=classes,
            )


@change_rule(
    "fallback-added", kind=ChangeKind.ADDED, classes=(ChangeClass.INFO,), opposite="fallback-removed"
)
def fallback_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A model group is asked in another one's place when that fails.

    Clients get an answer in place of an error, from another model and later. Where it leads off the machine,
    `cloud-fallback-added` says so, too.
    """
    for key, before, after in _chains(old, new):
        fresh = [target for target in after if target not in before]
        if fresh:
            yield Said(
                subject=key[1] or key[0],
                message=f"when {_when(key)}, {names_in(fresh)} {_are(fresh)} asked;"
                f" the chain is {' > '.join(after)}",
                notice=f"When {_when(key)}, {names_in(fresh)} may answer.",
                clients=_clients(new, key),
            )


@change_rule("fallback-reordered", classes=(ChangeClass.PERFORMANCE,))
def fallback_reordered(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The same model groups are asked in another order when one fails.

    The first that answers is taken, so another model may answer than before.
    """
    for key, before, after in _chains(old, new):
        kept = [target for target in before if target in after], [name for name in after if name in before]
        if kept[0] != kept[1]:
            yield Said(
                subject=key[1] or key[0],
                message=f"when {_when(key)}, the order was {' > '.join(before)}, is {' > '.join(after)}",
                notice=f"When {_when(key)}, {after[0]!r} answers first.",
                clients=_clients(new, key),
            )


def _chains(old: Meaning, new: Meaning) -> Iterator[tuple[tuple[str, str], tuple[str, ...], tuple[str, ...]]]:
    for key in dict.fromkeys([*old.fallbacks, *new.fallbacks]):
        before, after = old.fallbacks.get(key, ()), new.fallbacks.get(key, ())
        if before != after:
            yield key, before, after


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _when(key: tuple[str, str]) -> str:
    who = repr(key[1]) if key[1] else "a model group that has no chain of its own"
    return f"{who} {_WHEN[key[0]]}"


def _for_any(key: tuple[str, str]) -> tuple[str, str]:
    """Return the chain of those that have none of their own."""
    return "default_fallbacks" if key[0] == "fallbacks" else key[0], ""


def _clients(meaning: Meaning, key: tuple[str, str]) -> tuple[str, ...]:
    """Return the names that a chain is for: one, or all that have none of their own."""
    kind, name = key
    return (name,) if name else tuple(each for each in meaning.names if meaning.is_without_chain(each, kind))


def _without(
    old: Meaning, new: Meaning, key: tuple[str, str], after: tuple[str, ...]
) -> tuple[str, tuple[ChangeClass, ...] | None]:
    """Return what is noticed where a chain has lost members, and the classes of that."""
    name = key[1]
    if name and name in old.names and name not in new.names:
        return f"Nothing more: {name!r} is no longer served.", (ChangeClass.INFO,)
    if after:
        return f"When {_when(key)}, only {names_in(after)} may answer.", None
    rest = new.fallbacks.get(_for_any(key), ())
    if name and rest:
        return f"When {_when(key)}, {names_in(rest)} may answer, as for any name.", None
    return f"When {_when(key)}, the client gets the error.", (ChangeClass.BREAKING, ChangeClass.PERFORMANCE)
