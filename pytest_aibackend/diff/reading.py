"""What is compared: a directory of sources or a LiteLLM config.yaml, on the disk or at a git revision."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pytest_aibackend.diff.git import GitError, Revision
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.planned import meaning_of_backend
from pytest_aibackend.findings import Finding, Location
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.includes import read_file
from pytest_aibackend.sources.backend import FILES, Backend, load_backend

__all__ = ["Side", "UnreadableError", "read_bytes", "read_path", "read_revision", "sources_at"]

_READ: Final = ("providers", "model-mappings", "ports", "gateway")
_SOURCE_KEYS: Final = frozenset({"providers", "exact_matches", "fallback_chains", "capabilities", "deploy"})


class UnreadableError(Exception):
    """A side cannot be compared: why, a line for each reason, with file and line where there is one."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two that are compared."""

    name: str  # "config", "main:config", "old.yaml"
    kind: str  # "sources" or "file"
    meaning: Meaning
    notes: tuple[str, ...] = ()  # what of it could not be compared


def read_path(path: Path) -> Side:
    """Read a directory of sources or a file; raises UnreadableError."""
    if path.is_dir():
        return _side_of_sources(load_backend(path), str(path))
    try:
        raw = read_file(str(path))
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}") from error
    return read_bytes(raw, str(path), str(path))


def read_revision(revision: Revision, path: Path) -> Side:
    """Read a directory of sources or a file as it was at a revision; raises UnreadableError."""
    repository = revision.repository
    try:
        inside = repository.inside(path)
        name = f"{revision.name}:{inside}"
        if repository.has_tree(revision.commit, inside):
            with sources_at(revision, path, roles=_READ) as backend:
                return _side_of_sources(backend, name)
        raw = repository.blobs(revision.commit, [inside]).get(inside)
    except GitError as error:
        raise UnreadableError(str(error)) from error
    if raw is None:
        raise UnreadableError(
            f"there is no {inside} at revision {revision.name}; name another with --config DIR,"
            " or each side as REVISION:DIR"
        )

    def included(asked: str) -> bytes:
        try:
            wanted = repository.inside(Path(asked))
            return repository.blobs(revision.commit, [wanted])[wanted]
        except (GitError, KeyError) as error:
            raise FileNotFoundError(2, f"is not there at revision {revision.name}", asked) from error

    document = LintDocument.read(raw, name, str(path), read_included=included)
    return _side_of(document, name)


@contextmanager
def sources_at(
    revision: Revision, config: Path, *, roles: Collection[str] = tuple(FILES)
) -> Iterator[Backend]:
    """Lend the sources of a directory as they were at a revision; raises GitError.

    They are read from a scratch directory of the same name, which is there for as long.
    """
    repository = revision.repository
    inside = repository.inside(config)
    files = {f"{inside}/{FILES[role]}".removeprefix("./"): FILES[role] for role in roles}
    with tempfile.TemporaryDirectory(prefix="aibackend-") as scratch:
        folder = Path(scratch, config.resolve().name)
        folder.mkdir(exist_ok=True)
        for path, raw in repository.blobs(revision.commit, list(files)).items():
            (folder / files[path]).write_bytes(raw)
        yield load_backend(folder)


def read_bytes(raw: bytes, name: str, path: str | None = None) -> Side:
    """Read a LiteLLM config.yaml, with what it includes where its path is known; raises UnreadableError."""
    return _side_of(LintDocument.read(raw, name, path), name)


def _side_of(document: LintDocument, name: str) -> Side:
    for file in document.files:
        for problem in file.problems:
            place = Location(file=file.display, line=problem.line, column=problem.column)
            raise UnreadableError(
                f"{place}: error: {problem.rule}: {problem.message}\n  hint: {problem.hint}"
            )
    if document.include_problems:
        first = document.include_problems[0]
        raise UnreadableError(f"{first.location}: error: {first.rule}: {first.message}\n  hint: {first.hint}")
    if not document.is_loaded:
        raise UnreadableError(f"{name} is no mapping; a LiteLLM config.yaml begins with model_list:")
    if "model_list" not in document.data and _SOURCE_KEYS & document.data.keys():
        raise UnreadableError(f"{name} is one of the source files; name the directory that holds all of them")
    return Side(name=name, kind="file", meaning=Meaning(document=document.data))


def _side_of_sources(backend: Backend, name: str) -> Side:
    folder = str(backend.config_dir)
    broken = [finding for role in _READ for finding in backend.load_findings(role)]
    if broken:
        shown = (_renamed(finding, folder, name) for finding in broken)
        raise UnreadableError("\n".join(f"{found}\n  hint: {found.hint}" for found in shown))
    wrong = [_renamed(found, folder, name) for role in _READ for found in backend.schema_findings(role)]
    errors = [found for found in wrong if found.severity == "error"]
    notes = []
    if errors:
        count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        notes.append(f"{name} has {count}, and what is wrong is left out of the comparison: {errors[0]}")
    return Side(name=name, kind="sources", meaning=meaning_of_backend(backend), notes=tuple(notes))


def _renamed(finding: Finding, folder: str, name: str) -> Finding:
    """Return a finding that speaks of the side, not of where its files were put to be read."""
    location = replace(finding.location, file=finding.location.file.replace(folder + os.sep, f"{name}/"))
    return replace(
        finding,
        location=location,
        message=finding.message.replace(folder, name),
        hint=finding.hint.replace("--aibackend-config DIR", "--config DIR").replace(folder, name),
    )
