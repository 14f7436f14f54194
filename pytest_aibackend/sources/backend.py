"""The immutable whole: a directory of source files, each read and parsed once, with every value's place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from pytest_aibackend.findings import Finding, Location, Path, Problem, Severity
from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.backups import Backup, BackupTrouble, read_backups
from pytest_aibackend.sources.models import (
    GatewayFile,
    ModelMappingsFile,
    PortEntry,
    PortsFile,
    Provider,
    ProvidersFile,
    ReservedPort,
)
from pytest_aibackend.sources.schema import Checked, check_against
from pytest_aibackend.sources.suppressions import suppressed_rules

__all__ = ["FILES", "Backend", "Source", "load_backend"]

FILES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "providers": "providers.yaml",
        "model-mappings": "model-mappings.yaml",
        "ports": "ports.yaml",
        "gateway": "gateway.yaml",
        "generated": "litellm-unified.yaml",
    }
)
_MODELS: Final[Mapping[str, type[BaseModel]]] = {
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Backend:
    """All sources of one configuration, as far as they could be read."""

    config_dir: FilePath
    sources: Mapping[str, Source]
    is_candidate: bool = False  # its generated file is to be deployed, and is not that of the directory

    @property
    def providers(self) -> Mapping[str, Provider]:
        """Return the providers that are sound, by name, in file order."""
        return self.providers_file.providers

    @cached_property
    def provider_names(self) -> tuple[str, ...]:
        """Return the names of all providers in the file, those with errors too."""
        data = self.sources["providers"].data
        listed = data.get("providers") if isinstance(data, dict) else None
        return tuple(str(name) for name in listed) if isinstance(listed, dict) else ()

    @property
    def providers_file(self) -> ProvidersFile:
        """Return `providers.yaml`."""
        model = self._model("providers")
        assert isinstance(model, ProvidersFile)
        return model

    @property
    def mappings(self) -> ModelMappingsFile:
        """Return `model-mappings.yaml`."""
        model = self._model("model-mappings")
        assert isinstance(model, ModelMappingsFile)
        return model

    @property
    def ports_file(self) -> PortsFile:
        """Return `ports.yaml`."""
        model = self._model("ports")
        assert isinstance(model, PortsFile)
        return model

    @property
    def ports(self) -> Mapping[str, PortEntry]:
        """Return the services of the port registry that are sound, by name."""
        return self.ports_file.services

    @property
    def reserved(self) -> Mapping[str, ReservedPort]:
        """Return the reserved ports, by name."""
        return self.ports_file.reserved

    @property
    def gateway(self) -> GatewayFile:
        """Return `gateway.yaml`, or its defaults where the file is absent."""
        model = self._model("gateway")
        assert isinstance(model, GatewayFile)
        return model

    @cached_property
    def backups(self) -> list[Backup] | BackupTrouble:
        """Return the backups of the deployed file, read on first use, or why they cannot be."""
        return read_backups(self.resolve(self.gateway.deploy.backup_dir))

    def resolve(self, path: str) -> FilePath:
        """Return a path that gateway.yaml names: `~` expanded, relative ones taken from that file."""
        return self.sources["gateway"].path.parent / FilePath(path).expanduser()

    def is_loaded(self, *roles: str) -> bool:
        """Say whether all of these files could be read."""
        return all(self.source(role).is_loaded for role in roles)

    def source(self, role: str) -> Source:
        """Return a file by its role: one of FILES, or "deployed"."""
        return self.deployed if role == "deployed" else self.sources[role]

    @cached_property
    def deployed(self) -> Source:
        """Return the file that the gateway was told to serve: the generated one if deployed in place.

        It is another one where `deploy.path` leads elsewhere, and while a candidate is being checked.
        """
        path = self.resolve(self.gateway.deploy.path)
        generated = self.sources["generated"]
        if path.resolve() == generated.path.resolve():
            return generated
        return _load("deployed", path, self.config_dir, set())

    def locate(self, role: str, path: Path, *, in_file: bool = False) -> Location:
        """Return where a path of a file's model (`in_file`: of its data) stands in the file."""
        source = self.source(role)
        if source.document is None:
            return Location(file=source.display)
        if source.checked is not None and not in_file:
            path = source.checked.original(path)
        line, column = source.document.locate(path)
        return Location(file=source.display, line=line, column=column)

    def finding(self, rule: str, severity: Severity, problem: Problem, *, in_file: bool = False) -> Finding:
        """Give a problem its line."""
        return Finding(
            rule=rule,
            severity=problem.severity or severity,
            message=problem.message,
            hint=problem.hint,
            location=self.locate(problem.source, problem.path, in_file=in_file),
            subject=problem.subject,
        )

    def is_ignored(self, finding: Finding) -> bool:
        """Say whether a comment on the finding's line, or above it, silences it."""
        line = finding.location.line
        source = self._by_display.get(finding.location.file)
        if source is None and "deployed" in self.__dict__ and finding.location.file == self.deployed.display:
            source = self.deployed
        if line is None or source is None:
            return False
        return finding.rule in source.ignores.get(line, ())

    def load_findings(self, role: str) -> list[Finding]:
        """Return what stopped a file from being read: rule ids are those of the problems, all errors."""
        source = self.source(role)
        findings = []
        for number, (rule, problem) in enumerate(source.problems):
            finding = self.finding(rule, Severity.ERROR, problem)
            if number in source.marks:
                line, column = source.marks[number]
                finding = replace(finding, location=Location(file=source.display, line=line, column=column))
            findings.append(finding)
        return findings

    def schema_findings(self, role: str) -> list[Finding]:
        """Return where a file's data departs from its model."""
        checked = self.sources[role].checked
        if checked is None:
            return []
        return [
            self.finding(rule, Severity.ERROR, problem, in_file=True) for rule, problem in checked.problems
        ]

    @cached_property
    def _by_display(self) -> Mapping[str, Source]:
        return {source.display: source for source in self.sources.values()}

    def _model(self, role: str) -> Any:
        checked = self.sources[role].checked
        return checked.model if checked else self._defaults[role]

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        return {role: model() for role, model in _MODELS.items()}


