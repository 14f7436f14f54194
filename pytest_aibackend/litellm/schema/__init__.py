"""The schemas of LiteLLM's config.yaml that are shipped, one for each supported release line.

They are made by `aibackend schema derive` from an installed LiteLLM; reading them needs none.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pytest_aibackend.litellm.schema.patterns import STAND_INS

__all__ = [
    "Key",
    "Schema",
    "SchemaError",
    "Section",
    "installed_version",
    "load_schema",
    "shipped_lines",
    "stand_in",
]

_HERE: Final = Path(__file__).parent
_FILE: Final = re.compile(r"litellm-(\d+)\.(\d+)\.json")
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")
_LISTED: Final = {
    ("router_settings", "routing_strategy"): "routing_strategy",
    ("cache_params", "type"): "cache_type",
    ("model_info", "mode"): "model_mode",
}
_EXACT: Final = ("AllowedFailsPolicy", "RetryPolicy")  # classes that give no key another name
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class SchemaError(Exception):
    """No shipped schema fits; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Key:
    """What LiteLLM knows of one key of config.yaml."""

    name: str
    section: str  # the section's name: "general_settings", "litellm_params", "" for the top
    schema: Mapping[str, Any]  # the JSON Schema of its value

    @property
    def types(self) -> frozenset[str]:
        """The JSON types of its value as LiteLLM declares it; empty when anything goes or is not known.

        A text that stands for a number or a boolean, as os.environ/NAME does, is not counted.
        """
        found: set[str] = set()
        for part in (self.schema, *self.schema.get("anyOf", ())):
            given = part.get("type", ())
            names = {given} if isinstance(given, str) else set(given)
            if part.get("pattern") in STAND_INS:
                names.discard("string")
            if "$ref" in part and not _is_reference(part):
                names.add("object")
            found |= names
        return frozenset(found)

    @property
    def allowed(self) -> tuple[Any, ...]:
        """The values that LiteLLM declares; none when it lists none or takes others beside them."""
        parts = [part for part in self.schema.get("anyOf", (self.schema,)) if not _is_reference(part)]
        return tuple(parts[0].get("enum", ())) if len(parts) == 1 else ()

    @property
    def default(self) -> Any:
        """The value that holds when the key is absent; None where it is none or not known."""
        return self.schema.get("default")

    @property
    def reads(self) -> tuple[str, ...]:
        """Where in LiteLLM it is declared and read: `proxy/proxy_server.py:6545`."""
        return tuple(self.schema.get("x-litellm", _NOTHING).get("reads", ()))

    @property
    def of_deployment(self) -> bool:
        """Whether LiteLLM's classes of a deployment declare it."""
        return self.is_read_in("types/router.py")

    def is_read_in(self, *files: str) -> bool:
        """Say whether one of these files of LiteLLM declares or reads it."""
        return any(place.startswith(files) for place in self.reads)


@dataclass(frozen=True)
class Section:
    """The keys of one mapping of config.yaml."""

    name: str  # as Key.section
    definition: Mapping[str, Any]

    @property
    def route(self) -> str | None:
        """Where it stands, as in `model_list[].litellm_params`; None for the value of some key."""
        found: str | None = self.definition["x-litellm"].get("route")
        return found

    @property
    def on_unknown(self) -> str:
        """What becomes of a key that is not among `keys`: rejected, warned, ignored, stored or forwarded."""
        return str(self.definition["x-litellm"]["on_unknown"])

    @property
    def is_open_class(self) -> bool:
        """Whether any key may be meant: a class may give another name to one before it looks for it."""
        return self.route is None and self.on_unknown != "rejected" and self.name not in _EXACT

    def fate_of(self, key: str) -> str:
        """Return what becomes of one unknown key: for a few that LiteLLM looks out for, something else."""
        fates: Mapping[str, str] = self.definition["x-litellm"].get("unknown", _NOTHING)
        return fates.get(key, self.on_unknown)

    @cached_property
    def keys(self) -> Mapping[str, Key]:
        """The known keys, by name."""
        return {
            name: Key(name, self.name, schema)
            for name, schema in self.definition.get("properties", _NOTHING).items()
        }


