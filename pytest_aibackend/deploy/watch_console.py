"""What a watch shows of a reload: what changes and how it ended, and what is wrong; not each step."""

from __future__ import annotations

import datetime as dt
import json
from typing import Final

from pytest_aibackend.deploy.console import Console, RunningStep
from pytest_aibackend.deploy.report import Outcome, Report, StepStatus

__all__ = ["WatchConsole", "clock"]

_INDENT: Final = " " * 9  # as wide as the time
_UNTIMED: Final = 0.05  # seconds, of steps that are not worth a word
_AGAIN: Final = "nothing was touched; it is tried again when a source changes"
_WAITS: Final = (Outcome.REFUSED, Outcome.UNUSABLE)


def clock() -> str:
    """Return the time of day, where we are."""
    return f"{dt.datetime.now().astimezone():%H:%M:%S}"


class WatchConsole(Console):
    """The console of one reload among many; with `as_json`, one document a line."""

    def __init__(self, report: Report, *, as_json: bool = False) -> None:
        """Show on standard output, and errors on standard error."""
        super().__init__(report, as_json=as_json)
        self._one_line = as_json

    def say(self, text: str) -> None:
        """Show a line; how it ended is said by `finish`."""
        if self.report.outcome is None:
            super().say(f"{_INDENT}{text}")

    def diff(self, text: str) -> None:
        """Show no text: whoever edits knows it."""

    def error(self, text: str, hint: str = "") -> None:
        """Show what stopped the run; nobody has to run it again."""
        super().error(text, _AGAIN if self.report.outcome in _WAITS else hint)

    def finish(self) -> None:
        """Say how it ended, and where the time went."""
        report = self.report
        if self._one_line:
            print(json.dumps(report.document(), ensure_ascii=False), flush=True)
            return
        steps = [step for step in report.steps if step.seconds >= _UNTIMED]
        told = ", ".join(f"{step.name} {step.seconds:.1f} s" for step in steps)
        total = sum(step.seconds for step in report.steps)
        skipped = [step for step in report.steps if step.status is StepStatus.SKIPPED]
        super().say(f"{clock()} {report.outcome} after {total:.1f} s" + (f" ({told})" if told else ""))
        for step in skipped:
            if step.name in ("canary", "signal"):
                super().say(f"{_INDENT}{step.name} skipped: {step.detail}")

    def _line(self, step: RunningStep, seconds: float) -> None:
        """Show no step."""