def load_backend(config_dir: FilePath, *, generated: FilePath | None = None) -> Backend:
    """Read every source file of a directory once; what cannot be read is in the sources' problems.

    `generated` names the gateway's file where it is not the one in the directory. Raises nothing for what
    is on the disk, also when the directory itself is missing.
    """
    try:
        entries = {entry.name for entry in config_dir.iterdir()}
    except OSError:
        entries = set()  # then each file says for itself why it cannot be read
    paths = {role: config_dir / name for role, name in FILES.items()}
    if generated is not None:
        paths["generated"] = generated
    sources = {role: _load(role, path, config_dir, entries) for role, path in paths.items()}
    return Backend(
        config_dir=config_dir, sources=MappingProxyType(sources), is_candidate=generated is not None
    )


def _load(role: str, path: FilePath, config_dir: FilePath, entries: set[str]) -> Source:
    display = str(path)

    def failed(rule: str, message: str, hint: str, *, exists: bool = True) -> Source:
        problem = Problem(source=role, path=(), message=message, hint=hint, subject=path.name)
        return Source(role=role, path=path, display=display, exists=exists, problems=((rule, problem),))

    try:
        if path.is_dir():
            return failed("not-a-file", f"{path.name} is a directory", "put the file in its place")
        if path.exists() and not path.is_file():
            return failed(
                "not-a-file", f"{path.name} is not a regular file", "put a regular file in its place"
            )
        with path.open("rb") as file:
            raw = file.read(yaml_text.MAX_BYTES + 1)  # one more is too large already
    except FileNotFoundError:
        if path.is_symlink():
            return failed(
                "missing-file", f"{path.name} is a symbolic link to nothing", "mend or remove the link"
            )
        other = path.with_suffix(".yml").name
        if other in entries:
            return failed(
                "missing-file",
                f"{path.name} is missing, but there is {other}",
                f"rename {other} to {path.name}",
                exists=False,
            )
        if role in _MAY_BE_ABSENT:
            return Source(role=role, path=path, display=display, exists=False)
        return failed(
            "missing-file",
            f"{path.name} is missing from {config_dir}",
            "restore it, or name another directory with --aibackend-config DIR",
            exists=False,
        )
    except OSError as error:
        return failed(
            "unreadable-file",
            f"{path.name} cannot be read: {error.strerror}",
            "give the user that runs this the right to read it",
        )
    return _parse(role, path, display, raw)


def _parse(role: str, path: FilePath, display: str, raw: bytes) -> Source:
    document, troubles = yaml_text.parse(raw)
    subject = path.name
    problems: list[tuple[str, Problem]] = []
    marks: dict[int, tuple[int, int]] = {}
    for number, trouble in enumerate(troubles):
        if trouble.line is not None:
            marks[number] = (trouble.line, trouble.column or 1)
        problems.append(
            (
                trouble.rule,
                Problem(source=role, path=(), message=trouble.message, hint=trouble.hint, subject=subject),
            )
        )
    checked = None
    if document is not None and not isinstance(document.data, dict):
        kind = {list: "a list", str: "a piece of text", type(None): "nothing"}.get(
            type(document.data), "a bare value"
        )
        message = f"{path.name} holds {kind}; it must be a mapping (key: value)"
        hint = "begin with the keys that the shipped file of this name begins with"
        problems.append(
            ("wrong-top-level", Problem(source=role, path=(), message=message, hint=hint, subject=subject))
        )
        marks[0] = document.locate(())
        document = None
    elif document is not None and role in _MODELS:
        checked = check_against(_MODELS[role], role, document.data)
    return Source(
        role=role,
        path=path,
        display=display,
        exists=True,
        raw=raw,
        document=document,
        checked=checked,
        problems=tuple(problems),
        marks=marks,
    )
