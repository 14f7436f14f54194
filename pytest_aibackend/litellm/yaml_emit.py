"""Plain data as YAML text: the same bytes everywhere, whatever YAML library is installed.

Every text that YAML 1.1 could read as anything else than text is quoted (`off`, `4.6`, `1e3`, dates).
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["emit"]

# Begins with a letter: no number, date, sign or indicator can. A colon inside is fine, one at the end is not.
_PLAIN: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./@+:-]*[A-Za-z0-9_/@+-])?")
_WORDS: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf", "none"))
_NOT_PRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def emit(data: Mapping[Any, Any]) -> str:
    """Return a mapping as YAML in block style, two spaces deep, in its own order.

    Raises TypeError for a value that YAML's plain types do not cover.
    """
    return "".join(f"{line}\n" for line in _mapping(data, ""))


def _mapping(data: Mapping[Any, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        yield from _entry(f"{indent}{_scalar(key)}:", value, indent)


def _entry(start: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        yield start
        yield from _mapping(value, indent + "  ")
    elif isinstance(value, list | tuple) and value:
        yield start
        yield from _sequence(value, indent + "  ")
    else:
        yield f"{start} {_scalar(value)}"


def _sequence(data: list[Any] | tuple[Any, ...], indent: str) -> Iterator[str]:
    for value in data:
        nested: Iterator[str] | None = None
        if isinstance(value, Mapping) and value:
            nested = _mapping(value, indent + "  ")
        elif isinstance(value, list | tuple) and value:
            nested = _sequence(value, indent + "  ")
        if nested is None:
            yield f"{indent}- {_scalar(value)}"
        else:
            yield f"{indent}- {next(nested).lstrip(' ')}"
            yield from nested


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise TypeError(f"{type(value).__name__} has no plain form in YAML")


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _NOT_PRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _number(value: float) -> str:
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(float(value))
    # YAML 1.1 wants a point and a signed exponent in a float: 1e+20 would be read as text.
    mantissa, mark, exponent = text.partition("e")
    if not mark:
        return text
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{exponent}"
