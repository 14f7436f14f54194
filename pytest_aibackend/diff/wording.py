"""How changes speak of values: short, and without secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.diff.deployment import Place, same
from pytest_aibackend.sources.secrets import is_key_shaped, is_placeholder, is_secret_key, show_value

__all__ = [
    "MISSING",
    "dotted",
    "from_to",
    "holds_secrets",
    "leaves_that_differ",
    "names_in",
    "printable",
    "shown",
]

MISSING: Final = object()  # a setting that is not written
_SHOWN: Final = 6
_HIDDEN_SECTIONS: Final = ("environment_variables",)  # any of these values may be a secret


def printable(text: str) -> str:
    """Return text without what a terminal or a log would obey: line ends, escapes, marks of direction."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def dotted(place: Place) -> str:
    """Return the place of a setting as people write it."""
    return ".".join(place)


def holds_secrets(key: str) -> bool:
    """Say whether a value under this key may be a secret; LiteLLM has an `openai_key` and many like it."""
    return is_secret_key(key) or key.endswith("_key")


def shown(place: Place, value: Any) -> str:
    """Return a value as a message may show it."""
    if value is MISSING:
        return "not set"
    if isinstance(value, bool) or is_placeholder(value):
        return show_value("", value)
    if place and place[0] in _HIDDEN_SECTIONS:
        is_reference = isinstance(value, str) and value.startswith("os.environ/")
        return show_value("", value) if is_reference else "a value (not shown)"
    key = "secret" if place and holds_secrets(place[-1]) else ""
    if isinstance(value, list) and value and not any(isinstance(item, dict | list) for item in value):
        listed = ", ".join(show_value(key, item) for item in value[:_SHOWN])
        more = f" and {len(value) - _SHOWN} more" if len(value) > _SHOWN else ""
        return f"[{listed}{more}]"
    if isinstance(value, str) and is_key_shaped(value) and "://" not in value:
        return "the value given (not shown)"
    return show_value(key, value)


def from_to(place: Place, old: Any, new: Any, whose: str = "") -> str:
    """Return "was X, is Y" for a setting, secrets hidden, and whose it is where that is not all."""
    before, after = shown(place, old), shown(place, new)
    name = f"{dotted(place)} {whose}".rstrip()
    if before == after:
        return f"{name} has another value" + ("" if "not shown" in before else f", shown as {after}")
    return f"{name} was {before}, is {after}"


def leaves_that_differ(place: Place, old: Any, new: Any) -> Iterator[tuple[Place, Any, Any]]:
    """Yield the innermost places in which two values differ, with both."""
    found = False
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            before, after = old.get(key, MISSING), new.get(key, MISSING)
            if before is MISSING or after is MISSING or not same(before, after):
                found = True
                yield from leaves_that_differ((*place, str(key)), before, after)
    if not found:
        yield place, old, new


def names_in(names: Iterable[str]) -> str:
    """Return names in quotes, in their order, the first few of them where they are many."""
    listed = list(names)
    text = ", ".join(repr(name) for name in listed[:_SHOWN])
    return f"{text} and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else text
