"""No service: somebody else reloads the gateway."""

from __future__ import annotations

from pytest_aibackend.deploy.service.contract import ServiceError, ServiceState
from pytest_aibackend.deploy.service.process import process_environment
from pytest_aibackend.serving.state import StateDir

__all__ = ["NoService"]


class NoService:
    """A gateway that is not ours to signal; what it writes into the state directory is read all the same."""

    label = "no service"
    can_signal = False

    def __init__(self, state: StateDir) -> None:
        self._state = state

    def state(self) -> ServiceState:
        """Return whether an `aibackend serve` of this configuration runs."""
        note = self._state.gateway_note()
        if note is None:
            return ServiceState(running=False, pid=None, detail="no service is configured")
        return ServiceState(running=True, pid=note.pid, detail="runs; no service is configured")

    def environment(self) -> dict[str, str] | None:
        """Return the environment of a running `aibackend serve`."""
        note = self._state.gateway_note()
        return process_environment(note.pid) if note is not None else None

    def reload(self) -> None:
        """Refuse."""
        raise ServiceError(_REFUSAL)

    def restart(self) -> None:
        """Refuse."""
        raise ServiceError(_REFUSAL)


_REFUSAL = (
    "no service is configured, so nobody can be signalled; "
    "name one in gateway.yaml under deploy.service: kind systemd-user, systemd or pidfile"
)
