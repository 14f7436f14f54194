"""What a rule is, which rules there are, and how they are run over a backend.

A rule is a generator function: `Backend` in, `Problem`s out. It is registered under its id, for one
or more test functions of the eleven checks; its docstring is its documentation. Nothing here knows
of pytest: `evaluate` gives the findings of each test function, by subject.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aibackend.findings import Finding, Problem, Severity, sort_findings
from pytest_aibackend.sources.backend import Backend

__all__ = [
    "GROUPS",
    "RULES",
    "Group",
    "GroupResult",
    "LiveBackend",
    "Rule",
    "declare_group",
    "declare_rule",
    "evaluate",
    "rule",
]

RuleFunction = Callable[[Any], Iterator[Problem]]  # of a Backend, or of a LiveBackend where the group is live


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule: what it is called, where it belongs, how bad its trouble is, and how it is found."""

    id: str
    groups: tuple[str, ...]  # the test functions that report it
    severity: Severity
    documentation: str
    find: RuleFunction | None  # None: found while a file is read or matched against its model


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What one test function of a check is about: its subjects and the files it needs."""

    id: str  # the name of the test function without test_, with dashes: "route-provider"
    check: int
    noun: str  # what a subject is: "route"
    needs: tuple[str, ...]  # roles of the files without which it is blocked
    subjects: Callable[[Backend], Iterable[str]]
    live: bool = False  # its findings come from observations, with --live
    # Findings that come from reading the files and not from rules.
    built_in: Callable[[Backend], list[Finding]] | None = None

    @property
    def argument(self) -> str:
        """Return the name of the test function's argument: the noun, as an identifier."""
        return self.noun.replace(" ", "_").replace("-", "_")


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupResult:
    """The findings of a group by subject, and those that a comment silences."""

    findings: Mapping[str, tuple[Finding, ...]]  # every subject has its entry, in order
    ignored: Mapping[str, tuple[Finding, ...]] = field(default_factory=dict)
    crash: Exception | None = None  # what a faulty rule raised: a bug of ours is not a finding


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveBackend:
    """A backend, and what was seen of its services."""

    backend: Backend
    observations: Any


RULES: Final[dict[str, Rule]] = {}
GROUPS: Final[dict[str, Group]] = {}


def declare_group(group: Group) -> Group:
    """Register a group; its id is unique."""
    assert group.id not in GROUPS, group.id
    GROUPS[group.id] = group
    return group


def rule(
    rule_id: str, *, group: str | tuple[str, ...], severity: Severity = Severity.ERROR
) -> Callable[[RuleFunction], RuleFunction]:
    """Register the function that finds a trouble, under the trouble's id.

    Where a rule has several groups, each problem names the one that reports it.
    """

    def register(function: RuleFunction) -> RuleFunction:
        assert rule_id not in RULES, f"rule {rule_id} is registered twice"
        groups = (group,) if isinstance(group, str) else group
        RULES[rule_id] = Rule(
            id=rule_id,
            groups=groups,
            severity=severity,
            documentation=inspect.getdoc(function) or "",
            find=function,
        )
        return function

    return register


def declare_rule(
    rule_id: str, documentation: str, *, group: str | tuple[str, ...], severity: Severity = Severity.ERROR
) -> None:
    """Register a rule whose trouble is found while a file is read, by its name and documentation."""
    assert rule_id not in RULES, f"rule {rule_id} is registered twice"
    groups = (group,) if isinstance(group, str) else group
    RULES[rule_id] = Rule(
        id=rule_id, groups=groups, severity=severity, documentation=inspect.cleandoc(documentation), find=None
    )


def evaluate(backend: Backend, *, live: LiveBackend | None = None) -> Mapping[str, GroupResult]:
    """Run every offline rule (with `live`: every live rule) once; sort what they find by group and subject.

    A group whose files could not be read is left out: it is blocked. A rule that raises spoils the
    groups it reports to and no other; the exception is kept for them to raise.
    """
    open_groups = {
        group.id: group
        for group in GROUPS.values()
        if group.live == (live is not None) and backend.is_loaded(*group.needs)
    }
    found: dict[str, list[Finding]] = {group_id: [] for group_id in open_groups}
    crashes: dict[str, Exception] = {}
    for group in open_groups.values():
        if group.built_in:
            found[group.id].extend(group.built_in(backend))
    for each in RULES.values():
        if each.find is None or not all(group_id in open_groups for group_id in each.groups):
            continue
        try:
            for problem in each.find(live or backend):
                target = problem.group or each.groups[0]
                assert target in each.groups, f"rule {each.id} reports to {target}, which it does not declare"
                found[target].append(backend.finding(each.id, each.severity, problem))
        except Exception as error:  # noqa: BLE001 # raised again by the tests of its groups
            crashes.update(dict.fromkeys(each.groups, error))
    return {
        group.id: _by_subject(backend, group.subjects(backend), found[group.id], crashes.get(group.id))
        for group in open_groups.values()
    }


def _by_subject(
    backend: Backend, subjects: Iterable[str], found: list[Finding], crash: Exception | None
) -> GroupResult:
    """Sort findings by subject; a finding about something unlisted adds its subject, it is never lost."""
    findings: dict[str, list[Finding]] = {subject: [] for subject in subjects}
    ignored: dict[str, list[Finding]] = {}
    for finding in sort_findings(found):
        target = ignored if backend.is_ignored(finding) else findings
        target.setdefault(finding.subject, []).append(finding)
        findings.setdefault(finding.subject, [])
    return GroupResult(
        findings={subject: tuple(items) for subject, items in findings.items()},
        ignored={subject: tuple(items) for subject, items in ignored.items()},
        crash=crash,
    )
