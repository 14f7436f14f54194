"""Which node a finding belongs to: the one whose entry in the sources has the finding's line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pytest_aibackend.findings import Finding, Path
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.yaml_text import Document

__all__ = ["Claims", "attach"]

Claims = Mapping[str, Mapping[Path, list[str]]]  # role of a file, path of its model: the nodes made of it
_DEPTH: Final = 6


def attach(
    backend: Backend, claims: Claims, groups: Mapping[str, str], findings: Iterable[Finding]
) -> tuple[dict[str, list[Finding]], list[Finding]]:
    """Return the findings of each node, and those that belong to none.

    `groups` are the model groups' nodes by name: what is wrong in the generated file is told of them.
    """
    roles = {source.display: role for role, source in backend.sources.items()}
    indexes: dict[str, _Index] = {}
    at: dict[str, list[Finding]] = {}
    elsewhere: list[Finding] = []
    for finding in findings:
        role = roles.get(finding.location.file, "")
        owners: tuple[str, ...] = ()
        if role == "generated" and finding.subject in groups:
            owners = (groups[finding.subject],)
        elif role in claims and finding.location.line is not None:
            if role not in indexes:
                indexes[role] = _Index(backend, role, claims[role])
            owners = indexes[role].owners(finding.location.line, finding.location.column or 1)
        for owner in owners:
            at.setdefault(owner, []).append(finding)
        if not owners:
            elsewhere.append(finding)
    return at, elsewhere


class _Index:
    """Every key of a file to some depth, by its place, with the nodes it belongs to."""

    def __init__(self, backend: Backend, role: str, claims: Mapping[Path, list[str]]) -> None:
        source = backend.sources[role]
        original = source.checked.original if source.checked else tuple
        self._claims = {tuple(original(path)): owners for path, owners in claims.items()}
        self._found: dict[tuple[int, int], dict[str, None]] = {}
        self._seen: set[int] = set()
        if source.document is not None:
            self._walk(source.document, source.data, (), ())
        self._places = sorted(self._found)

    def owners(self, line: int, column: int) -> tuple[str, ...]:
        place = bisect_right(self._places, (line, column)) - 1
        return tuple(self._found[self._places[place]]) if place >= 0 else ()

    def _walk(self, document: Document, value: Any, path: Path, inherited: Iterable[str]) -> None:
        if len(path) >= _DEPTH or id(value) in self._seen or not isinstance(value, dict | list):
            return
        self._seen.add(id(value))
        marks = document.marks.get(id(value), {})
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            below = (*path, key)
            owners = self._claims.get(below, inherited)
            if key in marks:
                self._found.setdefault(marks[key], {}).update(dict.fromkeys(owners))
            self._walk(document, item, below, owners)
