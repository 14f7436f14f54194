"""Runs the lint rules over one config."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from pytest_aibackend.findings import Finding, Path, sort_findings
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, LintRule, lint_rules
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.schema import Schema

__all__ = ["LintResult", "lint"]

_INDEX: Final = re.compile(r"\[\d+\]")


@dataclass(frozen=True, kw_only=True, eq=False)
class LintResult:
    """What the rules say of a config, sorted."""

    findings: tuple[Finding, ...]
    ignored: tuple[Finding, ...] = ()  # those that a comment silences
    paths: Mapping[Finding, Path] = field(default_factory=dict, repr=False)  # in the config, of each finding


def lint(
    document: LintDocument,
    schema: Schema,
    *,
    environment: Mapping[str, str] | None = None,
    select: Collection[str] | None = None,
    ignore: Collection[str] = (),
) -> LintResult:
    """Return what the rules find in a config.

    Args:
        document: the config, with what it includes.
        schema: that of the LiteLLM which is to read it.
        environment: the variables that the gateway will have; None: unknown, so that none is missing.
        select: ids of the rules to run; None: all.
        ignore: ids of rules not to run.
    """
    context = LintContext(document=document, schema=schema, environment=environment)
    found: dict[tuple[object, ...], tuple[Finding, Path]] = {}
    for rule in lint_rules().values():
        if rule.id in ignore or (select is not None and rule.id not in select):
            continue
        if document.is_loaded or rule.reads_broken:
            for finding, path in _run(rule, context):
                # What several deployments take from one anchor is one trouble, in one place.
                words = _INDEX.sub("[]", finding.message)
                found.setdefault((finding.rule, finding.location, words), (finding, path))
    silenced = {file.display: file.ignores for file in document.files}
    ignored: list[Finding] = []
    kept: list[Finding] = []
    for finding, _ in found.values():
        rules = silenced.get(finding.location.file, {}).get(finding.location.line or 0, ())
        (ignored if finding.rule in rules else kept).append(finding)
    return LintResult(
        findings=tuple(sort_findings(kept)), ignored=tuple(sort_findings(ignored)), paths=dict(found.values())
    )


def _run(rule: LintRule, context: LintContext) -> list[tuple[Finding, Path]]:
    try:
        return [(_finding(rule, problem, context.document), problem.path) for problem in rule.find(context)]
    except Exception as error:
        error.add_note(f"in lint rule {rule.id}, on {context.document.files[0].display}")
        raise


def _finding(rule: LintRule, problem: LintProblem, document: LintDocument) -> Finding:
    return Finding(
        rule=rule.id,
        severity=problem.severity or rule.severity,
        message=problem.message,
        hint=problem.hint,
        location=problem.location or document.locate(problem.path),
        subject=document.subject(problem.path) if problem.subject is None else problem.subject,
    )
