"""What a run shows: one line for each step with its time, findings, the diff, a question.

With `--json` all of it goes into the report, and nothing but the document at the end to standard output.
A reader that goes away, as with `| head` or a terminal that is closed, must not stop a run half-way: what
cannot be written is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from pytest_aibackend.deploy.report import Report, Step, StepStatus
from pytest_aibackend.diff.changes import Change
from pytest_aibackend.diff.formats import lines
from pytest_aibackend.findings import Finding, Severity

if TYPE_CHECKING:
    from rich.console import Console as Rich

__all__ = ["Console", "RunningStep", "plain_console"]

_STYLE: Final = {StepStatus.PASSED: "green", StepStatus.FAILED: "bold red", StepStatus.SKIPPED: "dim"}
_DIFF_STYLE: Final = {"+": "green", "-": "red", "@": "cyan"}
_DIFF_LINES: Final = 400
_CHANGES: Final = 40
_NAME_WIDTH: Final = 9
_LINE_WIDTH: Final = 72  # where the time stands


class RunningStep:
    """A step while it runs: what it says of itself goes to the spinner, how it ended to its line."""

    def __init__(self, name: str, spinner: Any = None) -> None:
        self.name = name
        self.status = StepStatus.PASSED
        self.detail = ""
        self._spinner = spinner

    def tell(self, text: str) -> None:
        """Say what is being done, for those who watch."""
        if self._spinner is not None:
            self._spinner.update(f"{self.name}: {text}")

    def passed(self, detail: str = "") -> None:
        """End well."""
        self.status, self.detail = StepStatus.PASSED, detail

    def failed(self, detail: str) -> None:
        """End badly."""
        self.status, self.detail = StepStatus.FAILED, detail

    def skipped(self, detail: str) -> None:
        """Leave the step out."""
        self.status, self.detail = StepStatus.SKIPPED, detail


class Console:
    """Where a run is shown and noted."""

    indent: int | None = 2  # of the document

    def __init__(self, report: Report, *, as_json: bool = False) -> None:
        """Show on standard output, or, `as_json`, only note."""
        self.report = report
        self._is_json = as_json
        self._out = _rich(sys.stdout, quiet=as_json)
        self._err = _rich(sys.stderr)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[RunningStep]:
        """Run a step: a spinner while it takes its time, a line when it is over."""
        began = time.monotonic()
        with self._spinner(name) as spinner:
            step = RunningStep(name, spinner)
            try:
                yield step
            except BaseException as error:
                step.failed(str(error) or type(error).__name__)
                raise
            finally:
                seconds = time.monotonic() - began
                detail = " ".join(step.detail.split())
                self.report.steps.append(
                    Step(name=name, status=step.status, seconds=round(seconds, 3), detail=detail)
                )
                self._line(step, seconds)

    def say(self, text: str) -> None:
        """Show a line."""
        self._out.print(text)

    def note(self, text: str) -> None:
        """Show something that somebody should know, and keep it."""
        self.report.notes.append(text)
        self._out.print(f"note: {text}", style="yellow")

    def error(self, text: str, hint: str = "") -> None:
        """Show what stopped the run."""
        self._err.print(f"error: {text}", style="bold red")
        if hint:
            self._err.print(f"  hint: {hint}")

    def finding(self, finding: Finding) -> None:
        """Show a finding as the checks do, and keep it."""
        from rich.text import Text

        self.report.findings.append(finding)
        colour = "red" if finding.severity is Severity.ERROR else "yellow"
        self._out.print(
            Text(f"{finding.location}: ", style="bold")
            + Text(f"{finding.severity}: ", style=colour)
            + Text(f"{finding.rule}: {finding.message}")
        )
        self._out.print(f"  hint: {finding.hint}", style="dim")

    def meaning(self, changes: list[Change]) -> None:
        """Show what changes mean, of many the gravest, and keep all of them."""
        self.report.changes = changes
        for line, style in lines(changes[:_CHANGES]):
            self._out.print(line, style=style)
        if len(changes) > _CHANGES:
            self.say(f"... and {len(changes) - _CHANGES} more changes in meaning")

    def diff(self, text: str) -> None:
        """Show a difference, that of a large file not to its end."""
        moved = text.splitlines()
        for line in moved[:_DIFF_LINES]:
            self._out.print(line, style=_DIFF_STYLE.get(line[:1]))
        if len(moved) > _DIFF_LINES:
            self.say(f"... and {len(moved) - _DIFF_LINES} more lines")

    def ask(self, question: str) -> bool:
        """Ask a person; no answer is a no. With `--json` the question goes to standard error."""
        shown = self._err if self._is_json else self._out
        shown.print(f"{question} [y/N] ", end="")
        with contextlib.suppress(OSError, ValueError):
            return sys.stdin.readline().strip().lower() in ("y", "yes")
        return False

    def finish(self) -> None:
        """Print the document, where that was asked for."""
        if self._is_json:
            stream = _Patient(sys.stdout)
            stream.write(json.dumps(self.report.document(), indent=self.indent, ensure_ascii=False) + "\n")
            stream.flush()

    def _line(self, step: RunningStep, seconds: float) -> None:
        from rich.text import Text

        detail = f": {step.detail}" if step.detail else ""
        first, *more = f"{step.status}{detail}".splitlines()
        text = Text(f"{step.name:<{_NAME_WIDTH}} ") + Text(first, style=_STYLE[step.status])
        text += Text(" " * max(2, _LINE_WIDTH - len(text.plain)) + f"{seconds:6.1f} s", style="dim")
        self._out.print(text)
        for line in more:
            self._out.print(f"{'':<{_NAME_WIDTH}} {line}")

    @contextlib.contextmanager
    def _spinner(self, name: str) -> Iterator[Any]:
        if not self._out.is_terminal or self._out.quiet:
            yield None
            return
        with self._out.status(f"{name} ...") as status:
            yield status


class _Patient:
    """A stream whose reader may go away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or leave it."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Flush, or leave it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._give_up()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self) -> None:
        # What is still buffered would fail again when Python ends, and change the exit code.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def plain_console() -> Rich:
    """Return a console on standard output that a closed pipe does not trouble."""
    return _rich(sys.stdout)


def _rich(stream: TextIO, *, quiet: bool = False) -> Rich:
    from rich.console import Console as Rich

    return Rich(
        file=cast("TextIO", _Patient(stream)),
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
        quiet=quiet,
    )
