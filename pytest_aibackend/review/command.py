"""Review a pull request: git revisions, a title and a description in, the body of a comment out."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pytest_aibackend.diff.git import GitError
from pytest_aibackend.reporting.bugs import BUG, tell_bug
from pytest_aibackend.review.announcement import read_announcement
from pytest_aibackend.review.body import as_body
from pytest_aibackend.review.sides import compare_range, draw, find_range
from pytest_aibackend.review.verdicts import State, Verdict, judge

__all__ = ["ReviewOptions", "review"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewOptions:
    """What is reviewed, and where the comment goes."""

    base: str
    head: str
    title: str | None = None  # None: the message of the newest commit stands for both
    body: str = ""
    config: Path = Path("config")
    output: Path | None = None  # None: standard output; a file is added to


def review(options: ReviewOptions) -> int:
    """Write the comment; return 0, 1 if it is stopped, 2 if it cannot be looked at, 3 for a bug."""
    try:
        return _review(options)
    except (GitError, OSError) as error:
        print(f"review: {error}", file=sys.stderr)
        return 2
    except Exception:  # noqa: BLE001 # a bug of ours has a status of its own
        tell_bug("review", "the pull request")
        return BUG


def _review(options: ReviewOptions) -> int:
    between = find_range(options.base, options.head, options.config)
    title, body = options.title, options.body
    if title is None:
        title, _, body = between.repository.message(between.new).partition("\n")
    compared = compare_range(between, options.config)
    changed = between.repository.changed_files(between.old, between.new)
    verdicts = list(judge(read_announcement(title, body), compared, changed))
    pictures = draw(between, options.config)
    _write(as_body(verdicts, compared, *pictures), options.output)
    for verdict in verdicts:
        _tell(verdict)
    return int(any(verdict.state is State.FAILED for verdict in verdicts))


def _write(body: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(body)
    else:
        with output.open("a", encoding="utf-8") as file:
            file.write(body)


def _tell(verdict: Verdict) -> None:
    """Print a point to the log; no line of it begins with what somebody else has written."""
    line = f"review: {verdict.state}: {verdict.point}: {verdict.text}"
    if verdict.state is State.FAILED and os.environ.get("GITHUB_ACTIONS"):
        escaped = " ".join(verdict.text.split()).replace("%", "%25")
        line = f"::error title=review, {verdict.point}::{escaped}"
    print(line, file=sys.stderr)
