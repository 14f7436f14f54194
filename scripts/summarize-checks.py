#!/usr/bin/env python3
"""The document of `aibackend check --json` as a Markdown table, for the summary of a job.

On GitHub it is appended to the file that GITHUB_STEP_SUMMARY names, elsewhere it is printed. A critical check
has to pass, unless it asks running services and was not told to; the others are shown.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.reporting.markdown import code, plain

_MOST: Final = 500  # findings in the summary, of which GitHub takes a MiB; a message may be long
_LONGEST: Final = 400  # letters of one of them

_WORDS: Final = {
    "failed": "failed",
    "blocked": "could not run: a file that it needs does not parse",
    "skipped": "did not run",
}


def main() -> int:
    """Return 0 when the critical checks passed, 1 when one did not, 2 for wrong usage."""
    if len(sys.argv) != 2:
        print("usage: summarize-checks.py FILE", file=sys.stderr)
        return 2
    try:
        document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"summarize-checks.py: {sys.argv[1]}: {error}", file=sys.stderr)
        return 2
    try:
        told, bad = summary(document), refused(document)
    except (KeyError, TypeError, AttributeError):
        print(
            f"summarize-checks.py: {sys.argv[1]}: not a document of aibackend check --json", file=sys.stderr
        )
        return 2
    _tell("\n".join(told) + "\n")
    on_github = bool(os.environ.get("GITHUB_ACTIONS"))
    if on_github:
        print(*map(_annotated, _findings(document)), sep="\n")
    for reason in bad:
        print(f"::error::{reason}" if on_github else f"error: {reason}")
    return 1 if bad else 0


def summary(document: dict[str, Any]) -> list[str]:
    """Return the lines of the table, and of the findings below it."""
    counts = document["summary"]
    told = ", ".join(
        f"{counts[word]} {word}" for word in ("passed", "warned", "failed", "skipped") if counts[word]
    )
    lines = [
        f"## The eleven checks of `{code(document['config'])}`: {told}",
        "",
        "| check | | status | tests | findings |",
        "|---|---|---|---|---|",
    ]
    for check in document["checks"]:
        status = check["status"] + (f": {plain(check['reason'])}" if check.get("reason") else "")
        critical = "critical" if check["critical"] else ""
        cells = (
            f"{check['number']} {check['slug']}",
            critical,
            status,
            check["tests"],
            len(check["findings"]),
        )
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    found = _findings(document)
    shown = [*map(_line, found[:_MOST])] or ["No findings."]
    if len(found) > _MOST:
        shown.append(f"- ... and {len(found) - _MOST} more: `aibackend check`")
    return [*lines, "", *shown]


def _findings(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for check in document["checks"] for finding in check["findings"]]


def _annotated(finding: dict[str, Any]) -> str:
    """Return the line that .github/findings-matcher.json looks for."""
    place = f"{finding['file']}:{finding.get('line') or 1}:{finding.get('column') or 1}"
    return f"{place}: {finding['severity']}: {finding['rule']}: {_first_line(finding)}"


def _line(finding: dict[str, Any]) -> str:
    place = f"{finding['file']}:{finding['line']}" if finding.get("line") else finding["file"]
    hint = f" ({plain(finding['hint'])})" if finding.get("hint") else ""
    return f"- `{code(place)}` {finding['severity']} `{finding['rule']}`: {plain(_first_line(finding))}{hint}"


def _first_line(finding: dict[str, Any]) -> str:
    """Return what is said without the diff below it."""
    first = finding["message"].strip().partition("\n")[0]
    return first if len(first) <= _LONGEST else f"{first[:_LONGEST]}..."


def refused(document: dict[str, Any]) -> list[str]:
    """Return why the stage fails, a sentence for each critical check that did not pass or is not there."""
    there = {check["number"] for check in document["checks"]}
    missing = [
        f"check {check.number}, {check.slug}, is critical and not in the document"
        for check in CHECKS.values()
        if check.critical and check.number not in there
    ]
    return missing + [
        f"check {check['number']}, {check['slug']}, is critical and {_WORDS[check['status']]}"
        for check in document["checks"]
        if check["critical"]
        and check["status"] in _WORDS
        and not (check["live"] and check["status"] == "skipped")
    ]


def _tell(text: str) -> None:
    summary_file = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary_file:
        with Path(summary_file).open("a", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    sys.exit(main())
