"""A gateway that systemd runs, as a service of the machine or of this user."""

from __future__ import annotations

import contextlib
import re
from typing import Final

from pytest_aibackend.deploy.service.contract import ServiceError, ServiceState
from pytest_aibackend.deploy.service.process import process_environment
from pytest_aibackend.deploy.service.systemctl import Systemctl, TimedOutError
from pytest_aibackend.deploy.service.unit_environment import unit_environment

__all__ = ["SystemdService"]

RELOAD_S: Final = 30.0
RESTART_S: Final = 600.0  # the unit's own limits end the job long before
_RUNNING: Final = ("active", "reloading", "activating", "deactivating")
_ASKED: Final = ("LoadState", "ActiveState", "SubState", "MainPID", "Result", "StatusText", "NRestarts")
_UNIT_NAME: Final = re.compile(r"[A-Za-z0-9:_.\\][A-Za-z0-9:_.\\@-]{0,254}")
_OTHER_KINDS: Final = (
    ".automount",
    ".device",
    ".mount",
    ".path",
    ".scope",
    ".slice",
    ".socket",
    ".swap",
    ".target",
    ".timer",
)


class SystemdService:
    """One unit of systemd."""

    can_signal = True

    def __init__(self, name: str, *, user: bool) -> None:
        if not _UNIT_NAME.fullmatch(name) or name.endswith(_OTHER_KINDS):
            raise ValueError(
                f"{name!r} is not the name of a service of systemd; one looks like litellm.service"
            )
        unit = name if name.endswith(".service") else f"{name}.service"
        self.label = f"{unit} (systemd --user)" if user else f"{unit} (systemd)"
        self._user = user
        self._systemctl = Systemctl(unit, user=user)

    def state(self) -> ServiceState:
        """Return what systemd says; raises ServiceError if it cannot be asked or knows no such unit."""
        shown = self._systemctl.show(*_ASKED)
        self._insist_on_unit(shown.get("LoadState", ""))
        active, sub = shown.get("ActiveState", "unknown"), shown.get("SubState", "")
        pid = int(shown.get("MainPID") or 0) or None
        running = active in _RUNNING and pid is not None
        return ServiceState(
            running=running, pid=pid if running else None, detail=self._detail(shown, active, sub)
        )

    def environment(self) -> dict[str, str] | None:
        """Return the environment of the main process; when it does not run, the one its unit gives it."""
        with contextlib.suppress(ServiceError):
            pid = self.state().pid
            if pid is not None and (environment := process_environment(pid)) is not None:
                return environment
            return unit_environment(self._systemctl, user=self._user)
        return None

    def reload(self) -> None:
        """Have systemd reload the unit; returns when it says that this is done."""
        is_starting = self._systemctl.show("ActiveState").get("ActiveState") == "activating"
        self._reload()
        if is_starting:
            # Then systemd made one job of the start and the reload, and signalled nobody (252, seen).
            self._reload()

    def restart(self) -> None:
        """Have systemd restart the unit; with `Type=notify` it returns when the gateway answers."""
        self._systemctl.run("restart", "--", self._systemctl.unit, within_s=RESTART_S)

    def _reload(self) -> None:
        try:
            self._systemctl.run("reload", "--", self._systemctl.unit, within_s=RELOAD_S)
        except TimedOutError:
            # A unit that has not ended an earlier reload lets further ones wait for ever (systemd 252, seen):
            # the signal itself still gets through.
            self._systemctl.run("kill", "--kill-who=main", "--signal=HUP", "--", self._systemctl.unit)

    def _insist_on_unit(self, load_state: str) -> None:
        unit = self._systemctl.unit
        if load_state == "not-found":
            folder = "~/.config/systemd/user" if self._user else "/etc/systemd/system"
            manager = "this user's systemd" if self._user else "systemd"
            raise ServiceError(
                f"{manager} knows no {unit}; install it in {folder} and run "
                f"`{self._systemctl.say('daemon-reload')}`, or correct deploy.service.name in gateway.yaml"
            )
        if load_state == "masked":
            raise ServiceError(f"{unit} is masked; `{self._systemctl.say('unmask', unit)}`")
        if load_state in ("bad-setting", "error"):
            raise ServiceError(f"systemd cannot read {unit}; see `systemd-analyze verify {unit}`")

    def _detail(self, shown: dict[str, str], active: str, sub: str) -> str:
        words = f"{active} ({sub})" if sub not in ("", active) else active
        if shown.get("StatusText"):
            words += f": {shown['StatusText']}"
        if shown.get("NRestarts", "0") not in ("", "0"):
            words += f", restarted {shown['NRestarts']} times"
        if active == "failed":
            words += f", {shown.get('Result', 'unknown')}; see `{self._systemctl.journal}`"
        return words
