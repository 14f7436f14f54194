"""What the answers of one provider come to, and the two ways of coming to no good."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pytest_aibackend.probes.http import Answer
from pytest_aibackend.probes.observations import State

__all__ = ["NOT_FOUND", "SILENT", "Verdict", "judge_failure", "judge_stranger"]

SILENT = (State.DOWN, State.TIMEOUT, State.DNS_ERROR, State.TLS_ERROR, State.BAD_URL)
NOT_FOUND = (404, 405)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the answers of one provider come to."""

    state: State
    detail: str
    answers: tuple[Answer, ...] = ()
    decisive: Answer | None = None
    version: str | None = None
    models: tuple[str, ...] | None = None
    loaded_models: tuple[str, ...] | None = None
    seems_to_be: str | None = None
    wanted: str = "this type of provider"

    @property
    def is_unreachable(self) -> bool:
        """Tell whether asking more would be no use."""
        return self.state in SILENT

    @property
    def is_hung_up(self) -> bool:
        """Tell whether something listens, and closes the connection when it hears HTTP."""
        return self.decisive is not None and self.decisive.is_hung_up

    def as_seeming(self, service: str) -> Verdict:
        """Return the same verdict with the sentence that says what the service seems to be."""
        if service == self.wanted:
            return replace(self, seems_to_be=service)
        return replace(
            self,
            state=State.WRONG_SERVICE,
            seems_to_be=service,
            detail=f"it does not answer as {self.wanted}: it seems to be {service}",
        )


def judge_failure(answers: list[Answer], answer: Answer, wanted: str, **more: Any) -> Verdict:
    """Return the verdict for an answer that decides for the worse."""
    state, detail = answer.state, f"{answer.path}: {answer.detail}"
    if state in SILENT or state is State.WRONG_SERVICE:
        others = [each.path for each in answers if each.is_ok]
        detail = answer.detail + (f" to {answer.path}, though {others[-1]} answers" if others else "")
    if answer.status in NOT_FOUND:
        state = State.WRONG_SERVICE
        detail = f"it does not answer as {wanted}: {answer.path} gives {answer.status}"
    return Verdict(state=state, detail=detail, answers=tuple(answers), decisive=answer, wanted=wanted, **more)


def judge_stranger(answers: list[Answer], answer: Answer, wanted: str, what: str) -> Verdict:
    """Return the verdict for an answer that is complete, and not in this protocol."""
    return Verdict(
        state=State.WRONG_SERVICE,
        detail=f"it does not answer as {wanted}: {answer.path} {what}",
        answers=tuple(answers),
        decisive=answer,
        wanted=wanted,
    )
