"""What a run of the checks came to: outcomes by test, gathered by check, as the JSON document."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pytest_aibackend import __version__
from pytest_aibackend.checklist import CHECKS, Check
from pytest_aibackend.findings import Finding, Severity, sort_findings

__all__ = ["CheckResult", "Outcome", "RunResults"]

SCHEMA_VERSION: Final = 1


class Outcome(StrEnum):
    """How a test, or a check as a whole, came out."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    BLOCKED = "blocked"
    SKIPPED = "skipped"


# The worst of a check's tests is the check's.
_WORST_FIRST: Final = (Outcome.FAILED, Outcome.BLOCKED, Outcome.WARNED, Outcome.PASSED, Outcome.SKIPPED)


@dataclass(slots=True)
class _Test:
    check: int
    outcome: Outcome | None = None
    crashed: bool = False
    findings: list[Finding] = field(default_factory=list)
    ignored: int = 0
    duration_s: float = 0.0
    reason: str = ""
    blocked_by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One of the eleven checks, after a run."""

    check: Check
    outcome: Outcome
    tests: int  # tests that ran
    duration_s: float
    findings: tuple[Finding, ...]
    ignored: int
    reason: str  # why it was skipped
    blocked_by: tuple[str, ...]  # findings about files that could not be read


class RunResults:
    """Collects reports, in any order and from any process."""

    def __init__(self) -> None:
        self.tests: dict[str, _Test] = {}

    def record(
        self,
        *,
        nodeid: str,
        payload: dict[str, Any],
        verdict: str | None,
        when: str,
        outcome: str,
        duration_s: float,
        reason: str,
    ) -> None:
        """Take in one phase of one test."""
        test = self.tests.setdefault(nodeid, _Test(check=payload["check"]))
        test.duration_s += duration_s
        if outcome == "skipped":
            test.outcome, test.reason = Outcome.SKIPPED, reason
        elif when == "call" and verdict is not None:
            test.outcome = Outcome(verdict)
            test.findings = [Finding.from_dict(plain) for plain in payload["findings"]]
            test.ignored = payload["ignored"]
            test.blocked_by = tuple(payload.get("blocked_by", ()))
        elif outcome == "failed":
            # Failed without a verdict: the test itself broke.
            test.outcome, test.crashed = Outcome.FAILED, True

    @property
    def has_crash(self) -> bool:
        """Say whether a test broke instead of giving a verdict."""
        return any(test.crashed for test in self.tests.values())

    @property
    def has_verdict(self) -> bool:
        """Say whether anything was checked at all."""
        return any(test.outcome not in (None, Outcome.SKIPPED) for test in self.tests.values())

    def checks(self) -> list[CheckResult]:
        """Return the eleven, in order; one that no test reported on counts as skipped."""
        by_check: dict[int, list[_Test]] = {number: [] for number in CHECKS}
        for test in self.tests.values():
            by_check[test.check].append(test)
        return [_gather(check, by_check[check.number]) for check in CHECKS.values()]

    def document(self, config: str) -> dict[str, Any]:
        """Return the JSON document that machines read; its schema is reporting/report.schema.json."""
        checks = self.checks()
        findings = [finding for check in checks for finding in check.findings]
        count = {outcome: sum(check.outcome is outcome for check in checks) for outcome in Outcome}
        return {
            "schema_version": SCHEMA_VERSION,
            "tool_version": __version__,
            "config": config,
            "summary": {
                "total": len(checks),
                "passed": count[Outcome.PASSED],
                "warned": count[Outcome.WARNED],
                "failed": count[Outcome.FAILED] + count[Outcome.BLOCKED],
                "skipped": count[Outcome.SKIPPED],
                "findings": {
                    "error": sum(finding.severity is Severity.ERROR for finding in findings),
                    "warning": sum(finding.severity is Severity.WARNING for finding in findings),
                    "ignored": sum(check.ignored for check in checks),
                },
            },
            "checks": [
                {
                    "number": check.check.number,
                    "slug": check.check.slug,
                    "critical": check.check.critical,
                    "live": check.check.live,
                    "status": str(check.outcome),
                    "reason": check.reason,
                    "duration_s": round(check.duration_s, 4),
                    "tests": check.tests,
                    "findings": [finding.as_dict() for finding in check.findings],
                }
                for check in checks
            ],
        }


def _gather(check: Check, tests: list[_Test]) -> CheckResult:
    outcomes = {test.outcome for test in tests}
    outcome = next((each for each in _WORST_FIRST if each in outcomes), Outcome.SKIPPED)
    reasons = sorted({test.reason for test in tests if test.reason})
    ran = [test for test in tests if test.outcome not in (None, Outcome.SKIPPED)]
    reason = ""
    if outcome is Outcome.SKIPPED:
        reason = "; ".join(reasons) if reasons else "not selected"
    blocked_by = tuple(dict.fromkeys(cause for test in tests for cause in test.blocked_by))
    if outcome is Outcome.BLOCKED:
        reason = "blocked by " + "; ".join(blocked_by)
    return CheckResult(
        check=check,
        outcome=outcome,
        tests=len(ran),
        duration_s=sum(test.duration_s for test in tests),
        findings=tuple(sort_findings(finding for test in tests for finding in test.findings)),
        ignored=sum(test.ignored for test in tests),
        reason=reason,
        blocked_by=blocked_by,
    )
