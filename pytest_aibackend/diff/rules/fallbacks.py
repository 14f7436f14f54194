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
    "default_fallbacks": "fails and has no chain of its own",
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
    breaking.
    """
    for key, before, after in _chains(old, new):
        gone = [target for target in before if target not in after]
        if gone:
            notice = f"When {_asked(key)} {_WHEN[key[0]]}, only {names_in(after)} may answer."
            if not after:
                notice = f"When {_asked(key)} {_WHEN[key[0]]}, the client gets the error."
            yield Said(
                subject=key[1] or key[0],
                message=f"when {_asked(key)} {_WHEN[key[0]]}, {names_in(gone)} {_are(gone)} no longer asked",
                notice=notice,
                clients=(key[1],) if key[1] else (),
                classes=None if after else (ChangeClass.BREAKING, ChangeClass.PERFORMANCE),
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
                message=f"when {_asked(key)} {_WHEN[key[0]]}, {names_in(fresh)} {_are(fresh)} asked;"
                f" the chain is {' > '.join(after)}",
                notice=f"When {_asked(key)} {_WHEN[key[0]]}, {names_in(fresh)} may answer.",
                clients=(key[1],) if key[1] else (),
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
                message=f"when {_asked(key)} {_WHEN[key[0]]}, the order was {' > '.join(before)},"
                f" is {' > '.join(after)}",
                notice=f"When {_asked(key)} {_WHEN[key[0]]}, {after[0]!r} answers first.",
                clients=(key[1],) if key[1] else (),
            )


def _chains(old: Meaning, new: Meaning) -> Iterator[tuple[tuple[str, str], tuple[str, ...], tuple[str, ...]]]:
    for key in dict.fromkeys([*old.fallbacks, *new.fallbacks]):
        before, after = old.fallbacks.get(key, ()), new.fallbacks.get(key, ())
        if before != after:
            yield key, before, after


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _asked(key: tuple[str, str]) -> str:
    return repr(key[1]) if key[1] else "a model group"
