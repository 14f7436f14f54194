"""Names: what clients can ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.deployment import Deployment, without_equal
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.reach import place_of
from pytest_aibackend.litellm.plan.wildcards import WildcardIndex

__all__ = [
    "alias_retargeted",
    "name_added",
    "name_changed",
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


@change_rule("name-changed", classes=(ChangeClass.BREAKING,))
def name_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """What a name led to is asked for by another name.

    The same deployments, or the same target of an alias, under a new name: whoever asks for the old one gets
    an error. With an alias that keeps the old name nobody notices, and the change is no breaking one; what
    the alias loses, for fallbacks do not follow it, is said, too.
    """
    patterns = WildcardIndex(new.patterns)
    for was, name in new.renamed.items():
        is_kept = was in new.kept
        notice = f"A request for {was!r} is refused: ask for {name!r}."
        if is_kept:
            notice = f"Nothing: {was!r} is still answered."
        elif patterns.matches(was):
            notice = f"A request for {was!r} is now answered by a pattern; ask for {name!r}."
        yield Said(
            subject=was,
            message=f"{was!r} is called {name!r} now{', and the old name is its alias' if is_kept else ''}:"
            f" {_models(old.answering(name))}",
            notice=notice,
            clients=(was,),
            classes=(ChangeClass.INFO,) if is_kept else None,
        )


@change_rule("alias-retargeted", classes=(ChangeClass.BREAKING,))
def alias_retargeted(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A name leads to another model group than before.

    The same request is answered by other models, with other abilities, limits and prices, and by the
    fallbacks of the name, not of the group that it leads to. Where the same deployments answer as before it
    is no breaking change.
    """
    names = {name: was for was, name in new.renamed.items()}
    for name in old.names:
        if name in new.names:
            before, after = _leads_to(old, name, names), _leads_to(new, name, {})
            if _leads_to(old, name, {}) != after:
                is_same = without_equal(old.answering(name), new.answering(name)) == ([], [])
                models = _models(new.answering(name))
                notice = f"A request for {name!r} is answered by {models}."
                if is_same:
                    notice = f"Nothing: the same deployments answer {name!r}."
                elif not new.answering(name):
                    notice = f"A request for {name!r} is refused: nothing answers it."
                yield Said(
                    subject=name,
                    message=f"{name!r} {'is' if before == after else f'was {before}, is'} {after}: {models}",
                    notice=notice,
                    clients=(name,),
                    classes=(ChangeClass.INFO,) if is_same else None,
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
    others = WildcardIndex(new.patterns)
    for pattern in old.patterns:
        if pattern not in new.patterns:
            notice = f"A request for a name like {pattern!r} is refused, unless another route has it."
            if others.matches(pattern):
                notice = f"A name like {pattern!r} is now answered by another pattern, perhaps differently."
            yield Said(
                subject=pattern,
                message=f"the pattern {pattern!r} is gone; it led to {_models(old.groups[pattern])}",
                notice=notice,
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


def _leads_to(meaning: Meaning, name: str, names: Mapping[str, str]) -> str:
    alias = meaning.aliases.get(name)
    return f"an alias of {names.get(alias.target, alias.target)!r}" if alias else "a model group of its own"


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
