"""The body of one comment, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from pytest_aibackend.diff.formats import Comparison, as_markdown
from pytest_aibackend.graph.mermaid import is_drawn_by_github
from pytest_aibackend.review.sides import Unread
from pytest_aibackend.review.verdicts import State, Verdict

__all__ = ["MOST_LETTERS", "as_body"]

MOST_LETTERS: Final = 65_536  # what GitHub takes as a comment
_SIGN: Final = {State.PASSED: "✅", State.LOOK: "⚠️", State.FAILED: "❌"}
_TOO_LARGE: Final = "The picture is too large for a comment: `aibackend graph --output graph.html` draws it."
_CUT: Final = "\n\n... the rest is too long for a comment: `aibackend diff` prints all of it.\n"


def as_body(
    verdicts: Sequence[Verdict], compared: Comparison | Unread, before: str | None, after: str | None
) -> str:
    """Return the comment; pictures are left out, and then changes, where it would be too long."""
    text = _joined(_table(verdicts))
    if isinstance(compared, Comparison):
        text += "\n" + as_markdown(compared)
    pictures = "\n" + _joined(_pictures(before, after))
    if len(text) + len(pictures) > MOST_LETTERS:
        pictures = "\n" + _joined(_section(_TOO_LARGE))
    if len(text) + len(pictures) > MOST_LETTERS:
        kept = text[: MOST_LETTERS - len(pictures) - len(_CUT)]
        text = kept[: kept.rindex("\n")] + _CUT
    return text + pictures


def _joined(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def _table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    yield "## Review"
    yield ""
    yield "| | point | |"
    yield "|---|---|---|"
    for verdict in verdicts:
        yield f"| {_SIGN[verdict.state]} | {verdict.point} | {verdict.text} |"


def _section(*lines: str) -> Iterator[str]:
    yield from ("### Routing", "", *lines)


def _pictures(before: str | None, after: str | None) -> Iterator[str]:
    drawn = [text for text in (before, after) if text is not None]
    if not drawn:
        yield from _section("There is nothing to draw.")
    elif not all(is_drawn_by_github(text) for text in drawn):
        yield from _section(_TOO_LARGE)
    elif before == after:
        yield from _section(*_picture("before and after, the same", before, is_open=False))
    else:
        yield from _section(*_picture("before", before), *_picture("after", after))


def _picture(name: str, text: str | None, *, is_open: bool = True) -> Iterator[str]:
    if text is None:
        yield from (f"{name.capitalize()}: nothing to draw.", "")
        return
    yield from (f"<details{' open' if is_open else ''}><summary>{name}</summary>", "")
    yield from ("```mermaid", text.rstrip("\n"), "```", "")
    yield from ("</details>", "")
