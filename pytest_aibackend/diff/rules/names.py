"""Names: what clients can ask for."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.meaning import Deployment, Meaning
from pytest_aibackend.diff.reach import place_of
from pytest_aibackend.litellm.plan.wildcards import WildcardIndex

__all__ = [
    "alias_retargeted",
    "name_added",
    "name_hidden",
    "name_removed",
    "name_shown",
    "pattern_added",
    "pattern_removed",
]

_SHOWN = 3


@change_rule("name-removed", kind=ChangeKind.REMOVED, classes=(ChangeClass.BREAKING,), opposite="name-added")
def name_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A name that clients ask for is no longer served.

    Whoever still asks for it gets an error. Keep it as a capability or an alias of what takes its place until
    nobody asks for it. Where a pattern matches the name, requests go there instead, to another model.
    """
    patterns = WildcardIndex(new.patterns)
    for name in old.names:
        if name not in new.names:
            notice = f"A request for {name!r} is refused: there is no such model."
            if patterns.matches(name):
                notice = f"A request for {name!r} is now answered by a pattern, perhaps with another model."
            yield Said(
                subject=name,
                message=f"{name!r} is no longer served; {_answered(old, name)}",
                notice=notice,
                clients=(name,),
            )


@change_rule("name-added", kind=ChangeKind.ADDED, classes=(ChangeClass.INFO,), opposite="name-removed")
def name_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Clients can ask for a new name.

    Nobody who asks for other names notices, unless a pattern answered the name until now.
    """
    patterns = WildcardIndex(old.patterns)
    for name in new.names:
        if name not in old.names:
            before = ", which a pattern answered until now" if patterns.matches(name) else ""
            yield Said(
                subject=name,
                message=f"{name!r} is served: {_answers(new, name)}",
                notice=f"Clients can ask for {name!r}{before}.",
                clients=(name,),
            )


@change_rule("alias-retargeted", classes=(ChangeClass.BREAKING,))
def alias_retargeted(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A name leads to another model group than before.

    The same request is answered by other models, with other abilities, limits and prices, and by the
    fallbacks of the name, not of the group that it leads to.
    """
    for name in old.names:
        if name in new.names:
            before, after = _leads_to(old, name), _leads_to(new, name)
            if before != after:
                yield Said(
                    subject=name,
                    message=f"{name!r} was {before}, is {after}: {_models(new.answering(name))}",
                    notice=f"A request for {name!r} is answered by {_models(new.answering(name))}.",
                    clients=(name,),
                )


@change_rule("name-hidden", kind=ChangeKind.REMOVED, classes=(ChangeClass.BREAKING,), opposite="name-shown")
def name_hidden(old: Meaning, new: Meaning) -> Iterator[Said]:
    """An alias is answered but no longer listed.

    Clients that choose from `/v1/models` do not find it, and some refuse to ask for what they do not find.
    """
    for name in _hidden(new) - _hidden(old):
        yield Said(
            subject=name,
            message=f"the alias {name!r} is hidden: answered, but not listed",
            notice=f"{name!r} is missing from the list of models.",
            clients=(name,),
        )


@change_rule("name-shown", kind=ChangeKind.ADDED, classes=(ChangeClass.INFO,), opposite="name-hidden")
def name_shown(old: Meaning, new: Meaning) -> Iterator[Said]:
    """An alias that was hidden is listed.

    It was answered before, too; now `/v1/models` says so.
    """
    for name in _hidden(old) - _hidden(new):
        yield Said(
            subject=name,
            message=f"the alias {name!r} is no longer hidden",
            notice=f"{name!r} is in the list of models.",
            clients=(name,),
        )


@change_rule(
    "pattern-removed", kind=ChangeKind.REMOVED, classes=(ChangeClass.BREAKING,), opposite="pattern-added"
)
def pattern_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Names that match a pattern are no longer passed on.

    Which names clients used is not in the configuration: look into the gateway's log before. A pattern that
    was rewritten shows as one removed and one added.
    """
    for pattern in old.patterns:
        if pattern not in new.patterns:
            yield Said(
                subject=pattern,
                message=f"the pattern {pattern!r} is gone; it led to {_models(old.groups[pattern])}",
                notice=f"A request for a name like {pattern!r} is refused, unless another route has it.",
                clients=(pattern,),
            )


@change_rule("pattern-added", kind=ChangeKind.ADDED, classes=(ChangeClass.INFO,), opposite="pattern-removed")
def pattern_added(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Names that match a new pattern are passed on.

    Names that were refused as misspelt now reach a provider. Model groups of exactly the name come first.
    """
    for pattern in new.patterns:
        if pattern not in old.patterns:
            yield Said(
                subject=pattern,
                message=f"the pattern {pattern!r} leads to {_models(new.groups[pattern])}",
                notice=f"Any name like {pattern!r} is passed on.",
                clients=(pattern,),
            )


def _hidden(meaning: Meaning) -> set[str]:
    return {name for name, alias in meaning.aliases.items() if alias.hidden}


def _leads_to(meaning: Meaning, name: str) -> str:
    alias = meaning.aliases.get(name)
    return f"an alias of {alias.target!r}" if alias else "a model group of its own"


def _answered(meaning: Meaning, name: str) -> str:
    alias = meaning.aliases.get(name)
    found = _models(meaning.answering(name))
    return f"it was an alias of {alias.target!r} ({found})" if alias else f"{found} answered it"


def _answers(meaning: Meaning, name: str) -> str:
    alias = meaning.aliases.get(name)
    found = _models(meaning.answering(name))
    return f"an alias of {alias.target!r} ({found})" if alias else f"{found} answers"


def _models(deployments: tuple[Deployment, ...]) -> str:
    if not deployments:
        return "nothing"
    shown = [f"{found.model} at {place_of(found)}" for found in deployments[:_SHOWN]]
    more = f" and {len(deployments) - _SHOWN} more" if len(deployments) > _SHOWN else ""
    return ", ".join(dict.fromkeys(shown)) + more
