"""Which names a gateway answers to, as far as its config says."""

from __future__ import annotations

import re
import weakref
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pytest_aibackend.litellm.lint.catalogue import LintContext
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.schema import Schema

__all__ = ["Served", "served_by"]

_served: Final[weakref.WeakKeyDictionary[LintContext, Served]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """The names that requests, aliases and fallbacks may use."""

    groups: frozenset[str]  # model groups and groups of models, without those with a *
    aliases: frozenset[str]
    hidden: frozenset[
        str
    ]  # what a deployment is called besides: its id, its provider's own name of the model
    stripped: frozenset[str]  # names without their providers
    wildcards: re.Pattern[str] | None
    is_known: bool  # not where a database may hold more models, nor where no deployment could be read
    schema: Schema

    @cached_property
    def names(self) -> list[str]:
        """Return the names that people write, for suggestions."""
        return sorted(self.groups | self.aliases)

    @cached_property
    def models(self) -> list[str]:
        """Return the names of models, for suggestions."""
        return sorted(self.groups)

    def is_model(self, name: str) -> bool:
        """Say whether requests for a name reach a deployment without the help of an alias."""
        return name in self.groups or name in self.hidden or self._is_wild(name)

    def has(self, name: str) -> bool:
        """Say whether a name may be the target of a fallback."""
        return name in self.aliases or self.is_model(name)

    def may_ask(self, name: str) -> bool:
        """Say whether a fallback of this name is ever looked up: LiteLLM compares without providers, too."""
        return name == "*" or self.has(name) or name.partition("/")[2] in self.groups or name in self.stripped

    def _is_wild(self, name: str) -> bool:
        if self.wildcards is None:
            return False
        provider = self.schema.provider_of(name)
        return bool(
            self.wildcards.fullmatch(name) or (provider and self.wildcards.fullmatch(f"{provider}/{name}"))
        )


def served_by(context: LintContext) -> Served:
    """Return the names that a config makes the gateway answer to."""
    if context not in _served:
        _served[context] = _collect(context)
    return _served[context]


def _collect(context: LintContext) -> Served:
    document = context.document
    groups = {name for name in document.groups if "*" not in name} | _routing_groups(document)
    patterns = [".*".join(map(re.escape, name.split("*"))) for name in document.wildcards]
    return Served(
        groups=frozenset(groups),
        aliases=frozenset(name for name in document.aliases if isinstance(name, str)),
        hidden=frozenset(_hidden(document)),
        stripped=frozenset(name.partition("/")[2] for name in groups if "/" in name),
        wildcards=re.compile("|".join(patterns), re.DOTALL) if patterns else None,
        is_known=bool(document.deployments) and not context.has_stored_models,
        schema=context.schema,
    )


def _routing_groups(document: LintDocument) -> set[str]:
    listed = document.get("router_settings", "routing_groups")
    groups = [each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)]
    return {each["group_name"] for each in groups if isinstance(each.get("group_name"), str)}


def _hidden(document: LintDocument) -> set[str]:
    found: set[Any] = set()
    for deployment in document.deployments:
        found |= {deployment.model}
        named = (deployment.info.get("id"), deployment.info.get("team_public_model_name"))
        found |= {name for name in named if isinstance(name, str)}
    return found - {""}
