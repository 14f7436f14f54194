"""An import is tried before it is written: the sources are loaded, and what they give means the same."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_aibackend.findings import Finding
from pytest_aibackend.importer.translate import Imported
from pytest_aibackend.litellm.command import source_errors
from pytest_aibackend.litellm.generate import render
from pytest_aibackend.litellm.meaning import differences
from pytest_aibackend.sources.backend import FILES, load_backend
from pytest_aibackend.sources.yaml_text import parse

__all__ = ["Trial", "check", "try_out"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it: the whole directory's files, or why there is none."""

    texts: Mapping[str, str]
    errors: tuple[Finding, ...] = ()  # of the sources: `aibackend generate` would refuse them
    differences: tuple[str, ...] = ()  # from the original


def try_out(imported: Imported, origin: str) -> Trial:
    """Generate from the imported sources in a scratch directory, and compare."""
    texts = imported.texts(origin)
    with tempfile.TemporaryDirectory(prefix="aibackend-import-") as name:
        folder = Path(name)
        for file, text in texts.items():
            (folder / file).write_text(text, encoding="utf-8")
        backend = load_backend(folder)
        errors = source_errors(backend)
        errors += [found for role in FILES if role == "ports" for found in backend.schema_findings(role)]
        if errors:
            return Trial(texts, errors=tuple(errors))
        generated = render(backend)
    document, _ = parse(generated.encode("utf-8"))
    data: Any = document.data if document else {}
    found = differences(imported.config, data)
    return Trial({**texts, FILES["generated"]: generated}, differences=tuple(found))


def check(directory: Path) -> list[tuple[int, Finding]]:
    """Return what the offline checks find in a directory, each finding with the number of its check."""
    from pytest_aibackend.rules.registry import GROUPS, evaluate

    results = evaluate(load_backend(directory))
    return [
        (GROUPS[group].check, finding)
        for group, result in results.items()
        for findings in result.findings.values()
        for finding in findings
    ]
