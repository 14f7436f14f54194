"""Check 3: routes, patterns, capabilities, load balancing, chains and rules are written as such."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from pytest_aibackend.findings import Finding, Problem, Severity
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.backend import FILES, Backend

__all__ = ["GROUP_IDS", "compiled_pattern"]

_ROLE: Final = "model-mappings"
_SECTIONS: Final = {
    "exact_matches": ("route-schema", "route"),
    "patterns": ("pattern-schema", "pattern"),
    "capabilities": ("capability-schema", "capability"),
    "load_balancing": ("load-balancing-schema", "load-balancing group"),
    "fallback_chains": ("chain-schema", "chain"),
}
_REST: Final = "routing-rules-schema"  # the file as a whole, its rules and special cases
GROUP_IDS: Final = (*(group for group, _ in _SECTIONS.values()), _REST)


def _findings(section: str | None) -> Callable[[Backend], list[Finding]]:
    """Return what finds the departures from the model in one section; None: in all that is no section."""

    def find(backend: Backend) -> list[Finding]:
        checked = backend.sources[_ROLE].checked
        found = []
        for rule_id, problem in checked.problems if checked else ():
            head = problem.path[0] if problem.path else None
            place = head if head in _SECTIONS and len(problem.path) > 1 else None
            if place == section:
                found.append(backend.finding(rule_id, Severity.ERROR, problem, in_file=True))
        return found

    return find


def _subjects(section: str) -> Callable[[Backend], Iterable[str]]:
    def subjects(backend: Backend) -> Iterable[str]:
        if section == "patterns":
            return [each.pattern for each in backend.mappings.patterns]
        names: Iterable[str] = getattr(backend.mappings, section)
        return names

    return subjects


for _section, (_group, _noun) in _SECTIONS.items():
    declare_group(
        Group(
            id=_group,
            check=3,
            noun=_noun,
            needs=(_ROLE,),
            subjects=_subjects(_section),
            built_in=_findings(_section),
        )
    )
declare_group(
    Group(
        id=_REST,
        check=3,
        noun="file",
        needs=(_ROLE,),
        subjects=lambda _: [FILES[_ROLE]],
        built_in=_findings(None),
    )
)


def compiled_pattern(pattern: str) -> re.Pattern[str] | tuple[str, int | None]:
    """Return the compiled regular expression, or why it is none and at which character (from 1)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python may read otherwise in future is no trouble of today
            return re.compile(pattern)
    except re.error as error:
        return error.msg, None if error.pos is None else error.pos + 1
    except (OverflowError, RecursionError) as error:
        return str(error), None


@rule("pattern-syntax", group="pattern-schema")
def find_patterns_that_do_not_compile(backend: Backend) -> Iterator[Problem]:
    """A pattern is not a regular expression.

    It matches no name, or keeps whoever reads it from starting. A literal dot, bracket or star needs a
    backslash; a name with a `*` for anything is written `.*`.
    """
    for index, each in enumerate(backend.mappings.patterns):
        result = compiled_pattern(each.pattern)
        if isinstance(result, tuple):
            reason, position = result
            at = f" at character {position}" if position else ""
            hint = "put a backslash before a character that is meant literally"
            if each.pattern.startswith("*"):
                hint = "begin with .* where anything may stand"
            yield Problem(
                source=_ROLE,
                path=("patterns", index, "pattern"),
                hint=hint,
                subject=each.pattern,
                message=f"pattern {each.pattern!r} does not compile: {reason}{at}",
            )


@rule("zero-weights", group="load-balancing-schema")
def find_zero_weights(backend: Backend) -> Iterator[Problem]:
    """The weights of a load-balancing group add up to nothing.

    LiteLLM chooses in proportion to the weights; where all are 0 there is no proportion. Give at least
    one member a weight above 0; they need not add up to 1.
    """
    for name, group in backend.mappings.load_balancing.items():
        if group.providers and all(member.weight == 0 for member in group.providers):
            yield Problem(
                source=_ROLE,
                path=("load_balancing", name),
                subject=name,
                message=f"the weights of load-balancing group {name!r} add up to 0",
                hint="give at least one member a weight above 0",
            )
