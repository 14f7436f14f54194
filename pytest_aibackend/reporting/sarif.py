"""Findings as SARIF 2.1.0, which code scanning tools read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pytest_aibackend import __version__
from pytest_aibackend.findings import Finding
from pytest_aibackend.reporting.rule_text import RuleText

__all__ = ["sarif_log"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_log(
    findings: Sequence[Finding], ignored: Sequence[Finding], rules: Sequence[RuleText]
) -> dict[str, Any]:
    """Return a log with one run: all rules, the findings, and those that comments silence, marked so."""
    indexes = {rule.id: index for index, rule in enumerate(rules)}
    results = [_result(finding, indexes) for finding in findings]
    results += [{**_result(finding, indexes), "suppressions": [{"kind": "inSource"}]} for finding in ignored]
    driver = {"name": "aibackend lint", "version": __version__, "rules": [_rule(rule) for rule in rules]}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _rule(rule: RuleText) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.documentation},
        "help": {"text": rule.documentation, "markdown": rule.documentation},
        "defaultConfiguration": {"level": str(rule.severity)},
    }


def _result(finding: Finding, indexes: dict[str, int]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.location.file)}}
    if finding.location.line is not None:
        place["region"] = {"startLine": finding.location.line}
        if finding.location.column is not None:
            place["region"]["startColumn"] = finding.location.column
    identity = f"{finding.rule}\0{finding.location.file}\0{finding.subject}\0{finding.message}"
    return {
        "ruleId": finding.rule,
        "ruleIndex": indexes[finding.rule],
        "level": str(finding.severity),
        "message": {"text": f"{finding.message}\n{finding.hint}"},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {
            "aibackend/v1": hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        },
    }


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix(), errors="surrogateescape")
