"""How a gateway stands: who runs it, which bytes its workers serve, and what is wrong with that.

`collect` gathers the facts and judges them; `view` shows them. Nothing is changed, and no lock is taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_aibackend.deploy.journal import Journal
from pytest_aibackend.deploy.lock import holder
from pytest_aibackend.deploy.service import ServiceError, ServiceState, service_of
from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.command import source_errors
from pytest_aibackend.litellm.generate import FileState, examine
from pytest_aibackend.live import Seen
from pytest_aibackend.probes.observations import Observations
from pytest_aibackend.probes.serving import ServingObservation, look_at_serving
from pytest_aibackend.rules.gateway_serving import SERVING_RULES
from pytest_aibackend.rules.registry import RULES, LiveBackend
from pytest_aibackend.serving.state import StateDir
from pytest_aibackend.sources.backend import Backend, load_backend
from pytest_aibackend.sources.secrets import redact_url

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import EndpointAnswer

__all__ = ["GatewayStatus", "Trouble", "collect", "compare_with_sources"]

LIVENESS_WITHIN_S: Final = 2.0
_UNKNOWN: Final = "unknown"
_MISSING: Final = "missing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Something that is not as it should be, and the next act."""

    severity: Severity
    message: str
    hint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayStatus:
    """The gateway of one configuration, as far as it can be seen from here."""

    config_dir: Path
    url: str
    service: str  # what people call it
    state: ServiceState | None  # as the service manager sees it; None where it cannot be asked
    liveness: EndpointAnswer
    serving: ServingObservation
    sources: str  # the deployed file compared with what the sources give: a FileState, "missing", "unknown"
    reload: str | None  # who reloads just now
    pending: str | None  # what a reload left that was killed
    troubles: tuple[Trouble, ...]

    @property
    def is_running(self) -> bool:
        """Say whether there is a gateway, ours or another."""
        is_up = self.state is not None and self.state.running
        return is_up or self.serving.gateway is not None or self.liveness.state.is_healthy

    @property
    def is_well(self) -> bool:
        """Say whether it runs and there is nothing to do."""
        return self.is_running and not self.troubles

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain types, for `--json`."""
        serving = self.serving.to_json()
        return {
            "running": self.is_running,
            "url": self.url,
            "service": self.service,
            "service_detail": self.state.detail if self.state else None,
            "answers": self.liveness.state.is_healthy,
            "supervisor": serving.pop("gateway"),
            **serving,
            "sources": self.sources,
            "reload": self.reload,
            "pending": self.pending,
            "troubles": [
                {"severity": str(each.severity), "message": each.message, "hint": each.hint}
                for each in self.troubles
            ],
        }


def collect(config_dir: Path) -> GatewayStatus:
    """Look at the gateway of a configuration directory, whatever state that is in."""
    from pytest_aibackend.probes.run import ask_liveness

    backend = load_backend(config_dir)
    deploy = backend.gateway.deploy
    state = StateDir(backend.resolve(deploy.state_dir))
    serving = look_at_serving(state, backend.resolve(deploy.path))
    liveness = ask_liveness(deploy.url, timeout_s=LIVENESS_WITHIN_S)
    label, service, service_trouble = _ask_service(backend, state)
    owner = holder(state.path / "lock")
    pending, journal_trouble = (None, None) if owner else _left_by_killed_run(state)
    compared, source_trouble = compare_with_sources(backend)
    troubles = [
        *_running_troubles(deploy.service.kind, service, serving, liveness),
        service_trouble,
        *_state_troubles(state),
        journal_trouble,
        *_serving_troubles(backend, serving),
        source_trouble,
    ]
    return GatewayStatus(
        config_dir=config_dir,
        url=redact_url(deploy.url),
        service=label,
        state=service,
        liveness=liveness,
        serving=serving,
        sources=compared,
        reload=owner.describe() if owner else None,
        pending=pending,
        troubles=tuple(_for_directory(each, config_dir) for each in troubles if each is not None),
    )


def compare_with_sources(backend: Backend) -> tuple[str, Trouble | None]:
    """Say what the deployed file is, compared with what the sources give now."""
    file = backend.deployed
    name = file.path.name
    if not file.exists:
        return _MISSING, _warning(
            f"nothing is deployed: there is no {file.display}", "run `aibackend reload`"
        )
    if not file.raw and file.problems:
        problem = file.problems[0][1]
        return _UNKNOWN, _error(problem.message, problem.hint)
    broken = source_errors(backend)
    if broken:
        noun = "error" if len(broken) == 1 else "errors"
        return _UNKNOWN, _warning(
            f"the sources have {len(broken)} {noun}: whether {name} is what they give cannot be said",
            "see `aibackend check`",
        )
    seen = examine(file.text, backend)
    changed = ", ".join(seen.changed_sources) or "this version of aibackend, or a source,"
    words = {
        FileState.STALE: f"{changed} changed since {name} was deployed",
        FileState.EDITED: f"{name} was edited by hand after it was generated",
        FileState.UNMARKED: f"{name} was not made by `aibackend generate`",
        FileState.FOREIGN: f"{name} was made by another tool, or its header is damaged",
    }
    if seen.state not in words:
        return str(seen.state), None
    hint = "run `aibackend reload`"
    if seen.state is not FileState.STALE:
        hint = "move what you need from it into the sources, then run `aibackend reload`"
    return str(seen.state), _warning(words[seen.state], hint)


def _ask_service(backend: Backend, state: StateDir) -> tuple[str, ServiceState | None, Trouble | None]:
    kind = backend.gateway.deploy.service.kind
    label = f"service of kind {kind}"
    try:
        service = service_of(backend, state)
        label = service.label
        return label, service.state(), None
    except ServiceError as error:
        return label, None, _error(str(error), "mend that, or correct deploy.service in gateway.yaml")


def _running_troubles(
    kind: str, service: ServiceState | None, serving: ServingObservation, liveness: EndpointAnswer
) -> Iterator[Trouble]:
    gateway = serving.gateway
    if gateway is None and service is not None and not service.running:
        start = "start its service, or run `aibackend serve` (`aibackend up` for the embedded stack)"
        if not liveness.state.is_healthy:
            yield _error(f"the gateway does not run: {service.detail}", start)
        elif kind != "none":
            yield _error(f"something answers as the gateway, but {service.detail}", f"end it, and {start}")
        return
    if not liveness.state.is_healthy:
        yield _error(f"the gateway does not answer: {liveness.detail}", "look into the gateway's log")
    if gateway is None:
        return
    if gateway.stopping:
        yield _warning("the gateway is being stopped", "wait for it to end")
    elif gateway.master is None:
        trouble = f": {gateway.last_trouble}" if gateway.last_trouble else ""
        yield _error(f"LiteLLM is down and is being started again{trouble}", "look into the gateway's log")


def _state_troubles(state: StateDir) -> Iterator[Trouble]:
    if state.path.is_dir() and not os.access(state.path, os.R_OK | os.X_OK):
        yield _error(
            f"the state directory {state.path} cannot be read, so what is served cannot be said",
            "run this as the user that runs the gateway",
        )


def _left_by_killed_run(state: StateDir) -> tuple[str | None, Trouble | None]:
    try:
        entry = Journal(state.path).load()
    except (OSError, ValueError) as error:
        return str(error), _error(str(error), "run `aibackend reload`, which puts it aside")
    if entry is None:
        return None, None
    text = entry.describe()
    return text, _error(text, "run `aibackend reload`, which finishes or undoes it")


def _serving_troubles(backend: Backend, serving: ServingObservation) -> Iterator[Trouble]:
    """Yield what check 8 says of the notes: the same rules."""
    seen = Seen(observations=Observations(serving=serving), unset_variables=frozenset())
    live = LiveBackend(backend=backend, observations=seen)
    for name in SERVING_RULES:
        rule = RULES[name]
        assert rule.find is not None
        for problem in rule.find(live):
            yield Trouble(
                severity=problem.severity or rule.severity, message=problem.message, hint=problem.hint
            )


def _for_directory(trouble: Trouble, config_dir: Path) -> Trouble:
    """Return a trouble whose hint names the configuration: the commands have a default of their own."""
    hint = trouble.hint
    for command in ("reload", "check", "serve"):
        hint = hint.replace(f"`aibackend {command}`", f"`aibackend {command} --config {config_dir}`")
    return Trouble(severity=trouble.severity, message=trouble.message, hint=hint)


def _error(message: str, hint: str) -> Trouble:
    return Trouble(severity=Severity.ERROR, message=message, hint=hint)


def _warning(message: str, hint: str) -> Trouble:
    return Trouble(severity=Severity.WARNING, message=message, hint=hint)
