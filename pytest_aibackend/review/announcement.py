"""What a pull request says of itself: its title, as a conventional commit, and its description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["NOTICED", "TYPES", "Announcement", "read_announcement"]

TYPES: Final = ("build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test")
NOTICED: Final = frozenset({"feat", "fix", "perf", "revert"})  # types of changes that a user notices
_TITLE: Final = re.compile(
    r"(?P<type>[A-Za-z]+)(?:\((?P<scope>[^()\s][^()]*)\))?(?P<mark>!)?: (?P<text>\S.*)"
)
_FOOTER: Final = re.compile(r"^BREAKING[ -]CHANGE: *\S", re.MULTILINE)
# What a template says to the one who fills it in.
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """What was read."""

    type: str | None  # None where the title has another form
    problem: str | None  # why the title is refused
    breaking: str | None  # how a breaking change is announced


def read_announcement(title: str, body: str) -> Announcement:
    """Read the title and the description of a pull request."""
    found = _TITLE.fullmatch(title)
    kind = found["type"].lower() if found else None  # the convention wants no letter large or small
    problem = None
    if kind is None:
        problem = "it must read `type(scope): what changes`, as in `fix(config): longer timeout for vllm`"
    elif kind not in TYPES:
        problem = f"its type is none of {', '.join(TYPES)}"
    announced = None
    if found and found["mark"]:
        announced = "by the `!` in the title"
    elif _FOOTER.search(_COMMENT.sub("", body)):
        announced = "by `BREAKING CHANGE:` in the description"
    return Announcement(type=kind if problem is None else None, problem=problem, breaking=announced)
