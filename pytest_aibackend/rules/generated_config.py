"""Check 9: the gateway's file is ours, untouched, and what the sources give."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.litellm.generate import SOURCE_ROLES, Examination, FileState, examine
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.rules.translation import plan_of
from pytest_aibackend.sources.backend import Backend

__all__ = ["GENERATED"]

_DIFF_LINES: Final = 40
_seen: Final[weakref.WeakKeyDictionary[Backend, Examination]] = weakref.WeakKeyDictionary()

GENERATED = declare_group(
    Group(
        id="generated-config",
        check=9,
        noun="generated file",
        needs=("providers", "model-mappings", "gateway", "generated"),
        subjects=lambda backend: [backend.sources["generated"].path.name],
    )
)


def _examined(backend: Backend, *states: FileState) -> Iterator[Examination]:
    """Yield the examination of the file, made once, if it came to one of these states."""
    source = backend.sources["generated"]
    if not source.exists:
        return
    if backend not in _seen:
        _seen[backend] = examine(source.text, backend, plan_of(backend))
    if _seen[backend].state in states:
        yield _seen[backend]


def _problem(backend: Backend, message: str, hint: str, diff: str = "") -> Problem:
    lines = diff.splitlines()
    if len(lines) > _DIFF_LINES:
        more = len(lines) - _DIFF_LINES
        lines = [
            *lines[:_DIFF_LINES],
            f"... and {more} more lines; `aibackend generate --check` shows them all",
        ]
    text = "\n".join([message, *(f"    {line}" for line in lines)])
    name = backend.sources["generated"].path.name
    return Problem(source="generated", path=(), message=text, hint=hint, subject=name)


@rule("generated-missing", group=GENERATED.id)
def generated_missing(backend: Backend) -> Iterator[Problem]:
    """The gateway's file is not there.

    The gateway cannot start without it. `aibackend generate` writes it.
    """
    source = backend.sources["generated"]
    if not source.exists:
        yield _problem(backend, f"{source.path.name} does not exist", "run `aibackend generate`")


@rule("generated-not-ours", group=GENERATED.id)
def generated_not_ours(backend: Backend) -> Iterator[Problem]:
    """The gateway's file was made by hand or by another tool: it does not bear our marker.

    What the sources say has no effect on it. Move what you need into the sources and generate it.
    """
    for _ in _examined(backend, FileState.FOREIGN):
        yield _problem(
            backend,
            "the file says that it was generated, but not by `aibackend generate`",
            "keep a copy, move what you need from it into the sources, and run `aibackend generate`",
        )


@rule("generated-marker-missing", group=GENERATED.id)
def generated_marker_missing(backend: Backend) -> Iterator[Problem]:
    """The gateway's file does not begin with the marker of a generated file.

    Either it was written by hand, or somebody removed the header. Whether it still agrees with the sources
    cannot be said.
    """
    for _ in _examined(backend, FileState.UNMARKED):
        yield _problem(
            backend,
            "the file has no AUTO-GENERATED marker at its top",
            "keep a copy, move what you need from it into the sources, and run `aibackend generate`",
        )


@rule("generated-edited", group=GENERATED.id)
def generated_edited(backend: Backend) -> Iterator[Problem]:
    """The gateway's file was edited after it was generated.

    The next `aibackend generate` would undo the edit without a word. Make the change in the sources. The
    lines show what generating would change.
    """
    for seen in _examined(backend, FileState.EDITED):
        yield _problem(
            backend,
            "the file was edited by hand after it was generated",
            "make the change in the sources, then run `aibackend generate`",
            seen.diff,
        )


@rule("generated-stale", group=GENERATED.id)
def generated_stale(backend: Backend) -> Iterator[Problem]:
    """A source changed after the gateway's file was generated, so the change is not in it.

    Run `aibackend generate`. The lines show what it would change.
    """
    for seen in _examined(backend, FileState.STALE):
        changed = ", ".join(seen.changed_sources)
        found = (finding for role in SOURCE_ROLES for finding in backend.schema_findings(role))
        if any(finding.severity is Severity.ERROR for finding in found):
            # What the broken sources would give says nothing; the checks of the sources say what is broken.
            yield _problem(
                backend,
                f"{changed or 'a source'} changed after the file was generated, and has errors",
                "mend them first, then run `aibackend generate`",
            )
            continue
        why = f"{changed} changed since" if changed else "this version of aibackend generates it differently"
        yield _problem(
            backend, f"the file is not what the sources give: {why}", "run `aibackend generate`", seen.diff
        )
