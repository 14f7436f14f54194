"""What runs of an embedded stack, and whether it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_aibackend.stack.state import ServiceRecord, StackState, StateDir

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["KEY_VARIABLE", "StackStatus", "look_at_stack", "where_the_key_is"]

KEY_VARIABLE: Final = "LITELLM_MASTER_KEY"


@dataclass(frozen=True, slots=True)
class _Seen:
    record: ServiceRecord
    state: str  # ready, silent or dead


@dataclass(frozen=True, kw_only=True)
class StackStatus:
    """The embedded stack of one configuration."""

    config_dir: Path
    directory: StateDir
    noted: StackState | None  # None: it was not started
    seen: tuple[_Seen, ...]

    @property
    def is_well(self) -> bool:
        """Say whether everything of it answers."""
        return bool(self.seen) and all(service.state == "ready" for service in self.seen)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain types, for `--json`."""
        has_own_key = self.noted is not None and not self.noted.key_from_environment
        return {
            "schema_version": 1,
            "config": str(self.config_dir),
            "running": self.is_well,
            "services": [
                {
                    "name": item.record.name,
                    "kind": item.record.kind,
                    "state": item.state,
                    "pid": item.record.process.pid,
                    "host": item.record.host,
                    "port": item.record.port,
                    "log": item.record.log,
                }
                for item in self.seen
            ],
            "master_key_file": str(self.directory.key_file) if has_own_key else None,
            "logs": str(self.directory.logs),
        }

    def show(self, out: Console) -> None:
        """Print it, if it was started."""
        if self.noted is None:
            return
        _print_table(out, self.seen)
        out.print(f"gateway key: {where_the_key_is(self.directory, self.noted)}")
        out.print(f"logs: {self.directory.logs}")


def look_at_stack(config_dir: Path) -> StackStatus:
    """Look at the embedded stack of a configuration directory, started or not."""
    directory = StateDir(config_dir)
    noted = directory.load()
    return StackStatus(
        config_dir=config_dir, directory=directory, noted=noted, seen=tuple(_look(directory, noted))
    )


def where_the_key_is(directory: StateDir, state: StackState) -> str:
    """Say where a person finds the gateway's key."""
    if state.key_from_environment:
        return f"the value of {KEY_VARIABLE} that `aibackend up` was given"
    return f"in the file {directory.key_file}"


def _look(directory: StateDir, state: StackState | None) -> list[_Seen]:
    from pytest_aibackend.stack.processes import find, marker
    from pytest_aibackend.stack.services import Prober

    if state is None:
        return []
    mark = marker(directory.path)
    seen = []
    with Prober() as prober:
        for service in state.services:
            if find(service.process, mark) is None:
                seen.append(_Seen(service, "dead"))
            else:
                ready = prober.is_ready(service.kind, service.host, service.port)
                seen.append(_Seen(service, "ready" if ready else "silent"))
    return seen


def _print_table(out: Console, seen: tuple[_Seen, ...]) -> None:
    from rich.text import Text

    words = {"ready": ("ready", "green"), "silent": ("does not answer", "yellow"), "dead": ("DEAD", "red")}
    width = max((len(item.record.name) for item in seen), default=0)
    for item in seen:
        service = item.record
        word, style = words[item.state]
        out.print(
            Text(f"{service.name:<{width}}  ")
            + Text(f"{word:<15}", style=style)
            + Text(f"  {service.host}:{service.port}  pid {service.process.pid}")
        )
