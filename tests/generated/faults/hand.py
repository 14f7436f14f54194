"""What a fault is: a function that puts something wrong into a config that is right, and says where."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from hypothesis import strategies as st

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.schema import Key, Schema
from tests.generated.configs import ENVIRONMENT, Generated, drawn_keys, render

__all__ = ["FAULTS", "SETTINGS", "Broken", "Hand", "broken", "fault", "misspelt"]

SETTINGS: Final = ("router_settings", "litellm_settings", "general_settings")


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A config with one fault."""

    data: Any
    path: Path  # of what is wrong, or of what is missing
    environment: Mapping[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))

    @cached_property
    def text(self) -> str:
        """Return it as YAML."""
        return render(self.data)

    def __repr__(self) -> str:
        return f"{'.'.join(map(str, self.path))} is wrong in\n{self.text}"


class Hand:
    """What a fault may do: draw, look at the config, change it."""

    def __init__(self, draw: st.DrawFn, schema: Schema, data: dict[str, Any]) -> None:
        self.schema = schema
        self.data = data
        self._draw = draw

    def one_of(self, choices: Any) -> Any:
        """Draw one of these, or from a strategy."""
        return self._draw(choices if isinstance(choices, st.SearchStrategy) else st.sampled_from([*choices]))

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of settings, made where there is none."""
        found: dict[str, Any] = self.data.setdefault(name, {})
        return found

    def deployment(self) -> tuple[int, dict[str, Any]]:
        """Draw a deployment, with its number."""
        index = self.one_of(range(len(self.data["model_list"])))
        return index, self.data["model_list"][index]

    def params(self) -> tuple[Path, dict[str, Any]]:
        """Draw the parameters of a deployment, with their path."""
        index, deployment = self.deployment()
        return ("model_list", index, "litellm_params"), deployment["litellm_params"]

    def group(self) -> str:
        """Draw the name of a model group."""
        name: str = self.one_of([entry["model_name"] for entry in self.data["model_list"]])
        return name

    def place(self, name: str) -> tuple[Path, dict[str, Any]]:
        """Return the path of a section of the schema, and what stands there."""
        if name == "litellm_params":
            return self.params()
        if name == "model_info":
            index, deployment = self.deployment()
            return ("model_list", index, name), deployment.setdefault(name, {})
        if name == "cache_params":
            return ("litellm_settings", name), self.cache("local")
        return (name,), self.section(name)

    def cache(self, kind: str, **params: Any) -> dict[str, Any]:
        """Return the parameters of a cache of this type, made anew."""
        found: dict[str, Any] = {"type": kind, **params}
        self.section("litellm_settings").update(cache=True, cache_params=found)
        return found

    def some_key(self, fits: Callable[[Key], bool], *sections: str) -> Key:
        """Draw a key of these sections which the schema describes so."""
        keys = [
            key
            for section in sections or (*SETTINGS, "litellm_params", "model_info", "cache_params")
            for name in drawn_keys(self.schema, section)
            if fits(key := self.schema.section(section).keys[name])
        ]
        drawn: Key = self.one_of(keys)
        return drawn

    def set(self, key: Key, value: Any) -> Path:
        """Write a key where it belongs and return its path."""
        path, section = self.place(key.section)
        section[key.name] = value
        return (*path, key.name)

    def server(self, prefix: str, base: str) -> tuple[Path, dict[str, Any]]:
        """Make a deployment of one provider and return its parameters."""
        path, params = self.params()
        for key in ("base_url", "api_base"):
            params.pop(key, None)
        params |= {
            "model": f"{prefix}/{params['model'].partition('/')[2]}",
            "api_base": base,
            "api_key": "none",
        }
        return path, params


Fault = Callable[[Hand], Path]
FAULTS: Final[dict[str, Fault]] = {}


def fault(function: Fault) -> Fault:
    """Register a fault under its name."""
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


def broken(name: str, configs: st.SearchStrategy[Generated], schema: Schema) -> st.SearchStrategy[Broken]:
    """Return configs with this fault."""

    @st.composite
    def build(draw: st.DrawFn) -> Broken:
        data = copy.deepcopy(draw(configs).data)
        return Broken(data=data, path=FAULTS[name](Hand(draw, schema, data)))

    return build()


def misspelt(hand: Hand, name: str) -> str:
    """Draw a misspelling: one letter twice, missing, or exchanged with its neighbour."""
    ways = sorted({*_misspellings(name)} - {name})
    return str(hand.one_of(ways))


def _misspellings(name: str) -> Iterator[str]:
    for place in range(1, len(name) - 1):
        yield name[:place] + name[place:][0] + name[place:]
        yield name[:place] + name[place + 1 :]
        yield name[:place] + name[place + 1] + name[place] + name[place + 2 :]
