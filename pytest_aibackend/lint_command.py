"""`aibackend lint`: files in, findings out, in one of four formats."""

from __future__ import annotations

import fnmatch
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_aibackend.findings import Severity, suggest
from pytest_aibackend.litellm.lint.baseline import (
    Baseline,
    BaselineError,
    Entry,
    read_baseline,
    split,
    write_baseline,
)
from pytest_aibackend.litellm.lint.catalogue import lint_rules
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.includes import read_file
from pytest_aibackend.litellm.lint.run import LintResult, lint
from pytest_aibackend.litellm.schema import Schema, SchemaError, load_schema, stand_in
from pytest_aibackend.reporting.lint_formats import FORMATS, LintedFile, LintReport
from pytest_aibackend.sources.env_file import parse_env_file
from pytest_aibackend.sources.yaml_text import MAX_BYTES

__all__ = ["LintOptions", "run"]

_STDIN: Final = "<stdin>"
_STALE_SHOWN: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class LintOptions:
    """What the command line asks for."""

    files: Sequence[str]
    format: str = "text"
    litellm_version: str | None = None
    env_file: Path | None = None
    environment: bool = False  # also the variables of this process
    strict: bool = False
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()
    baseline: Path | None = None
    write_baseline: bool = False


class _UsageError(Exception):
    """What was asked for cannot be done; the text says why, a line for each reason."""


def run(options: LintOptions) -> int:
    """Lint the files and print the findings; return the exit status."""
    try:
        return _run(options)
    except (_UsageError, SchemaError, BaselineError) as error:
        for line in str(error).splitlines():
            print(f"aibackend lint: {line}", file=sys.stderr)
        return 2


def _run(options: LintOptions) -> int:
    if options.write_baseline and options.baseline is None:
        raise _UsageError("--write-baseline needs --baseline FILE: the file to write")
    schema = load_schema(options.litellm_version)
    if note := stand_in(options.litellm_version):
        print(f"aibackend lint: {note}", file=sys.stderr)
    select = _rules(options.select, "--select") if options.select else None
    ignore = _rules(options.ignore, "--ignore")
    environment = _environment(options)
    raws = _read(options.files)
    results = {
        name: lint(_document(name, raw), schema, environment=environment, select=select, ignore=ignore)
        for name, raw in raws.items()
    }
    if options.write_baseline and options.baseline is not None:
        written = write_baseline(options.baseline, results.values())
        print(f"{options.baseline}: {written} finding{'' if written == 1 else 's'} written")
        return 0
    baseline = read_baseline(options.baseline) if options.baseline is not None else None
    directory = options.baseline.parent if options.baseline is not None else Path()
    report, stale = _report(
        results, schema, baseline, directory, colour=options.format == "text" and _is_colourful()
    )
    sys.stdout.write(FORMATS[options.format](report))
    sys.stdout.flush()
    _tell_stale(stale, options, select, ignore)
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    return 1 if errors or (options.strict and warnings) else 0


def _document(name: str, raw: bytes) -> LintDocument:
    return LintDocument.read(raw, name, None if name == _STDIN else name)


def _report(
    results: Mapping[str, LintResult],
    schema: Schema,
    baseline: Baseline | None,
    directory: Path,
    *,
    colour: bool,
) -> tuple[LintReport, Counter[Entry]]:
    """Return the report, and what the baseline knows of these files and is no longer found."""
    files, known = [], Counter[Entry]()
    for name, result in results.items():
        findings, found = split(result, baseline, directory) if baseline else ([*result.findings], Counter())
        known += found
        files.append(
            LintedFile(path=name, findings=findings, ignored=result.ignored, baselined=found.total())
        )
    report = LintReport(
        files=files,
        litellm_version=schema.version,
        rules=lint_rules(),
        has_baseline=baseline is not None,
        colour=colour,
    )
    return report, Counter(baseline or {}) - known


def _tell_stale(
    stale: Counter[Entry], options: LintOptions, select: set[str] | None, ignore: set[str]
) -> None:
    """Say which entries of the baseline can go: those of files that were read and of rules that ran."""
    assert options.baseline is not None or not stale
    directory = options.baseline.parent if options.baseline is not None else Path()
    read = {Path(os.path.relpath(name, directory)).as_posix() for name in options.files} | {_STDIN}
    gone = sorted(
        entry
        for entry in stale
        if entry.file in read and entry.rule not in ignore and (select is None or entry.rule in select)
    )
    for entry in gone[:_STALE_SHOWN]:
        print(
            f"{options.baseline}: no longer found: {entry.file}: {entry.rule}: {entry.path}", file=sys.stderr
        )
    if len(gone) > _STALE_SHOWN:
        print(f"{options.baseline}: ... and {len(gone) - _STALE_SHOWN} more", file=sys.stderr)
    if gone:
        print("  hint: --write-baseline removes them", file=sys.stderr)


def _rules(patterns: Sequence[str], option: str) -> set[str]:
    """Return the rules that ids and patterns with * name. Raises _UsageError."""
    known = lint_rules()
    named: set[str] = set()
    for pattern in (part.strip() for given in patterns for part in given.split(",")):
        matching = fnmatch.filter(known, pattern)
        if not matching:
            near = suggest(pattern, known)
            hint = f"did you mean {near!r}?" if near else "docs/lint.md lists them"
            raise _UsageError(f"{option}: there is no rule {pattern!r}; {hint}")
        named.update(matching)
    return named


def _environment(options: LintOptions) -> Mapping[str, str] | None:
    """Return the variables that the gateway will have, None where nothing is known of them."""
    known = dict(os.environ) if options.environment else {}
    if options.env_file is None:
        return known if options.environment else None
    try:
        text = read_file(str(options.env_file))[:MAX_BYTES].decode("utf-8-sig")
    except OSError as error:
        raise _UsageError(f"--env-file {options.env_file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _UsageError(f"--env-file {options.env_file}: the file is not UTF-8") from None
    variables, unread = parse_env_file(text)
    if unread:
        numbers = ", ".join(str(number) for number in unread[:5])
        raise _UsageError(f"--env-file {options.env_file}: line {numbers} is not NAME=value")
    from_process = {
        name: os.environ[name] for name, value in variables.items() if value is None and name in os.environ
    }
    # What is set already wins, as with LiteLLM's own .env.
    return {name: value for name, value in variables.items() if value is not None} | from_process | known


def _read(files: Sequence[str]) -> dict[str, bytes]:
    """Return the bytes of each file by the name that findings use. Raises _UsageError."""
    if not files:
        raise _UsageError("no files: name a LiteLLM config.yaml, or - for standard input")
    read: dict[str, bytes] = {}
    unread = []
    for name in files:
        try:
            read[_STDIN if name == "-" else name] = (
                sys.stdin.buffer.read(MAX_BYTES + 1) if name == "-" else read_file(name)
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            unread.append(f"{name} cannot be read: {reason}")
    if unread:
        raise _UsageError("\n".join(unread))
    return read


def _is_colourful() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
