"""Files of environment variables, `NAME=value` a line, as python-dotenv and container tools read them."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["parse_env_file"]

_LINE: Final = re.compile(r"\s*(?:export\s+)?(?P<name>[^\s=#\"']+)\s*(?:=[ \t]*(?P<value>.*))?")
_QUOTED: Final = re.compile(
    r"""(?P<quote>['"])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(?:#.*)?""", re.DOTALL
)
_COMMENT: Final = re.compile(r"(^|\s+)#.*")


def parse_env_file(text: str) -> tuple[dict[str, str | None], list[int]]:
    """Return the variables, and the lines (from 1) that are none.

    A name without `=` has the value None: container tools take it from their own environment.
    """
    found: dict[str, str | None] = {}
    unread: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            unread.append(number)
        else:
            found[match["name"]] = None if match["value"] is None else _value(match["value"])
    return found, unread


def _value(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    if quoted is None:
        return _COMMENT.sub("", text).strip()
    return re.sub(r"\\(.)", r"\1", quoted["text"]) if quoted["quote"] == '"' else quoted["text"]
