"""Text that anybody may have written, put into Markdown as it is."""

from __future__ import annotations

from typing import Final

__all__ = ["code", "plain"]

_ESCAPED: Final = str.maketrans(
    {sign: f"\\{sign}" for sign in "\\`*_[]#~|"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@\u200b"}
)


def plain(text: str) -> str:
    """Return text that Markdown, a table's cell and GitHub's mentions leave as it is."""
    return " ".join(text.split()).translate(_ESCAPED)


def code(text: str) -> str:
    """Return text to stand between backticks, in a table's cell, too."""
    return " ".join(text.split()).replace("`", "'").replace("|", "\\|")
