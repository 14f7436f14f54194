"""Text that anybody may have written, put into Markdown as it is."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["code", "plain"]

_BAR: Final = re.compile(r"(\\*)\|")
_ESCAPED: Final = str.maketrans(
    {sign: f"\\{sign}" for sign in "\\`*_[]#~|"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@\u200b"}
)


def plain(text: str) -> str:
    """Return text that Markdown, a table's cell and GitHub's mentions leave as it is."""
    return " ".join(text.split()).translate(_ESCAPED)


def code(text: str) -> str:
    """Return text to stand between backticks, in a table's cell, too."""
    # A table looks for its bars before anything else, and takes two backslashes before one for a backslash.
    return _BAR.sub(r"\1\1\\|", " ".join(text.split()).replace("`", "'"))
