"""What a run came to: its outcome and exit code, its steps, and the document that `--json` prints."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from pytest_aibackend import __version__
from pytest_aibackend.diff.changes import Change
from pytest_aibackend.findings import Finding

__all__ = ["EXIT", "INTERRUPTED_BY", "Outcome", "Report", "Step", "StepStatus", "StopRun"]

SCHEMA_VERSION: Final = 1
INTERRUPTED_BY: Final = 128  # plus the number of the signal, as a shell has it


class Outcome(StrEnum):
    """How a run ended."""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    VALID = "valid"  # --validate-only, and everything would have been let through
    REFUSED = "refused"  # by the gate or the canary
    DECLINED = "declined"  # by the person who was asked
    UNUSABLE = "unusable"  # wrong usage or environment, or a bug of ours: nothing touched
    ROLLED_BACK = "rolled-back"
    UNHEALTHY = "unhealthy"  # rolled back, and the gateway is still not well
    LOCKED = "locked"  # by another run
    INTERRUPTED = "interrupted"  # by a signal, before anything was touched


EXIT: Final = {
    Outcome.DEPLOYED: 0,
    Outcome.UNCHANGED: 0,
    Outcome.VALID: 0,
    Outcome.REFUSED: 1,
    Outcome.DECLINED: 1,
    Outcome.UNUSABLE: 2,
    Outcome.ROLLED_BACK: 3,
    Outcome.UNHEALTHY: 4,
    Outcome.LOCKED: 5,
    Outcome.INTERRUPTED: INTERRUPTED_BY + 2,
}


class StepStatus(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class StopRun(Exception):  # noqa: N818 # not always an error
    """Ends a run before anything was touched: the outcome, why in plain words, and the next act."""

    def __init__(self, outcome: Outcome, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a run, after it."""

    name: str
    status: StepStatus
    seconds: float
    detail: str


@dataclass(kw_only=True, slots=True)
class Report:
    """Grows while a run goes on."""

    command: str  # "reload", "validate" or "restore NAME"
    config: str
    target: str = ""  # the deployed file
    outcome: Outcome | None = None
    exit: int | None = None
    reason: str = ""
    old_sha256: str | None = None
    new_sha256: str | None = None
    backup: str | None = None
    added: int = 0  # lines of the diff
    removed: int = 0
    changes: list[Change] = field(default_factory=list)  # what the difference means
    gate: dict[str, Any] | None = None
    canary: dict[str, Any] | None = None
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)  # what an earlier run left, and what became of it
    notes: list[str] = field(default_factory=list)

    def end(self, outcome: Outcome, reason: str = "", *, status: int | None = None) -> None:
        """Note how the run ended; `status` where the outcome alone does not say it."""
        self.outcome, self.reason = outcome, reason
        self.exit = EXIT[outcome] if status is None else status

    def document(self) -> dict[str, Any]:
        """Return the document of the run, plain types only."""
        return {
            "schema_version": SCHEMA_VERSION,
            "tool_version": __version__,
            "command": self.command,
            "config": self.config,
            "target": self.target,
            "outcome": str(self.outcome),
            "exit": self.exit,
            "reason": self.reason,
            "old_sha256": self.old_sha256,
            "new_sha256": self.new_sha256,
            "backup": self.backup,
            "diff": {"added": self.added, "removed": self.removed},
            "changes": [change.as_dict() for change in self.changes],
            "gate": self.gate,
            "canary": self.canary,
            "steps": [asdict(step) | {"status": str(step.status)} for step in self.steps],
            "findings": [finding.as_dict() for finding in self.findings],
            "recovered": self.recovered,
            "notes": self.notes,
        }
