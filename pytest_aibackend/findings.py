"""What the tool has to say: severities, locations and findings. Imports nothing of ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Location", "Path", "Problem", "Severity", "sort_findings", "suggest"]

Path = tuple[str | int | float | bool | None, ...]  # where in a document: keys of mappings, indexes of lists


class Severity(StrEnum):
    """How bad a finding is: an error fails its check, a warning is recorded and shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A place in a file; lines and columns count from 1, None where a file as a whole is meant."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What a rule yields: the trouble and its symbolic place; the loader knows the line."""

    source: str  # role of a file: "providers", "model-mappings", "ports", "gateway", "generated", "deployed"
    path: Path  # keys and indexes that lead to the place in that file; () is the file itself
    message: str
    hint: str
    subject: str
    severity: Severity | None = None  # None: the severity of the rule
    group: str | None = None  # which of the rule's groups reports it; None: the first


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One trouble, in one place, with the next act."""

    rule: str  # kebab-case id, stable once released
    severity: Severity
    message: str  # the fact, with the values
    hint: str  # the next act
    location: Location
    subject: str  # what was being checked: a provider, a route, a port

    def __str__(self) -> str:
        return f"{self.location}: {self.severity}: {self.rule}: {self.message}"

    def as_dict(self) -> dict[str, Any]:
        """Return the finding in the shape of the JSON contract, plain types only."""
        place = asdict(self.location)
        return {
            "rule": self.rule,
            "severity": str(self.severity),
            "message": self.message,
            "hint": self.hint,
            **place,
            "subject": self.subject,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Finding:
        """Rebuild a finding from `as_dict`, as it comes back from another process."""
        return cls(
            rule=plain["rule"],
            severity=Severity(plain["severity"]),
            message=plain["message"],
            hint=plain["hint"],
            location=Location(file=plain["file"], line=plain["line"], column=plain["column"]),
            subject=plain["subject"],
        )


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Order findings by file, line, column, rule and message; a missing line comes first."""
    return sorted(
        findings,
        key=lambda f: (f.location.file, f.location.line or 0, f.location.column or 0, f.rule, f.message),
    )


def suggest(word: object, known: Iterable[object]) -> str | None:
    """Return the known word that is close enough to `word` to be what was meant, or None."""
    candidates = [str(item) for item in known]
    close = difflib.get_close_matches(str(word), candidates, n=1, cutoff=0.7)
    return close[0] if close else None
