"""Reads an EnvironmentFile= as systemd does: systemd.exec(5); src/basic/env-file.c of systemd 252 and 254."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["parse_environment_file"]

# Quotes count at the beginning of a value only; what follows them up to the end of the line is plain.
_ITEM: Final = re.compile(
    r"""
    [ \t\n\r]*
    (?:
        [\#;] [^\n\r]*
      |
        (?P<name> (?: [^\n\r] [^=\n\r]* )? )
        (?:
            =
            (?P<quoted> (?: [ \t]* (?: '[^']*'? | "(?: [^"\\] | \\. )*"? ) )* )
            [ \t]*
            (?P<plain> (?: \\. | [^\\\n\r] )* ) (?P<open> \\? )
        )?
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED: Final = re.compile(r"""'(?P<single>[^']*)'?|"(?P<double>(?:[^"\\]|\\.)*)"?""", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BLANKS_AT_END: Final = re.compile(r"((?:\\.|[^\\])*?)[ \t]*", re.DOTALL)


def parse_environment_file(text: str) -> dict[str, str]:
    """Return the variables of an environment file; what systemd would pass over is passed over."""
    found = {}
    for item in _ITEM.finditer(text):
        if item["plain"] is not None and _NAME.fullmatch(name := item["name"].rstrip(" \t")):
            plain = item["plain"] if item["open"] else _without_blanks_at_end(item["plain"])
            found[name] = _unquote(item["quoted"]) + _unescape(plain)
    return found


def _unquote(quoted: str) -> str:
    return "".join(
        part["single"]
        if part["single"] is not None
        else re.sub(r"\\(.)", _in_quotes, part["double"], flags=re.DOTALL)
        for part in _QUOTED.finditer(quoted)
    )


def _in_quotes(escape: re.Match[str]) -> str:
    if escape[1] == "\n":
        return ""
    return escape[1] if escape[1] in '"\\`$' else escape[0]


def _without_blanks_at_end(plain: str) -> str:
    kept = _BLANKS_AT_END.fullmatch(plain)
    assert kept is not None
    return kept[1]


def _unescape(plain: str) -> str:
    return re.sub(r"\\(.)", lambda escape: escape[1].strip("\n\r"), plain, flags=re.DOTALL)
