"""What a rule of change is, and which there are.

A rule is a generator function in a module of `diff/rules` that `RULE_MODULES` names. It takes the old and
the new `Meaning` and yields what it `Said`; its docstring is its section in docs/changes.md: a first line
that states the change, then why it matters. `opposite` is the rule that speaks when old and new change
places; without it the rule itself does.

    @change_rule("pattern-removed", kind=ChangeKind.REMOVED, classes=BREAKING, opposite="pattern-added")
    def pattern_removed(old: Meaning, new: Meaning) -> Iterator[Said]:
        '''A pattern of names is no longer answered. ...'''
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Final

from pytest_aibackend.diff.changes import ChangeClass, ChangeKind, Said
from pytest_aibackend.diff.meaning import Meaning

__all__ = ["RULE_MODULES", "ChangeRule", "area_of", "change_rule", "change_rules"]

# One subject each; the order is that of docs/changes.md.
RULE_MODULES: Final = (
    "names",
    "answering",
    "deployments",
    "clouds",
    "fallbacks",
    "providers",
    "ports",
    "access",
    "secrecy",
    "caching",
    "traffic",
    "other",
)

RuleFunction = Callable[[Meaning, Meaning], Iterator[Said]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRule:
    """One rule: what it is called, what kind of change it sees, and why that matters."""

    id: str
    kind: ChangeKind
    classes: tuple[ChangeClass, ...]
    opposite: str
    documentation: str
    module: str
    find: RuleFunction

    @property
    def summary(self) -> str:
        """Return the first line of the documentation."""
        return self.documentation.partition("\n")[0]


_RULES: Final[dict[str, ChangeRule]] = {}


def change_rule(
    rule_id: str,
    *,
    classes: tuple[ChangeClass, ...],
    kind: ChangeKind = ChangeKind.CHANGED,
    opposite: str | None = None,
) -> Callable[[RuleFunction], RuleFunction]:
    """Register the function that sees a change, under the change's id."""

    def register(function: RuleFunction) -> RuleFunction:
        assert rule_id not in _RULES, f"change rule {rule_id} is registered twice"
        _RULES[rule_id] = ChangeRule(
            id=rule_id,
            kind=kind,
            classes=classes,
            opposite=opposite or rule_id,
            documentation=inspect.getdoc(function) or "",
            module=function.__module__.rpartition(".")[2],
            find=function,
        )
        return function

    return register


def change_rules() -> Mapping[str, ChangeRule]:
    """Return every rule by id, in the order of the modules."""
    for module in RULE_MODULES:
        import_module(f"pytest_aibackend.diff.rules.{module}")
    return _RULES


@cache  # every change is asked for its own
def area_of(module: str) -> str:
    """Return the heading of a module of rules: its docstring's first words."""
    documented = inspect.getdoc(import_module(f"pytest_aibackend.diff.rules.{module}")) or module
    return documented.partition(":")[0]
