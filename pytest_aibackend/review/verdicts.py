"""What is to be said of a pull request, point by point; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pytest_aibackend.diff.changes import ChangeClass
from pytest_aibackend.diff.formats import Comparison, in_words
from pytest_aibackend.reporting.markdown import plain
from pytest_aibackend.review.announcement import NOTICED, Announcement
from pytest_aibackend.review.sides import Unread

__all__ = ["CHANGELOG", "State", "Verdict", "judge"]

CHANGELOG: Final = "CHANGELOG.md"
_UNKNOWN: Final = "not known, for nothing could be compared"


class State(StrEnum):
    """How a point stands; only FAILED stops a pull request."""

    PASSED = "passed"
    LOOK = "look"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One point: its name, how it stands and why, as Markdown of one line."""

    point: str
    state: State
    text: str


def judge(
    announcement: Announcement, compared: Comparison | Unread, changed_files: Sequence[str]
) -> Iterator[Verdict]:
    """Yield the six points."""
    yield _title(announcement)
    yield _configuration(compared)
    yield _breaking(announcement, compared)
    yield _impact("security impact", ChangeClass.SECURITY, compared)
    yield _impact("performance impact", ChangeClass.PERFORMANCE, compared)
    yield _changelog(announcement, compared, changed_files)


def _title(announcement: Announcement) -> Verdict:
    if announcement.problem:
        return Verdict(point="title", state=State.FAILED, text=announcement.problem)
    return Verdict(
        point="title", state=State.PASSED, text=f"a conventional commit of type {announcement.type}"
    )


def _configuration(compared: Comparison | Unread) -> Verdict:
    point = "configuration"
    if isinstance(compared, Unread):
        side = "the new side" if compared.is_new_side else "the old side"
        state = State.FAILED if compared.is_new_side else State.LOOK
        return Verdict(point=point, state=state, text=f"{side} cannot be read: {plain(compared.why)}")
    return Verdict(point=point, state=State.PASSED, text=in_words(compared))


def _breaking(announcement: Announcement, compared: Comparison | Unread) -> Verdict:
    point = "breaking changes"
    if isinstance(compared, Unread):
        return Verdict(point=point, state=State.LOOK, text=_UNKNOWN)
    rules = _rules(compared, ChangeClass.BREAKING)
    announced = f"announced {announcement.breaking}" if announcement.breaking else ""
    if not rules:
        text = f"none in the configuration{', but one is ' + announced if announced else ''}"
        return Verdict(point=point, state=State.PASSED, text=text)
    if announced:
        return Verdict(point=point, state=State.PASSED, text=f"{rules}; {announced}")
    remedy = "announce them: `!` before the colon of the title, or `BREAKING CHANGE: why` in the description"
    return Verdict(point=point, state=State.FAILED, text=f"{rules}; {remedy}")


def _impact(point: str, one: ChangeClass, compared: Comparison | Unread) -> Verdict:
    if isinstance(compared, Unread):
        return Verdict(point=point, state=State.LOOK, text=_UNKNOWN)
    rules = _rules(compared, one)
    return Verdict(point=point, state=State.LOOK if rules else State.PASSED, text=rules or "none")


def _changelog(
    announcement: Announcement, compared: Comparison | Unread, changed_files: Sequence[str]
) -> Verdict:
    if CHANGELOG in changed_files:
        return Verdict(point="changelog", state=State.PASSED, text=f"{CHANGELOG} is changed")
    is_noticed = (
        announcement.type in NOTICED
        or announcement.breaking is not None
        or (isinstance(compared, Comparison) and bool(compared.changes))
    )
    if not is_noticed:
        return Verdict(point="changelog", state=State.PASSED, text="nothing that a user would notice")
    text = f"a reminder: {CHANGELOG} says nothing of what users will notice"
    return Verdict(point="changelog", state=State.LOOK, text=text)


def _rules(compared: Comparison, one: ChangeClass) -> str:
    """Return the rules of the changes of a class, with how often each was met."""
    met = [change.rule for change in compared.changes if one in change.classes]
    return ", ".join(
        f"`{rule}`{f' ({met.count(rule)})' if met.count(rule) > 1 else ''}" for rule in dict.fromkeys(met)
    )
