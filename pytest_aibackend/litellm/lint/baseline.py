"""A baseline: the findings that a configuration had when the linter came to it, which are not told again.

An entry knows a finding by its rule, its place in the config and its words, not by its line, and a
deployment by its model group, not by its number: what is inserted above does not bring it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final

from pytest_aibackend.findings import Finding, Path
from pytest_aibackend.litellm.lint.run import LintResult

__all__ = ["Baseline", "BaselineError", "Entry", "read_baseline", "split", "write_baseline"]

_SCHEMA_VERSION: Final = 1
# Lines, columns and indexes in a message: they change with what stands above.
_NUMBERS: Final = re.compile(r"(?<=\bline )\d+|(?<=\blines )\d+ and \d+|(?<=:)\d+(:\d+)?|(?<=\[)\d+(?=\])")


class BaselineError(Exception):
    """A baseline cannot be used; the text says why and what to do."""


@dataclass(frozen=True, order=True, slots=True)
class Entry:
    """One known finding."""

    file: str  # relative to the baseline's directory
    rule: str
    path: str  # model_list[gpt-4].litellm_params.api_base
    fingerprint: str


Baseline = Mapping[Entry, int]  # how often each is found


def split(
    result: LintResult, baseline: Baseline, directory: FilePath
) -> tuple[list[Finding], Counter[Entry]]:
    """Return the findings that the baseline does not know, and how many it knows of each entry."""
    known: Counter[Entry] = Counter()
    new = []
    for finding in result.findings:
        entry = _entry(finding, result.paths.get(finding, ()), directory)
        if known[entry] < baseline.get(entry, 0):
            known[entry] += 1
        else:
            new.append(finding)
    return new, known


def read_baseline(path: FilePath) -> Baseline:
    """Read a baseline file. Raises BaselineError."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BaselineError(f"there is no baseline {path}; --write-baseline makes it") from None
    except OSError as error:
        raise BaselineError(f"the baseline {path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise BaselineError(
            f"{path} is no baseline: it is not JSON; --write-baseline makes it anew"
        ) from None
    try:
        return _entries(plain)
    except (KeyError, TypeError, ValueError):
        raise BaselineError(
            f"{path} is no baseline of this version; --write-baseline makes it anew"
        ) from None


def write_baseline(path: FilePath, results: Iterable[LintResult]) -> int:
    """Write all findings of the results as a baseline; return how many. Raises BaselineError."""
    counted = Counter(
        _entry(finding, result.paths.get(finding, ()), path.parent)
        for result in results
        for finding in result.findings
    )
    listed = [
        {
            "file": entry.file,
            "rule": entry.rule,
            "path": entry.path,
            "fingerprint": entry.fingerprint,
            "count": count,
        }
        for entry, count in sorted(counted.items())
    ]
    text = json.dumps({"schema_version": _SCHEMA_VERSION, "findings": listed}, indent=2, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BaselineError(f"the baseline {path} cannot be written: {error.strerror}") from None
    return counted.total()


def _entries(plain: Any) -> Baseline:
    if plain["schema_version"] != _SCHEMA_VERSION:
        raise ValueError(plain["schema_version"])
    found: Counter[Entry] = Counter()
    for each in plain["findings"]:
        fields = (each["file"], each["rule"], each["path"], each["fingerprint"])
        if not all(isinstance(part, str) for part in fields):
            raise TypeError(fields)
        found[Entry(*fields)] += int(each.get("count", 1))
    return found


def _entry(finding: Finding, path: Path, directory: FilePath) -> Entry:
    place = _place(path, finding.subject)
    words = _NUMBERS.sub("", finding.message)
    digest = hashlib.sha256(f"{finding.rule}\0{place}\0{words}".encode("utf-8", "surrogatepass"))
    file = finding.location.file
    if not file.startswith("<"):
        file = FilePath(os.path.relpath(file, directory)).as_posix()
    return Entry(file, finding.rule, place, digest.hexdigest()[:16])


def _place(path: Path, subject: str) -> str:
    text = ""
    for number, step in enumerate(path):
        if number == 1 and path[0] == "model_list":
            text += f"[{subject}]"
        elif isinstance(step, int) and not isinstance(step, bool):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else str(step)
    return text
