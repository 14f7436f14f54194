"""Regular expressions as LiteLLM's wildcards, and what a wildcard matches.

LiteLLM 1.106.2, router_utils/pattern_match_deployments.py, and seen (tests/stack/test_translation.py): `*` in
a model name becomes `(.*)`, everything else is literal; the match is anchored at the start and not at the
end; what the stars matched is put into the stars of `litellm_params.model`; the longest wildcard is tried
first; a model group of exactly the name asked for comes before any wildcard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = [
    "InexpressibleError",
    "Wildcard",
    "WildcardIndex",
    "example_of_both",
    "matches",
    "specificity",
    "wildcard_of",
]

_SPECIAL: Final = "*+?\\^$|()"


class InexpressibleError(ValueError):
    """A regular expression has no wildcard that means the same; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A wildcard, and in which way it matches more than the expression did, if it does."""

    text: str
    wider: str | None = None


def wildcard_of(pattern: str) -> Wildcard:
    """Return the wildcard for a Python regular expression that is matched from the start of a name.

    Raises InexpressibleError with the reason where there is none, and re.error where it does not compile.
    """
    try:
        re.compile(pattern)
    except (OverflowError, RecursionError) as error:  # it is too large or too deep for Python
        raise re.error(str(error), pattern) from None
    parts: list[str] = []
    wider: str | None = None
    ended = False
    tokens = list(_tokens(pattern))
    for place, (kind, text) in enumerate(tokens):
        if kind == "^" and place == 0:
            continue
        if kind == "$" and place == len(tokens) - 1:
            ended = True
            continue
        if kind == "any" and text.endswith("+"):
            wider = "'+' asks for at least one character, '*' for any number, none included"
        if kind == "any":
            if not parts or parts[-1] != "*":
                parts.append("*")
        elif kind == "literal":
            if text == "*":
                raise InexpressibleError("a literal '*' would be a wildcard")
            parts.append(text)
        else:
            raise InexpressibleError(f"a wildcard has no {_NAMES[kind]} '{text}'")
    if not ended and (not parts or parts[-1] != "*"):
        parts.append("*")  # without $ anything may follow
    if "*" not in parts:
        raise InexpressibleError("it matches one name only")
    if parts[-1] != "*":
        wider = "LiteLLM does not anchor the end: a name that goes on matches, too, and is cut off there"
    return Wildcard("".join(parts), wider)


_NAMES: Final = {
    "class": "character class",
    "group": "group, alternative or flag",
    "repeat": "repetition",
    "any-one": "'any one character', which is what an unescaped dot means:",
    "anchor": "anchor",
    "escape": "escape",
    "^": "anchor in the middle:",
    "$": "anchor in the middle:",
}
_TOKEN: Final = re.compile(
    r"""(?P<any>\.[*+]\??)            # .* .+ and their lazy forms
    | (?P<group>[()|])
    | (?P<repeat>[^\\.]?(?:[*+?]|\{\d*,?\d*\})\??|\\.(?:[*+?]|\{\d*,?\d*\})\??|\.(?:\?|\{\d*,?\d*\})\??)
    | (?P<class>\\[dDwWsS]|\[)
    | (?P<anchor>\\[AbBZz])
    | (?P<escaped>\\[^A-Za-z0-9])
    | (?P<escape>\\.)
    | (?P<any_one>\.)
    | (?P<start>\^) | (?P<end>\$)
    | (?P<literal>.)""",
    re.VERBOSE | re.DOTALL,
)


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(pattern):
        kind, text = str(match.lastgroup), match[0]
        if kind == "escaped":
            yield "literal", text[1]
        elif kind in ("start", "end"):
            yield text, text
        else:
            yield kind.replace("_", "-"), text


@lru_cache(maxsize=4096)
def _regex(wildcard: str) -> re.Pattern[str]:
    return re.compile(re.escape(wildcard).replace(r"\*", "(.*)"))


def matches(wildcard: str, name: str) -> bool:
    """Say whether LiteLLM sends a name to this wildcard, if nothing comes before it."""
    return _regex(wildcard).match(name) is not None


def specificity(wildcard: str) -> tuple[int, int]:
    """Return LiteLLM's sort key; the greatest is tried first."""
    text = _regex(wildcard).pattern
    return len(text), sum(text.count(special) for special in _SPECIAL)


def example_of_both(one: str, other: str) -> str | None:
    """Return a name that both wildcards match, or None; the ends are open, as LiteLLM leaves them."""
    one, other = one.rstrip("*") + "*", other.rstrip("*") + "*"
    reached: dict[tuple[int, int], str] = {(0, 0): ""}
    queue = [(0, 0)]
    for at in queue:  # grows while it is read
        first, second = one[at[0] : at[0] + 1], other[at[1] : at[1] + 1]
        if not first and not second:
            return reached[at]
        steps: list[tuple[tuple[int, int], str]] = []
        if first == "*":
            steps.append(((at[0] + 1, at[1]), ""))
            if second and second != "*":
                steps.append(((at[0], at[1] + 1), second))
        if second == "*":
            steps.append(((at[0], at[1] + 1), ""))
            if first and first != "*":
                steps.append(((at[0] + 1, at[1]), first))
        if first and first == second and first != "*":
            steps.append(((at[0] + 1, at[1] + 1), first))
        for step, letter in steps:
            if step not in reached:
                reached[step] = reached[at] + letter
                queue.append(step)
    return None


class WildcardIndex:
    """Many wildcards by their literal beginnings, so that a name is held against few of them."""

    def __init__(self, wildcards: Iterable[str]) -> None:
        self._by_beginning: dict[str, list[str]] = {}
        for text in wildcards:
            self._by_beginning.setdefault(text.partition("*")[0], []).append(text)
        self._lengths = sorted({len(beginning) for beginning in self._by_beginning})

    def matches(self, name: str) -> bool:
        """Say whether any of the wildcards matches the name, as LiteLLM does it."""
        return any(
            matches(text, name)
            for length in self._lengths
            if length <= len(name)
            for text in self._by_beginning.get(name[:length], ())
        )
