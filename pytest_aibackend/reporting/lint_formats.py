"""What `aibackend lint` prints: text for people, JSON, GitHub's annotations, SARIF."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend import __version__
from pytest_aibackend.findings import Finding, Severity
from pytest_aibackend.reporting.rule_text import RuleText
from pytest_aibackend.reporting.sarif import sarif_log

__all__ = ["FORMATS", "LintReport", "LintedFile"]

_SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LintedFile:
    """What there is to say of one file that was named on the command line."""

    path: str
    findings: Sequence[Finding]
    ignored: Sequence[Finding] = ()  # silenced by comments
    baselined: int = 0  # known to the baseline


@dataclass(frozen=True, kw_only=True, slots=True)
class LintReport:
    """What there is to say of a run."""

    files: Sequence[LintedFile]
    litellm_version: str
    rules: Mapping[str, RuleText]
    has_baseline: bool = False
    colour: bool = False

    def count(self, severity: Severity) -> int:
        """Return how many findings are of a severity."""
        return sum(finding.severity is severity for file in self.files for finding in file.findings)

    @property
    def ignored(self) -> int:
        """Return how many findings comments silence."""
        return sum(len(file.ignored) for file in self.files)


def _text(report: LintReport) -> str:
    lines = []
    for file in report.files:
        for finding in file.findings:
            place = _paint(report, "1", f"{finding.location}:")
            severity = _paint(
                report, "31" if finding.severity is Severity.ERROR else "33", f"{finding.severity}:"
            )
            lines.append(f"{place} {severity} {finding.rule}: {_on_one_line(finding.message)}")
            lines.append(_paint(report, "2", f"  hint: {_on_one_line(finding.hint)}"))
    return "\n".join([*lines, _summary(report)]) + "\n"


def _summary(report: LintReport) -> str:
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    parts = [_counted(errors, "error")] if errors else []
    parts += [_counted(warnings, "warning")] if warnings else []
    said = ", ".join(parts) or "no findings"
    colour = "31" if errors else "33" if warnings else "32"
    files = _counted(len(report.files), "file")
    line = f"{files}, LiteLLM {report.litellm_version}: {_paint(report, colour, said)}"
    if report.ignored:
        line += f"; {report.ignored} ignored by comments"
    if report.has_baseline:
        line += f"; {sum(file.baselined for file in report.files)} in the baseline"
    return line


def _json(report: LintReport) -> str:
    summary = {
        "error": report.count(Severity.ERROR),
        "warning": report.count(Severity.WARNING),
        "ignored": report.ignored,
    }
    if report.has_baseline:
        summary["baseline"] = sum(file.baselined for file in report.files)
    document: dict[str, Any] = {
        "schema_version": _SCHEMA_VERSION,
        "tool_version": __version__,
        "litellm_version": report.litellm_version,
        "summary": summary,
        "files": [
            {"path": file.path, "findings": [finding.as_dict() for finding in file.findings]}
            for file in report.files
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _github(report: LintReport) -> str:
    """Return workflow commands, which GitHub shows beside the lines of a pull request."""
    return "".join(_annotation(finding) for file in report.files for finding in file.findings)


def _annotation(finding: Finding) -> str:
    place = finding.location
    properties = {"file": place.file, "line": place.line, "col": place.column, "title": finding.rule}
    listed = ",".join(
        f"{name}={_escape(str(value), ',:')}" for name, value in properties.items() if value is not None
    )
    said = _escape(f"{finding.message}\nhint: {finding.hint}")
    return f"::{finding.severity} {listed}::{said}\n"


def _escape(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _sarif(report: LintReport) -> str:
    findings = [finding for file in report.files for finding in file.findings]
    ignored = [finding for file in report.files for finding in file.ignored]
    return json.dumps(sarif_log(findings, ignored, [*report.rules.values()]), indent=2) + "\n"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _on_one_line(text: str) -> str:
    """Return a text that ends no line and moves no cursor, whatever names a config holds."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _paint(report: LintReport, code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if report.colour else text


FORMATS: Final[Mapping[str, Callable[[LintReport], str]]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
}
