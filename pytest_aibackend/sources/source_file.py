"""One source file: its bytes, what they say, and why not where they cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import BaseModel

from pytest_aibackend.findings import Problem
from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.models import GatewayFile, ModelMappingsFile, PortsFile, ProvidersFile
from pytest_aibackend.sources.schema import Checked, check_against
from pytest_aibackend.sources.suppressions import suppressed_rules

__all__ = ["MODELS", "Source", "load_source"]

MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "providers": ProvidersFile,
    "model-mappings": ModelMappingsFile,
    "ports": PortsFile,
    "gateway": GatewayFile,
}
_MAY_BE_ABSENT: Final = ("gateway", "generated", "deployed")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file: its bytes, what they say, and why not where they cannot be read."""

    role: str
    path: FilePath
    display: str  # as messages show it
    exists: bool
    raw: bytes = field(default=b"", repr=False)
    document: yaml_text.Document | None = field(default=None, repr=False)
    checked: Checked | None = field(default=None, repr=False)
    problems: tuple[tuple[str, Problem], ...] = ()  # reading and parsing: rule id and problem
    marks: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # places of problems without a path

    @property
    def is_loaded(self) -> bool:
        """Say whether the file's data can be used; an absent optional file can, as its defaults."""
        return self.document is not None or (not self.exists and self.role in _MAY_BE_ABSENT)

    @property
    def data(self) -> Any:
        """Return the parsed data, or None."""
        return self.document.data if self.document else None

    @property
    def sha256(self) -> str | None:
        """Return the hash of the file's bytes in hex, None where there is no file."""
        return hashlib.sha256(self.raw).hexdigest() if self.exists else None

    @cached_property
    def text(self) -> str:
        """Return the file's text, undecodable bytes replaced."""
        return self.raw.decode("utf-8-sig", errors="replace")

    @cached_property
    def ignores(self) -> Mapping[int, frozenset[str]]:
        """Return the rule ids that comments silence, by line (from 1)."""
        return suppressed_rules(self.text)


def load_source(role: str, path: FilePath) -> Source:
    """Read and parse a file. Raises nothing: why it cannot be read is in its problems."""
    try:
        if path.is_dir():
            return _failed(
                role, path, "not-a-file", f"{path.name} is a directory", "put the file in its place"
            )
        if path.exists() and not path.is_file():
            message, hint = f"{path.name} is not a regular file", "put a regular file in its place"
            return _failed(role, path, "not-a-file", message, hint)
        with path.open("rb") as file:
            raw = file.read(yaml_text.MAX_BYTES + 1)  # one more is too large already
    except FileNotFoundError:
        return _missing(role, path)
    except OSError as error:
        message = f"{path.name} cannot be read: {error.strerror}"
        hint = "give the user that runs this the right to read it"
        return _failed(role, path, "unreadable-file", message, hint)
    return _parse(role, path, raw)


def _failed(role: str, path: FilePath, rule: str, message: str, hint: str, *, exists: bool = True) -> Source:
    problem = Problem(source=role, path=(), message=message, hint=hint, subject=path.name)
    return Source(role=role, path=path, display=str(path), exists=exists, problems=((rule, problem),))


def _missing(role: str, path: FilePath) -> Source:
    rule = "missing-file"
    if path.is_symlink():
        message = f"{path.name} is a symbolic link to nothing"
        return _failed(role, path, rule, message, "mend or remove the link")
    other = path.with_suffix(".yml")
    if other.exists() and role != "deployed":  # whose name is deploy.path, and not ours
        message = f"{path.name} is missing, but there is {other.name}"
        return _failed(role, path, rule, message, f"rename {other.name} to {path.name}", exists=False)
    if role in _MAY_BE_ABSENT:
        return Source(role=role, path=path, display=str(path), exists=False)
    message = f"{path.name} is missing from {path.parent}"
    hint = "restore it, or name another directory: --config DIR, in pytest --aibackend-config DIR"
    return _failed(role, path, rule, message, hint, exists=False)


def _parse(role: str, path: FilePath, raw: bytes) -> Source:
    document, troubles = yaml_text.parse(raw)
    found = [(each.rule, each.message, each.hint) for each in troubles]
    marks = {
        number: (each.line, each.column or 1) for number, each in enumerate(troubles) if each.line is not None
    }
    checked = None
    if document is not None and not isinstance(document.data, dict):
        kind = {list: "a list", str: "a piece of text", type(None): "nothing"}.get(
            type(document.data), "a bare value"
        )
        message = f"{path.name} holds {kind}; it must be a mapping (key: value)"
        hint = "begin with the keys that the shipped file of this name begins with"
        found = [("wrong-top-level", message, hint)]
        marks = {0: document.locate(())}
        document = None
    elif document is not None and role in MODELS:
        checked = check_against(MODELS[role], role, document.data)
    return Source(
        role=role,
        path=path,
        display=str(path),
        exists=True,
        raw=raw,
        document=document,
        checked=checked,
        problems=tuple(
            (rule, Problem(source=role, path=(), message=message, hint=hint, subject=path.name))
            for rule, message, hint in found
        ),
        marks=marks,
    )
