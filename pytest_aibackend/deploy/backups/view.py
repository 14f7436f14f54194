"""What `aibackend backups` shows: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.findings import Finding
from pytest_aibackend.sources.backups import Backup, Kept
from pytest_aibackend.sources.models import Retention

__all__ = ["count", "print_findings", "print_json", "print_list", "print_plan", "print_table", "state_of"]

SCHEMA_VERSION: Final = 1
_WIDTH: Final = 240
_STATES: Final = {  # a backup is in the state of its first trouble
    "backup-name": "misnamed",
    "backup-unreadable": "unreadable",
    "backup-checksum": "damaged",
    "backup-checksum-missing": "no checksum",
    "backup-not-yaml": "not YAML",
    "backup-incomplete": "incomplete",
    "backup-exposed": "exposed",
}
_STYLES: Final = {"good": "green", "kept": "green", "exposed": "yellow", "deleted": "dim", "would go": "dim"}


def state_of(backup: Backup) -> str:
    """Return the state of a backup in a word or two."""
    return _STATES[backup.troubles[0].rule] if backup.troubles else "good"


def print_list(rows: Sequence[Mapping[str, Any]], directory: Path, retention: Retention) -> None:
    """Print the backups, the newest first, and what keeps each."""
    print_table(
        ("backup (UTC)", "age", "size", "state", "deployed", "kept because it is"),
        [
            (
                row["name"],
                _age(row["age_s"]),
                "-" if row["size"] is None else f"{row['size']:,} B",
                row["state"],
                "yes" if row["deployed"] else "",
                "; ".join(row["kept_because"]) or ("(surplus)" if row["surplus"] else "(no backup)"),
            )
            for row in rows
        ],
    )
    surplus = sum(row["surplus"] for row in rows)
    print(f"{count(len(rows))} in {directory}; retention: {_words(retention)}")
    if surplus:
        print(f"{surplus} beyond the retention; `aibackend backups rotate` deletes what is surplus")


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 0:
        return "future"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def print_plan(plan: Sequence[Kept], directory: Path, retention: Retention, *, dry_run: bool = False) -> None:
    """Print what rotation did, or would do, to each backup and why."""
    gone = "would go" if dry_run else "deleted"
    beyond = f"none of the {retention.recent} newest, nor the newest of a day or a week that counts"
    print_table(
        ("backup (UTC)", "", "because it is"),
        [
            (
                each.name,
                "kept" if each.reasons else "not deleted" if each.trouble else gone,
                "; ".join(each.reasons) or beyond,
            )
            for each in plan
        ],
    )
    kept = sum(bool(each.reasons) for each in plan)
    stuck = sum(bool(each.trouble) for each in plan)
    print(
        f"{count(len(plan))} in {directory}: {kept} kept, {len(plan) - kept - stuck} {gone}"
        + (f", {stuck} not deleted" if stuck else "")
        + f"; retention: {_words(retention)}"
    )


def print_json(directory: Path, keep: Retention, **parts: Any) -> None:
    """Print one document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "directory": str(directory),
        "retention": {"recent": keep.recent, "daily": keep.daily, "weekly": keep.weekly},
        **parts,
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Nothing is folded or cut: a pipe has no width, and a terminal wraps a long line better than a column.
    console = Console(highlight=False, width=_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="right" if heading == "size" else "left")
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    console.print(table)


def _style(cell: str) -> str:
    return _STYLES.get(cell) or ("bold red" if cell in _STATES.values() or cell == "not deleted" else "")


def print_findings(findings: Sequence[Finding]) -> None:
    """Print findings, each with its hint."""
    for each in findings:
        print(f"{each}\n  hint: {each.hint}")


def count(number: int) -> str:
    """Return "1 backup", "2 backups"."""
    return f"{number} backup{'' if number == 1 else 's'}"


def _words(keep: Retention) -> str:
    return f"{keep.recent} newest, {keep.daily} daily, {keep.weekly} weekly"
