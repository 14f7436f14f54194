"""What a watch shows of a reload: what changes and how it ended, and what is wrong; not each step."""

from __future__ import annotations

import datetime as dt
from typing import Final

from pytest_aibackend.deploy.console import Console, RunningStep
from pytest_aibackend.deploy.report import Outcome, StepStatus

__all__ = ["WatchConsole", "clock"]

_INDENT: Final = " " * 9  # as wide as the time
_UNTIMED: Final = 0.05  # seconds, of steps that are not worth a word
_CHANGED: Final = "nothing was touched; it is tried again when a source changes"
_HINTS: Final = {
    Outcome.REFUSED: _CHANGED,
    Outcome.UNUSABLE: _CHANGED,
    Outcome.LOCKED: "nothing was touched; it is tried again until the other run has ended",
}


def clock() -> str:
    """Return the time of day, where we are."""
    return f"{dt.datetime.now().astimezone():%H:%M:%S}"


class WatchConsole(Console):
    """The console of one reload among many; with `as_json`, one document a line."""

    indent = None

    def say(self, text: str) -> None:
        """Show a line; how it ended is said by `finish`."""
        if self.report.outcome is None:
            super().say(f"{_INDENT}{text}")

    def diff(self, text: str) -> None:
        """Show no text: whoever edits knows it."""

    def error(self, text: str, hint: str = "") -> None:
        """Show what stopped the run; nobody has to run it again."""
        outcome = self.report.outcome
        super().error(text, hint if outcome is None else _HINTS.get(outcome, hint))

    def finish(self) -> None:
        """Say how it ended, and where the time went."""
        report = self.report
        super().finish()
        steps = [step for step in report.steps if step.seconds >= _UNTIMED]
        told = ", ".join(f"{step.name} {step.seconds:.1f} s" for step in steps)
        total = sum(step.seconds for step in report.steps)
        super().say(f"{clock()} {report.outcome} after {total:.1f} s" + (f" ({told})" if told else ""))
        for step in report.steps:
            if (step.name, step.status) == ("signal", StepStatus.SKIPPED):
                super().say(f"{_INDENT}signal skipped: {step.detail}")

    def _line(self, step: RunningStep, seconds: float) -> None:
        """Show no step."""
