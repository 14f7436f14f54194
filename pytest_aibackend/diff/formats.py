"""A comparison as a table for a terminal, as Markdown for a comment, as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend import __version__
from pytest_aibackend.diff.changes import CLASS_ORDER, Change, ChangeClass, ChangeKind
from pytest_aibackend.diff.wording import printable
from pytest_aibackend.reporting.markdown import code, plain

__all__ = [
    "NO_CHANGE",
    "Comparison",
    "as_document",
    "as_json",
    "as_markdown",
    "in_words",
    "lines",
    "print_text",
]

SCHEMA_VERSION: Final = 1
NO_CHANGE: Final = "no change in meaning"
_STYLE: Final = {
    ChangeClass.BREAKING: "bold red",
    ChangeClass.SECURITY: "bold magenta",
    ChangeClass.PERFORMANCE: "yellow",
    ChangeClass.INFO: "cyan",
}
_MARK: Final = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}
_TITLE: Final = {
    ChangeClass.BREAKING: "Breaking",
    ChangeClass.SECURITY: "Security",
    ChangeClass.PERFORMANCE: "Performance",
    ChangeClass.INFO: "Information",
}
_MOST: Final = 400  # changes that a comment shows; a body may have 65,536 characters


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was compared, and what came out."""

    old: tuple[str, str]  # name and kind
    new: tuple[str, str]
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def has(self, one: ChangeClass) -> bool:
        """Say whether any change is of a class."""
        return any(one in change.classes for change in self.changes)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many changes are of each class and kind."""
        classes = Counter(one for change in self.changes for one in change.classes)
        kinds = Counter(change.kind for change in self.changes)
        return {str(one): classes[one] for one in CLASS_ORDER} | {str(one): kinds[one] for one in ChangeKind}


def as_document(comparison: Comparison) -> dict[str, Any]:
    """Return the document that `--json` prints; its schema is diff/diff.schema.json."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "old": dict(zip(("name", "kind"), comparison.old, strict=True)),
        "new": dict(zip(("name", "kind"), comparison.new, strict=True)),
        "summary": {"changes": len(comparison.changes), **comparison.counts},
        "changes": [change.as_dict() for change in comparison.changes],
        "notes": list(comparison.notes),
    }


def as_json(comparison: Comparison) -> str:
    """Return the document as text."""
    return json.dumps(as_document(comparison), indent=2, ensure_ascii=False) + "\n"


def in_words(comparison: Comparison) -> str:
    """Return how many changes there are, in one sentence."""
    count = len(comparison.changes)
    if not count:
        return NO_CHANGE
    counts = comparison.counts
    classes = [f"{counts[one]} {one}" for one in CLASS_ORDER if counts[one]]
    return f"{count} change{'' if count == 1 else 's'} in meaning: {', '.join(classes)}"


def lines(changes: Iterable[Change]) -> Iterator[tuple[str, str]]:
    """Yield each change as a plain line, with the style of its gravest class."""
    for change in changes:
        classes = ", ".join(change.classes)
        yield f"{_MARK[change.kind]} {classes}: {change.rule}: {change.message}", _STYLE[change.gravest]


def print_text(comparison: Comparison, console: Any) -> None:
    """Print the changes, class by class, on a console of rich's."""
    from rich.text import Text

    for one in CLASS_ORDER:
        members = [change for change in comparison.changes if change.gravest is one]
        if not members:
            continue
        console.print(Text(_TITLE[one], style=_STYLE[one]))
        indentation = max(len(change.rule) for change in members) + 5
        for change in members:
            also = change.classes[1:]
            told = Text(change.message)
            told.append(f" ({', '.join(also)})" if also else "", style="bold")
            told.append(f"\n{change.notice}", style="dim")
            lead = Text.assemble((_MARK[change.kind], _STYLE[one]), f"  {change.rule}".ljust(indentation - 1))
            for line in told.wrap(console, max(console.width - indentation, 20), overflow="fold"):
                line.rstrip()
                console.print(lead + line, soft_wrap=True)
                lead = Text(" " * indentation)
        console.print()
    for note in comparison.notes:
        console.print(Text(f"note: {note}", style="yellow"), soft_wrap=True)
    console.print(Text(f"{comparison.old[0]} -> {comparison.new[0]}: {in_words(comparison)}"), soft_wrap=True)


def as_markdown(comparison: Comparison) -> str:
    """Return the body of a comment."""
    text = [f"### Configuration: {plain(in_words(comparison))}", ""]
    text += [f"`{code(comparison.old[0])}` → `{code(comparison.new[0])}`", ""]
    for note in comparison.notes:
        text += [f"> {plain(note)}", ""]
    shown = comparison.changes[:_MOST]
    for one in CLASS_ORDER:
        members = [change for change in shown if change.gravest is one]
        if members:
            text += [
                f"#### {_TITLE[one]} ({len(members)})",
                "",
                "| | rule | what changes | also |",
                "|---|---|---|---|",
            ]
            text += [
                f"| {change.kind} | `{change.rule}` |"
                f" {plain(change.message)} |"
                f" {', '.join(change.classes[1:])} |"
                for change in members
            ]
            text.append("")
    text += _for_clients(shown)
    if len(comparison.changes) > len(shown):
        text += [f"... and {len(comparison.changes) - len(shown)} more: `aibackend diff --json`", ""]
    return "\n".join(text).rstrip() + "\n"


def _for_clients(changes: tuple[Change, ...]) -> Iterator[str]:
    notices: dict[str, list[str]] = {}
    for change in changes:
        for client in change.clients:
            notices.setdefault(client, []).append(change.notice)
    if notices:
        yield from ("#### What clients would notice", "", "| who asks for | notices |", "|---|---|")
        for client in sorted(notices):
            told = "<br>".join(plain(text) for text in dict.fromkeys(notices[client]))
            yield f"| `{code(printable(client))}` | {told} |"
        yield ""
