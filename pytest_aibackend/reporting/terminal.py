"""The end of the terminal output: warnings, and the table of the eleven checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_aibackend.reporting.results import CheckResult, Outcome

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

__all__ = ["write_summary"]

_COLOUR: Final[dict[Outcome, dict[str, bool]]] = {
    Outcome.PASSED: {"green": True},
    Outcome.WARNED: {"yellow": True},
    Outcome.FAILED: {"red": True, "bold": True},
    Outcome.BLOCKED: {"red": True},
    Outcome.SKIPPED: {"light": True},
}
_SHOWN: Final = 200  # findings; a JSON report holds them all


def write_summary(terminal: TerminalReporter, session: Any) -> None:
    """Print what a person looks at first; errors stand above already, unless tracebacks are off."""
    checks = session.results.checks()
    quiet_errors = terminal.config.getoption("tbstyle", "auto") == "no"
    findings = [
        finding
        for check in checks
        for finding in check.findings
        if quiet_errors or finding.severity == "warning" or check.outcome is Outcome.WARNED
    ]
    if findings:
        terminal.section("findings" if quiet_errors else "warnings", "-")
        for finding in findings[:_SHOWN]:
            colour = {"yellow": True} if finding.severity == "warning" else {"red": True}
            terminal.write(f"{finding.location}: ", bold=True)
            terminal.write(f"{finding.severity}: ", **colour)
            terminal.write(f"{finding.rule}: {finding.message}\n")
            terminal.write(f"  hint: {finding.hint}\n", light=True)
        if len(findings) > _SHOWN:
            terminal.write_line(f"... and {len(findings) - _SHOWN} more")
    _write_blocked(terminal, checks)
    terminal.section(f"aibackend: eleven checks of {session.config_dir}", "=")
    for check in checks:
        _write_row(terminal, check)
    counted = {outcome: sum(check.outcome is outcome for check in checks) for outcome in Outcome}
    ignored = sum(check.ignored for check in checks)
    line = ", ".join(f"{number} {outcome}" for outcome, number in counted.items() if number)
    terminal.write_line(
        f"{len(checks)} checks: {line}" + (f"; {ignored} findings ignored by comments" if ignored else "")
    )


def _write_blocked(terminal: TerminalReporter, checks: list[CheckResult]) -> None:
    """Say which files block which checks: pytest shows the text of failed tests only."""
    blocked: dict[str, list[int]] = {}
    for check in checks:
        for cause in check.blocked_by:
            blocked.setdefault(cause, []).append(check.check.number)
    if blocked:
        terminal.section("blocked", "-")
    for cause, numbers in blocked.items():
        several = f"checks {', '.join(map(str, numbers))}" if len(numbers) > 1 else f"check {numbers[0]}"
        terminal.write(f"{several} blocked by ", red=True)
        terminal.write(f"{cause}\n")


def _write_row(terminal: TerminalReporter, check: CheckResult) -> None:
    terminal.write(f"{check.check.number:>3}  {check.check.slug:<22} ")
    terminal.write(f"{'critical' if check.check.critical else '':<9} ", light=True)
    terminal.write(f"{check.outcome:<8} ", **_COLOUR[check.outcome])
    if check.outcome is Outcome.SKIPPED:
        terminal.write(f"{check.reason}\n", light=True)
        return
    errors = sum(finding.severity == "error" for finding in check.findings)
    warnings = len(check.findings) - errors
    parts = [f"{check.tests:>5} test{'s' if check.tests != 1 else ''}"]
    parts += [f"{errors} error{'s' if errors != 1 else ''}"] if errors else []
    parts += [f"{warnings} warning{'s' if warnings != 1 else ''}"] if warnings else []
    terminal.write(", ".join(parts) + "\n")
