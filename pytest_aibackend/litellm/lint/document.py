"""A LiteLLM config as rules see it: its sections, deployments, aliases and fallbacks, with their places.

Nothing here judges: an accessor gives what has the right shape and passes over the rest, so that a rule
may rely on what it gets. What has the wrong shape is the business of the schema rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, Final

from pytest_aibackend.findings import Location, Path
from pytest_aibackend.litellm.lint.entries import FALLBACK_KINDS, Alias, Deployment, Fallback, Reference
from pytest_aibackend.litellm.lint.includes import (
    IncludeProblem,
    LintFile,
    Merged,
    alone,
    merge,
    read_regular_file,
)
from pytest_aibackend.sources.references import variable_of
from pytest_aibackend.sources.yaml_text import Document

__all__ = ["FALLBACK_KINDS", "Alias", "Deployment", "Fallback", "LintDocument", "Reference"]

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class LintDocument:
    """A config with all that it includes."""

    merged: Merged = field(repr=False)
    read_file: Callable[[str], bytes] | None = field(default=None, repr=False)  # None: nothing lies beside it

    @classmethod
    def read(
        cls,
        raw: bytes,
        display: str,
        path: str | None = None,
        *,
        read_included: Callable[[str], bytes] = read_regular_file,
    ) -> LintDocument:
        """Build it from a file's bytes; raises nothing.

        Args:
            raw: what the file holds.
            display: how findings name it.
            path: where it lies, for `include:`; None: in the working directory.
            read_included: gives the bytes of a file that the config names, or raises OSError.
        """
        return cls(merged=merge(raw, display, path, read_included), read_file=read_included if path else None)

    @classmethod
    def of(cls, document: Document, display: str) -> LintDocument:
        """Build it from a file that is parsed already; what the file includes is not looked at."""
        return cls(merged=alone(document, display))

    @property
    def files(self) -> list[LintFile]:
        """Return the file and those that it includes, in the order in which LiteLLM reads them."""
        return self.merged.files

    @property
    def include_problems(self) -> list[IncludeProblem]:
        """Return what is wrong with `include:`."""
        return self.merged.problems

    @property
    def is_loaded(self) -> bool:
        """Say whether there is a mapping to look at."""
        return self.files[0].data is not None

    @property
    def data(self) -> Mapping[Any, Any]:
        """Return the whole config, as LiteLLM has it after `include:`; empty where it cannot be read."""
        return self.merged.data

    def has_beside(self, name: str) -> bool:
        """Say whether a file lies beside the config; also where nobody can look, as with standard input."""
        return self.read_file is None or self.read_beside(name) is not None

    def read_beside(self, name: str) -> bytes | None:
        """Return the bytes of a file beside the config; None where there is none, or nobody can look."""
        if self.read_file is None or self.files[0].path is None:
            return None
        try:
            return self.read_file(str(FilePath(self.files[0].path).parent / name))
        except OSError:
            return None

    def is_aliased(self, value: Any) -> bool:
        """Say whether a value or an item of it is named by an alias, so that it is there for a reason."""
        items = value.values() if isinstance(value, dict) else _list(value)
        return id(value) in self._aliased or any(id(item) in self._aliased for item in items)

    @cached_property
    def _aliased(self) -> frozenset[int]:
        return frozenset(each for file in self.files if file.document for each in file.document.aliased)

    def locate(self, path: Path) -> Location:
        """Return where a path stands, or its nearest parent; in the included file where it is from one."""
        return self.merged.locate(path)

    def get(self, *path: str | bool | float | None) -> Any:
        """Return the value at a path, None where there is none."""
        value: Any = self.data
        for step in path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
                value = value[step]
            else:
                return None
        return value

    def has(self, *path: str | bool | float | None) -> bool:
        """Say whether a mapping holds the key that the path leads to, whatever its value."""
        parent = self.get(*path[:-1]) if len(path) > 1 else self.data
        return isinstance(parent, dict) and path[-1] in parent

    def section(self, *path: str | int) -> Mapping[Any, Any]:
        """Return the mapping at a path, an empty one where there is none."""
        section = self.get(*path)
        return section if isinstance(section, dict) else _NOTHING

    @cached_property
    def deployments(self) -> tuple[Deployment, ...]:
        """Return the entries of model_list that are mappings."""
        listed = self.get("model_list")
        return tuple(
            Deployment(
                index=index,
                entry=entry,
                params=_mapping(entry.get("litellm_params")),
                info=_mapping(entry.get("model_info")),
            )
            for index, entry in enumerate(listed if isinstance(listed, list) else ())
            if isinstance(entry, dict)
        )

    @cached_property
    def groups(self) -> Mapping[str, tuple[Deployment, ...]]:
        """Return the deployments of each model group, in file order."""
        groups: dict[str, list[Deployment]] = {}
        for deployment in self.deployments:
            if deployment.name is not None:
                groups.setdefault(deployment.name, []).append(deployment)
        return {name: tuple(members) for name, members in groups.items()}

    @cached_property
    def wildcards(self) -> tuple[str, ...]:
        """Return the model groups with a * in their names."""
        return tuple(name for name in self.groups if "*" in name)

    @cached_property
    def aliases(self) -> Mapping[Any, Alias]:
        """Return the aliases by name."""
        return {
            name: Alias(name=name, value=value, path=("router_settings", "model_group_alias", name))
            for name, value in self.section("router_settings", "model_group_alias").items()
        }

    @cached_property
    def fallbacks(self) -> tuple[Fallback, ...]:
        """Return all fallbacks that stand where LiteLLM reads them, one for each source that is named."""
        return tuple(
            Fallback(
                section=section,
                kind=kind,
                source=source,
                targets=targets,
                path=(section, kind, index, source),
            )
            for section in ("router_settings", "litellm_settings")
            for kind in FALLBACK_KINDS
            for index, entry in enumerate(_list(self.get(section, kind)))
            if isinstance(entry, dict)
            for source, targets in entry.items()
        )

    @cached_property
    def default_fallbacks(self) -> tuple[tuple[str, Path], ...]:
        """Return the names in default_fallbacks, with their paths."""
        return tuple(
            (name, (section, "default_fallbacks", index))
            for section in ("router_settings", "litellm_settings")
            for index, name in enumerate(_list(self.get(section, "default_fallbacks")))
            if isinstance(name, str)
        )

    @cached_property
    def texts(self) -> tuple[tuple[Path, str], ...]:
        """Return every text in the config, with its path, in file order."""
        return tuple(_texts(self.merged.data, ()))

    @cached_property
    def references(self) -> tuple[Reference, ...]:
        """Return every value that begins with os.environ/, wherever it stands."""
        return tuple(
            Reference(name=name, path=path)
            for path, text in self.texts
            if (name := variable_of(text)) is not None
        )

    def subject(self, path: Path) -> str:
        """Return what a path is about: a model group, or else a section, or the file."""
        if len(path) > 1 and path[0] == "model_list":
            name = self.get("model_list", path[1], "model_name")
            return name if isinstance(name, str) and name else f"model_list[{path[1]}]"
        return str(path[0]) if path else self.files[0].display


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else _NOTHING


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    stack: list[tuple[Path, Any]] = [(path, value)]
    while stack:
        here, value = stack.pop()
        if isinstance(value, str):
            yield here, value
        elif isinstance(value, dict):
            stack.extend(((*here, key), item) for key, item in reversed(value.items()))
        elif isinstance(value, list):
            stack.extend(((*here, index), item) for index, item in reversed([*enumerate(value)]))
