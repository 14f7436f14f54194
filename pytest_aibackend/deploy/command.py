"""`aibackend history`: what was deployed, when, by whom, and how it went."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.deploy.console import plain_console
from pytest_aibackend.deploy.history import History
from pytest_aibackend.sources.backend import load_backend

__all__ = ["show_history"]

_STYLE: Final = {"deployed": "green", "unchanged": "dim", "valid": "dim", "declined": "dim"}


def show_history(config_dir: Path, *, as_json: bool, count: int | None) -> int:
    """Print the newest `count` runs, the last one last: a table, or one JSON object a line."""
    if not config_dir.is_dir():
        print(f"aibackend history: there is no configuration directory {config_dir}", file=sys.stderr)
        print("  hint: name it with --config DIR", file=sys.stderr)
        return 2
    backend = load_backend(config_dir)
    state = backend.resolve(backend.gateway.deploy.state_dir)
    try:
        records = list(History(state).read())
    except OSError as error:
        print(f"aibackend history: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    if count is not None:
        records = records[-count:] if count else []
    if as_json:
        for record in records:
            print(json.dumps(record, ensure_ascii=False))
        return 0
    _print_table(records)
    return 0


def _print_table(records: list[dict[str, Any]]) -> None:
    from rich.text import Text

    out = plain_console()
    if not records:
        out.print("no run yet")
        return
    rows = [_row(record) for record in records]
    heads = ("when (UTC)", "who", "what", "outcome", "exit", "took", "new", "why")
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads) - 1)]
    out.print("  ".join(f"{head:<{width}}" for head, width in zip(heads, widths, strict=False)) + "  why")
    for row in rows:
        line = Text()
        for head, cell, width in zip(heads, row, widths, strict=False):
            line += Text(f"{cell:<{width}}  ", style=_STYLE.get(cell, "red") if head == "outcome" else "")
        out.print(line + Text(row[-1]))


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    """Return a record as the table shows it; it may come from another version."""
    seconds = record.get("seconds")
    took = sum(value for value in seconds.values()) if isinstance(seconds, dict) else 0.0
    user = str(record.get("user", "?"))
    return (
        str(record.get("when", "?")).replace("T", " ").partition("+")[0],
        f"{user} (sudo: {record['sudo_user']})" if record.get("sudo_user") else user,
        str(record.get("command", "?")),
        str(record.get("outcome", "?")),
        str(record.get("exit", "?")),
        f"{took:.1f} s",
        str(record.get("new_sha256") or "")[:12],
        str(record.get("reason", "")),
    )