class Schema:
    """The schema of one release line."""

    def __init__(self, document: Mapping[str, Any], models: Path) -> None:
        """Take the JSON document as it is; the names of models are read when they are asked for."""
        self.document = document
        self._models_file = models

    @property
    def version(self) -> str:
        """The LiteLLM that it was derived from."""
        return str(self.document["x-litellm"]["version"])

    @property
    def line(self) -> str:
        """The release line, as in 1.106."""
        return str(self.document["x-litellm"]["line"])

    @cached_property
    def sections(self) -> Mapping[str, Section]:
        """The sections by name: "", "general_settings", "litellm_params", ..."""
        found = {"": Section("", self.document)}
        for definition in self.document["$defs"].values():
            if "properties" in definition:
                name = str(definition["x-litellm"]["section"])
                found[name] = Section(name, definition)
        return found

    def section(self, name: str) -> Section:
        """Return a section. Raises KeyError."""
        return self.sections[name]

    def definition(self, reference: str) -> Mapping[str, Any]:
        """Return what a `$ref` of this document points to."""
        found: Mapping[str, Any] = self.document["$defs"][reference.rpartition("/")[2]]
        return found

    def homes(self, key: str) -> tuple[str, ...]:
        """Return the names of the sections that know a key, for one that stands in a wrong place."""
        return self._homes.get(key, ())

    @cached_property
    def _homes(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for where, section in self.sections.items():
            if section.route is not None:
                for name in section.keys:
                    found.setdefault(name, []).append(where)
        return {name: tuple(places) for name, places in found.items()}

    def values(self, kind: str) -> frozenset[str]:
        """Return the names that LiteLLM knows of a kind: provider, cache_type, callback, ...

        Raises KeyError for another kind.
        """
        return self._values[kind]

    def listed(self, section: str, key: str) -> frozenset[str] | None:
        """Return the names beside which LiteLLM takes no other for a key; None where there is no such list.

        They are its own lists, which know more than the types that it declares.
        """
        kind = _LISTED.get((section, key))
        return self.values(kind) if kind else None

    def provider_of(self, model: str) -> str | None:
        """Return the provider that LiteLLM supplies for a model named without; None if it has none."""
        return self._providers.get(model)

    def mode_of(self, model: str) -> str | None:
        """Return the mode that LiteLLM knows of a model, where it is none of text; None for all others."""
        return self._modes.get(model)

    @cached_property
    def _models(self) -> Mapping[str, Mapping[str, list[str]]]:
        found: Mapping[str, Mapping[str, list[str]]] = json.loads(
            self._models_file.read_text(encoding="utf-8")
        )
        return found

    @cached_property
    def _providers(self) -> Mapping[str, str]:
        return {
            name: provider for provider, names in self._models["bare"].items() if provider for name in names
        }

    @cached_property
    def _modes(self) -> Mapping[str, str]:
        return {name: mode for mode, names in self._models["modes"].items() for name in names}

    @cached_property
    def _values(self) -> Mapping[str, frozenset[str]]:
        return {kind: frozenset(names) for kind, names in self.document["x-litellm-values"].items()}


def shipped_lines() -> tuple[str, ...]:
    """Return the release lines that have a schema, the oldest first."""
    return tuple(f"{major}.{minor}" for major, minor in sorted(_shipped()))


def installed_version() -> str | None:
    """Return the installed LiteLLM's version, without importing it; None if there is none."""
    try:
        return importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        return None


def load_schema(version: str | None = None) -> Schema:
    """Return the schema for a LiteLLM version or release line: its own line's, else the next older one.

    Args:
        version: as in 1.106.2 or 1.106; None means the installed LiteLLM's, or the newest shipped.

    Raises:
        SchemaError: the version is none, or older than every shipped schema.
    """
    asked = version if version is not None else installed_version()
    return _load(_line_for(asked, strict=version is not None))


def stand_in(version: str | None = None) -> str | None:
    """Return a sentence when `load_schema` takes another release line's schema for this version, else None.

    Raises:
        SchemaError: as `load_schema` does.
    """
    asked = version if version is not None else installed_version()
    match = _VERSION.match(asked or "")
    if match is None:
        return None
    taken, newest = _line_for(asked, strict=version is not None), max(_shipped())
    wanted = int(match[1]), int(match[2])
    if taken == wanted:
        return None
    text = f"there is no schema for LiteLLM {asked}; it is judged as {taken[0]}.{taken[1]}"
    return f"{text}: what is newer than that counts as unknown" if wanted > newest else text


def _line_for(version: str | None, *, strict: bool) -> tuple[int, int]:
    lines = sorted(_shipped())
    if version is None:
        return lines[-1]
    match = _VERSION.match(version)
    names = ", ".join(shipped_lines())
    if match is None:
        raise SchemaError(f"{version!r} is no LiteLLM version; there are schemas for {names}")
    wanted = int(match[1]), int(match[2])
    fitting = [line for line in lines if line <= wanted]
    if fitting:
        return fitting[-1]
    if strict:
        raise SchemaError(f"LiteLLM {version} is older than the oldest schema; there are schemas for {names}")
    return lines[0]


def _shipped() -> Iterator[tuple[int, int]]:
    for path in _HERE.glob("litellm-*.json"):
        match = _FILE.fullmatch(path.name)
        if match is not None:
            yield int(match[1]), int(match[2])


@lru_cache(maxsize=4)
def _load(line: tuple[int, int]) -> Schema:
    path = _HERE / f"litellm-{line[0]}.{line[1]}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    return Schema(document, path.with_name(f"{path.stem}.models.json"))


def _is_reference(part: Mapping[str, Any]) -> bool:
    return str(part.get("$ref", "")).endswith("/reference") or part.get("type") == "null"
