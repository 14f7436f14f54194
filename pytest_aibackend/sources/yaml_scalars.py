"""What a scalar means: the reading of PyYAML's safe loader, without the loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.resolver import Resolver

from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.yaml_problems import RefusedError, problem_at, unknown_tag

__all__ = ["MERGE", "TEXT", "VALUE", "Scalars"]

TEXT: Final = "tag:yaml.org,2002:str"
MERGE: Final = "tag:yaml.org,2002:merge"  # of <<
VALUE: Final = "tag:yaml.org,2002:value"  # of =

_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "binary", "merge", "value")
)
_REMEMBERED: Final = 10_000
_MOST_BITS: Final = 4_000  # of a whole number; one of 14,000 can be read, written as 0x..., and not be shown


class _PyYaml(SafeConstructor, Resolver):
    def __init__(self) -> None:
        SafeConstructor.__init__(self)
        Resolver.__init__(self)


class Scalars:
    """Reads the scalars of one file."""

    def __init__(self) -> None:
        self._pyyaml = _PyYaml()
        self._resolver: Any = self._pyyaml.resolve
        self._tags: dict[str, str] = {}

    def tag_of(self, event: Any) -> str:
        """Return what a scalar is: the tag that it has, or else that of its text where it is plain."""
        tag: str | None = event.tag
        if tag is None or tag == "!":
            return self._resolve(event.value) if tag is None and event.implicit[0] else TEXT
        return tag

    def _resolve(self, text: str) -> str:
        """Return what a plain scalar is, remembered: keys and many values recur."""
        tag = self._tags.get(text)
        if tag is None:
            tag = str(self._resolver(yaml.ScalarNode, text, (True, False)))
            if len(self._tags) < _REMEMBERED:
                self._tags[text] = tag
        return tag

    def construct(self, tag: str, event: Any, *, is_secret: Callable[[], bool]) -> Any:
        """Return the value of a scalar that is no text. Raises RefusedError."""
        if tag not in _PLAIN_TAGS:
            raise RefusedError(unknown_tag(tag, event, is_shown=not is_secret()))
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            return _bounded(self._pyyaml.construct_object(node))
        except (ValueError, ConstructorError, KeyError, IndexError, OverflowError) as error:
            hidden = is_secret()
            shown = "the value given (not shown)" if hidden else show_value(None, event.value)
            reason = "" if hidden else f" ({str(error).splitlines()[0][:100]})"
            raise RefusedError(
                problem_at(
                    event,
                    "unreadable-value",
                    f"{shown} looks like a YAML {tag.rpartition(':')[2]} but is none{reason}",
                    "put it in quotes if it is meant as text",
                )
            ) from None


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise ValueError("it has more digits than any setting")
    return value
