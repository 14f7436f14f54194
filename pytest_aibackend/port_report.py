"""`aibackend ports`: the registered ports, who listens on them now, and what is wrong with that."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.findings import Finding, Severity, sort_findings
from pytest_aibackend.live import Seen
from pytest_aibackend.probes.observations import Listener, Observations, PortObservation
from pytest_aibackend.probes.run import run_probes
from pytest_aibackend.probes.targets import PortTarget, ProbeTargets
from pytest_aibackend.rules.registry import LiveBackend, evaluate
from pytest_aibackend.sources.backend import Backend, load_backend

__all__ = ["report_ports"]

TIMEOUT_S: Final = 2.0
_OFFLINE: Final = "port-conflict"
_LIVE: Final = "port-listener"
_FOREIGN: Final = "foreign-listener"
_SILENT: Final = "required-port-silent"
_STYLES: Final = {"conflict": "bold red", "foreign": "bold red", "silent": "yellow", "in use": "green"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    service: str | None  # None: a port that nobody registered
    port: int
    protocol: str | None
    required: bool
    reserved: bool

    @property
    def name(self) -> str:
        """Return a name that is unique among the rows of a report."""
        return f"reserved {self.service}" if self.reserved else self.service or f"port {self.port}"


def report_ports(config_dir: Path, *, required: bool, port: int | None, as_json: bool) -> int:
    """Print the registry with who listens; return 0 fine, 1 a conflict, 2 wrong usage.

    A conflict is a port of two services or a foreign listener, with `required` also a silent service.
    """
    if port is not None and not 1 <= port <= 65535:
        return _refuse(f"--port: {port} is no port; ports are from 1 to 65535")
    if not config_dir.is_dir():
        return _refuse(f"there is no configuration directory {config_dir}; name it with --config DIR")
    backend = load_backend(config_dir)
    if not backend.is_loaded("ports"):
        unread = backend.load_findings("ports")
        if as_json:
            _print_json([], unread)
        for each in unread:
            print(f"{each}\n  hint: {each.hint}", file=sys.stderr)
        return 1
    rows = _select(backend, required=required, port=port)
    seen = _observe(rows)
    findings = _findings(backend, rows, seen, required=required, port=port)
    statuses = {row.name: _status(row, seen.port(row.name), findings) for row in rows}
    plain = [_as_dict(row, seen.port(row.name), statuses[row.name]) for row in rows]
    if as_json:
        _print_json(plain, findings)
    else:
        _print_table(plain, findings)
    return 1 if any(each.severity is Severity.ERROR for each in findings) else 0


def _refuse(reason: str) -> int:
    print(f"aibackend ports: {reason}", file=sys.stderr)
    return 2


def _select(backend: Backend, *, required: bool, port: int | None) -> list[_Row]:
    rows = [
        _Row(service=name, port=entry.port, protocol=entry.protocol, required=entry.required, reserved=False)
        for name, entry in backend.ports.items()
    ]
    rows += [
        _Row(service=name, port=entry.port, protocol=None, required=False, reserved=True)
        for name, entry in backend.reserved.items()
    ]
    if port is not None:
        rows = [row for row in rows if row.port == port] or [
            _Row(service=None, port=port, protocol=None, required=False, reserved=False)
        ]
    return [row for row in rows if row.required] if required else rows


def _observe(rows: Iterable[_Row]) -> Observations:
    targets = tuple(
        PortTarget(name=row.name, port=row.port, protocol=row.protocol or "tcp", required=row.required)
        for row in rows
    )
    return run_probes(ProbeTargets(ports=targets), timeout_s=TIMEOUT_S)


def _findings(
    backend: Backend, rows: list[_Row], seen: Observations, *, required: bool, port: int | None
) -> list[Finding]:
    """Run the rules of check 6 and keep what is about the rows shown."""
    services = {row.service for row in rows if not row.reserved}
    registered = tuple(each for each in seen.ports if each.name in services)
    observed = Seen(observations=Observations(ports=registered), unset_variables=frozenset())
    offline = evaluate(backend)[_OFFLINE]
    live = evaluate(backend, live=LiveBackend(backend=backend, observations=observed))[_LIVE]
    for result in (offline, live):
        if result.crash is not None:
            raise result.crash
    shown = {str(row.port) for row in rows} if required or port is not None else set(offline.findings)
    found = [each for subject, some in offline.findings.items() if subject in shown for each in some]
    found += [
        each
        for some in live.findings.values()
        for each in some
        # Asked without --required, a service that is not up is a state to show and no conflict.
        if each.subject in services and (required or each.rule != _SILENT)
    ]
    return sort_findings(found)


def _status(row: _Row, seen: PortObservation, findings: Iterable[Finding]) -> str:
    found = [each for each in findings if each.severity is Severity.ERROR]
    if any(each.rule == _OFFLINE and each.subject == str(row.port) for each in found):
        return "conflict"
    if any(each.rule == _FOREIGN and each.subject == row.service for each in found):
        return "foreign"
    if seen.reachable or seen.listeners:
        return "in use"
    return "silent" if row.required else "free"


def _as_dict(row: _Row, seen: PortObservation, status: str) -> dict[str, Any]:
    return {
        "service": row.service,
        "port": row.port,
        "protocol": row.protocol,
        "required": row.required,
        "reserved": row.reserved,
        "listeners": [_listener(each) for each in seen.listeners or ()],
        "status": status,
    }


def _listener(listener: Listener) -> dict[str, Any]:
    return {"address": listener.address, "pid": listener.pid, "process": listener.process}


def _print_json(ports: list[dict[str, Any]], findings: Iterable[Finding]) -> None:
    document = {"schema_version": 1, "ports": ports, "findings": [each.as_dict() for each in findings]}
    print(json.dumps(document, indent=2, ensure_ascii=False))


def _print_table(ports: list[dict[str, Any]], findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    is_terminal = sys.stdout.isatty()
    # Into a pipe, nothing is folded or cut: other programs read it.
    console = Console(highlight=False, width=None if is_terminal else 200)
    if not ports:
        console.print("no such port is registered")
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("service", "port", "required", "listener", "verdict"):
            table.add_column(heading, justify="right" if heading == "port" else "left", no_wrap=True)
        for each in ports:
            style = _STYLES.get(each["status"], "dim")
            table.add_row(
                escape(_service(each)),
                str(each["port"]),
                "required" if each["required"] else "",
                escape(", ".join(_words(one) for one in each["listeners"]) or _unseen(each)),
                f"[{style}]{each['status']}[/]",
            )
        console.print(table)
    for finding in findings:
        print(f"{finding}\n  hint: {finding.hint}")


def _service(each: Mapping[str, Any]) -> str:
    if each["service"] is None:
        return "(not registered)"
    return f"{each['service']} (reserved)" if each["reserved"] else str(each["service"])


def _words(listener: Mapping[str, Any]) -> str:
    who = listener["process"] or "a process of another user"
    pid = f" (pid {listener['pid']})" if listener["pid"] else ""
    return f"{who}{pid} on {listener['address']}"


def _unseen(each: Mapping[str, Any]) -> str:
    return "somebody (not shown to this user)" if each["status"] == "in use" else "-"
