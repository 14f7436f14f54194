"""`aibackend import`: read, translate, try out, write, and tell what became of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from pytest_aibackend import __version__
from pytest_aibackend.findings import Finding, Severity, sort_findings
from pytest_aibackend.importer.document import (
    HalfDoneError,
    ImportRefusedError,
    UnusablePathError,
    read_config,
)
from pytest_aibackend.importer.translate import Imported, translate
from pytest_aibackend.importer.verify import check, try_out
from pytest_aibackend.importer.write import refuse_overwriting, write_all
from pytest_aibackend.litellm.words import deployments_of
from pytest_aibackend.sources.backend import FILES

__all__ = ["import_config"]

OK: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
BUG: Final = 3


def import_config(
    path: Path, directory: Path, *, port: int = 4000, force: bool = False, as_json: bool = False
) -> int:
    """Turn a LiteLLM configuration into the sources of a directory.

    Return 0 when they are written, 1 when the configuration is refused, 2 when a path cannot be used, 3 for
    a bug of ours. But for 0 nothing is written.
    """
    try:
        original = read_config(path)
        refuse_overwriting(directory, original.files, force=force)
        imported = translate(original.data, port=port, locate=original.locate)
        imported.notes.remarks[:0] = original.remarks
        trial = try_out(imported, path.name)
        if trial.errors:
            return _refuse([text for finding in trial.errors for text in _lines(finding)], REFUSED)
        if trial.differences:
            named = ", ".join(trial.differences)
            return _refuse([f"a bug of ours: the import would not mean the same in {named}"], BUG)
        replaced = write_all(directory, trial.texts)
    except ImportRefusedError as reason:
        return _refuse(str(reason).splitlines(), REFUSED)
    except UnusablePathError as reason:
        return _refuse(str(reason).splitlines(), USAGE)
    except HalfDoneError as reason:
        print(reason, file=sys.stderr)
        return USAGE
    except OSError as error:  # a directory that may not be looked into, no room for the trial
        return _refuse([f"{error.filename or directory}: {error.strerror}"], USAGE)
    findings = check(directory)
    if as_json:
        print(json.dumps(_document(imported, directory, findings, replaced), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_report(imported, path, directory, findings, replaced)))
    return OK


def _refuse(lines: list[str], status: int) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    print("aibackend import: nothing was written", file=sys.stderr)
    return status


def _lines(finding: Finding) -> list[str]:
    return [str(finding), f"  hint: {finding.hint}"]


def _counts(imported: Imported) -> dict[str, int]:
    entries = list(deployments_of(imported.config))
    return {
        "model_groups": len({entry["model_name"] for entry in entries}),
        "deployments": len(entries),
        "providers": len(imported.sources["providers"]["providers"]),
    }


def _summary(findings: list[tuple[int, Finding]]) -> dict[str, int]:
    severities = [finding.severity for _, finding in findings]
    return {str(each): severities.count(each) for each in (Severity.ERROR, Severity.WARNING)}


def _document(
    imported: Imported, directory: Path, findings: list[tuple[int, Finding]], replaced: Path | None
) -> dict[str, Any]:
    ordered = sort_findings(finding for _, finding in findings)
    return {
        "schema_version": 1,
        "tool_version": __version__,
        "output": str(directory),
        "replaced": str(replaced) if replaced else None,
        "summary": {**_counts(imported), "findings": _summary(findings)},
        "passthrough": [
            {"file": each.file, "where": each.where, "what": each.what, "why": each.why}
            for each in imported.notes.carried
        ],
        "secrets": [{"variable": each.variable, "from": each.where} for each in imported.secrets],
        "remarks": imported.notes.remarks,
        "findings": [finding.as_dict() for finding in ordered],
    }


def _report(
    imported: Imported,
    path: Path,
    directory: Path,
    findings: list[tuple[int, Finding]],
    replaced: Path | None,
) -> list[str]:
    counts = _counts(imported)
    generated = directory / FILES["generated"]
    size = ", ".join(
        f"{number} {what.replace('_', ' ').removesuffix('' if number != 1 else 's')}"
        for what, number in counts.items()
    )
    lines = [
        f"{path}: {size}, written to {directory}",
        f"what is generated from it ({generated}) means the same to LiteLLM; comments are not kept",
    ]
    if replaced:
        lines.append(f"the files that were there are in {replaced} now")
    lines += _told("carried through in LiteLLM's own words (passthrough)", _passed(imported))
    moved = [f"{each.variable}  from {each.where}" for each in imported.secrets]
    lines += _told(f"secrets that stood in {path.name}, and the variables that must hold them now", moved)
    if moved:
        names = dict.fromkeys(each.variable for each in imported.secrets)
        lines += [
            "",
            "an environment file for the gateway (the values were written nowhere: copy each yourself)",
        ]
        lines += [f"  {name}=" for name in names]
    lines += _told("remarks", imported.notes.remarks)
    shown = [text for finding in sort_findings(each for _, each in findings) for text in _lines(finding)]
    summary = _summary(findings)
    counted = ", ".join(f"{number} {what}{'' if number == 1 else 's'}" for what, number in summary.items())
    lines += _told(f"the offline checks: {counted}", shown)
    lines += _told(
        "next",
        [
            f"aibackend check --config {directory}",
            f"aibackend generate --config {directory}      after each change of the sources",
            f"aibackend reload --config {directory}        once deploy: in gateway.yaml names your gateway",
        ],
    )
    return lines


def _passed(imported: Imported) -> list[str]:
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for each in imported.notes.carried:
        grouped.setdefault((each.file, each.what, each.why), []).append(each.where)
    lines = []
    for (file, what, why), places in grouped.items():
        more = f" and {len(places) - 2} more" if len(places) > 2 else ""
        lines.append(f"{file} ({'; '.join(places[:2])}{more}): {what}: {why}")
    return lines


def _told(heading: str, lines: list[str]) -> list[str]:
    return ["", heading, *(f"  {line}" for line in lines)] if lines or "checks" in heading else []
