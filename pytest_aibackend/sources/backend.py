"""The immutable whole: a directory of source files, each read and parsed once, with every value's place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, Final

from pytest_aibackend.findings import Finding, Location, Path, Problem, Severity
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
from pytest_aibackend.sources.source_file import MODELS, Source, load_source

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
        if os.path.realpath(path) == os.path.realpath(generated.path):  # resolve() raises for a loop of links
            return generated
        return load_source("deployed", path)

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
        return {role: model() for role, model in MODELS.items()}


def load_backend(config_dir: FilePath, *, generated: FilePath | None = None) -> Backend:
    """Read every source file of a directory once; what cannot be read is in the sources' problems.

    `generated` names the gateway's file where it is not the one in the directory. Raises nothing for what
    is on the disk, also when the directory itself is missing.
    """
    paths = {role: config_dir / name for role, name in FILES.items()}
    if generated is not None:
        paths["generated"] = generated
    sources = {role: load_source(role, path) for role, path in paths.items()}
    return Backend(
        config_dir=config_dir, sources=MappingProxyType(sources), is_candidate=generated is not None
    )
