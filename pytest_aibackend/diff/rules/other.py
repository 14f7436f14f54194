"""Everything else: no change of meaning goes unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from pydantic import BaseModel

from pytest_aibackend.diff.catalogue import change_rule
from pytest_aibackend.diff.changes import ChangeClass, Said
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.settings import is_owned, settings_that_differ
from pytest_aibackend.diff.wording import from_to, leaves_that_differ
from pytest_aibackend.litellm.meaning import FALLBACK_KINDS, alike, effective, plain
from pytest_aibackend.litellm.words import section_of

__all__ = ["deploy_setting_changed", "hidden_group_changed", "setting_changed", "writing_changed"]

_TOLD: Final = ("url", "workers")  # by rules of their own


@change_rule("setting-changed", classes=(ChangeClass.INFO,))
def setting_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A setting that no other rule speaks of is another.

    LiteLLM has hundreds; its documentation says what this one does.
    """
    for place, before, after in settings_that_differ(old, new):
        if is_owned(place):
            continue
        for leaf, was, now in leaves_that_differ(place, before, after):
            yield Said(
                subject=".".join(leaf[1:]) or leaf[0],
                message=from_to(leaf, was, now),
                notice="Perhaps something: see LiteLLM's documentation of the setting.",
            )


@change_rule("hidden-group-changed", classes=(ChangeClass.INFO,))
def hidden_group_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """A model group that an alias of the same name hides has come or gone.

    LiteLLM looks at aliases first, so nobody is answered by it.
    """
    for group in dict.fromkeys([*old.groups, *new.groups]):
        if (group in old.groups) != (group in new.groups) and group in old.aliases and group in new.aliases:
            yield Said(
                subject=group,
                message=f"the model group {group!r}, which the alias of that name hides,"
                f" {'is gone' if group in old.groups else 'is new'}",
                notice="Nothing.",
            )


@change_rule("writing-changed", classes=(ChangeClass.INFO,))
def writing_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """Aliases or fallbacks are written in another way that may mean something else.

    The names are the same; what stands beside them is not: parameters of a fallback's target, the order of
    chains whose names LiteLLM may take for each other, shapes that LiteLLM does not read.
    """
    for kind in FALLBACK_KINDS:
        before, after = effective(old.document, kind), effective(new.document, kind)
        is_same = alike(before or None) == alike(after or None)
        if not is_same and _chains(old, kind) == _chains(new, kind):
            yield Said(subject=kind, message=f"{kind} are written differently", notice="Perhaps something.")
    aliases = [section_of(side.document, "router_settings").get("model_group_alias") for side in (old, new)]
    if plain(aliases[0]) != plain(aliases[1]) and dict(old.aliases) == dict(new.aliases):
        yield Said(
            subject="model_group_alias",
            message="model_group_alias is written differently",
            notice="Perhaps something.",
        )


@change_rule("deploy-setting-changed", classes=(ChangeClass.INFO,))
def deploy_setting_changed(old: Meaning, new: Meaning) -> Iterator[Said]:
    """The configuration is deployed in another way.

    Where the gateway's file goes, who reloads it, how many backups are kept. `aibackend reload` goes by it
    from the next run on; what lies in the old place stays there.
    """
    if old.sources and new.sources:
        plans = [_fields(side.sources.deploy) for side in (old, new) if side.sources]
        before, after = ({key: value for key, value in plan.items() if key not in _TOLD} for plan in plans)
        for leaf, was, now in leaves_that_differ(("deploy",), before, after):
            if was != now and not _is_same_path(was, now):
                yield Said(
                    subject=".".join(leaf),
                    message=from_to(leaf, was, now),
                    notice="Nothing.",
                )


def _fields(part: BaseModel) -> dict[str, Any]:
    """Return what is read of a part of the sources: an unknown key is not."""
    values = {name: getattr(part, name) for name in type(part).model_fields}
    return {name: _fields(value) if isinstance(value, BaseModel) else value for name, value in values.items()}


def _is_same_path(one: Any, other: Any) -> bool:
    return isinstance(one, str) and isinstance(other, str) and PurePath(one) == PurePath(other)


def _chains(meaning: Meaning, kind: str) -> dict[str, tuple[str, ...]]:
    kinds = ("fallbacks", "default_fallbacks") if kind == "fallbacks" else (kind,)  # `*` stands in either
    return {name: targets for (found, name), targets in meaning.fallbacks.items() if found in kinds}
