"""docs/troubleshooting.md has every message of the code that is no finding, and none that is gone."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.messages import NOT_MESSAGES, PACKAGE, Message, literals, messages
from tests.walkthrough import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.*?) ?\|$", PAGE, re.MULTILINE)
# What is said while all is well.
PROGRESS = (
    "... is unchanged",
    "LiteLLM is ready after ... s",
    "... ended by ...",
    "... looking at the sources",
    "canary: LiteLLM is being loaded, to try each candidate before it is deployed",
    "watching ...: ...; Ctrl-C ends it",
)


def pattern(row: str) -> re.Pattern[str]:
    """Return what finds the beginning of a message: the words of a row, values where the row has some."""
    return re.compile(r"\.\.\..*?".join(re.escape(part) for part in row.split("...")))


@cache
def texts_of_the_code() -> tuple[str, ...]:
    return tuple(text.replace("`", "") for text in literals())


PATTERNS = [pattern(row[0]) for row in ROWS]


def test_the_code_has_messages() -> None:
    texts = {message.text for message in messages()}
    assert len(texts) > 150
    assert {"the gate refused it: ...", "unrecognized arguments: ...", "git is not installed"} <= texts
    assert all((PACKAGE / name).is_file() for name in NOT_MESSAGES)


@pytest.mark.parametrize("message", messages(), ids=lambda message: f"{message.place}-{message.text}")
def test_message_is_on_the_page(message: Message) -> None:
    told = message.text.replace("`", "")
    assert told in PROGRESS or any(each.match(told) for each in PATTERNS), f"{message.place}: {message.text}"


@pytest.mark.parametrize("row", [row[0] for row in ROWS])
def test_row_of_the_page_is_a_message(row: str) -> None:
    assert any(pattern(row).match(text) for text in texts_of_the_code()), row
    assert len(re.findall(r"[a-z]{2,}", row)) > 0


def test_rows_say_something() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)
    assert all(cause for _, cause, _ in ROWS)
