"""The status of a gateway, as a person reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.rules.gateway_serving import SHORT, describe_served
from pytest_aibackend.serving.state import WorkerNote, WorkerState

if TYPE_CHECKING:
    from rich.console import Console

    from pytest_aibackend.deploy.status.facts import GatewayStatus, Trouble

__all__ = ["show_status"]

_STYLE: Final = {
    WorkerState.READY: "green",
    WorkerState.STARTING: "yellow",
    WorkerState.LEAVING: "yellow",
    WorkerState.DRAINING: "yellow",
    WorkerState.FAILED: "red",
}
_WIDTH: Final = 9


def show_status(status: GatewayStatus, out: Console) -> None:
    """Print what is known of a gateway, then what is wrong with it."""
    if status.is_running:
        for name, text in _lines(status):
            out.print(f"{name:<{_WIDTH}} {text}")
        for note in (*status.serving.workers, *status.serving.failed):
            _show_worker(status, note, out)
    for trouble in status.troubles:
        _show_trouble(trouble, out)


def _lines(status: GatewayStatus) -> Iterator[tuple[str, str]]:
    serving = status.serving
    answers = "answers" if status.liveness.state.is_healthy else "does not answer"
    yield "gateway", f"{status.url} {answers}; {_runner(status)}"
    deployed = f" ({serving.deployed_sha256[:SHORT]})" if serving.deployed_sha256 else ", missing"
    in_step = ", what the sources give" if status.sources == "current" else ""
    yield "file", f"{serving.file}{deployed}{in_step}"
    verified = serving.verified
    if verified is not None:
        when = dt.datetime.fromtimestamp(verified.at, dt.UTC)
        yield "verified", f"{verified.sha256[:SHORT]}, {when:%Y-%m-%d %H:%M:%S} UTC, by {verified.by}"
    if status.reload is not None:
        yield "reload", f"under way: {status.reload}"
    gateway = serving.gateway
    if gateway is not None and gateway.restarts:
        why = f"; the last because: {gateway.last_trouble}" if gateway.last_trouble else ""
        yield "restarts", f"LiteLLM was started again {_times(gateway.restarts)}{why}"


def _runner(status: GatewayStatus) -> str:
    gateway = status.serving.gateway
    if gateway is not None:
        serving = len(status.serving.serving)
        return f"aibackend serve, pid {gateway.pid}; {serving} of {gateway.workers} workers serve"
    detail = f", {status.state.detail}" if status.state and status.state.running else ""
    return f"{status.service}{detail}; it keeps no notes of what it serves (`aibackend serve` does)"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _show_worker(status: GatewayStatus, note: WorkerNote, out: Console) -> None:
    from rich.text import Text

    verb = {WorkerState.STARTING: "loads", WorkerState.FAILED: "could not load"}.get(note.state, "serves")
    text = f"{verb} {describe_served(status.serving, note.sha256)}"
    if note.groups >= 0 and note.serves:
        text += f", {note.groups} model group{'s' if note.groups != 1 else ''}"
    if note.state is WorkerState.DRAINING:
        text += f", {note.connections} open connection{'s' if note.connections != 1 else ''}"
    out.print(
        Text(f"{'worker':<{_WIDTH}} {note.pid} ")
        + Text(f"{note.state:<8}", style=_STYLE[note.state])
        + Text(f" {text}")
    )


def _show_trouble(trouble: Trouble, out: Console) -> None:
    from rich.text import Text

    colour = "bold red" if trouble.severity is Severity.ERROR else "yellow"
    out.print(Text(f"{trouble.severity}: ", style=colour) + Text(trouble.message))
    out.print(f"  hint: {trouble.hint}")
