"""`systemctl`, run with a time limit, and what its refusals mean in plain words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pytest_aibackend.deploy.service.contract import ServiceError

__all__ = ["Systemctl", "TimedOutError"]

QUERY_S: Final = 15.0


class TimedOutError(ServiceError):
    """systemctl did not end in time."""


class Systemctl:
    """One unit of one manager: the system's, or that of this user."""

    def __init__(self, unit: str, *, user: bool) -> None:
        self.unit = unit
        self._scope = ["--user"] if user else []
        self._user = user

    def say(self, *words: str) -> str:
        """Return a command line for people."""
        return " ".join(["systemctl", *self._scope, *words])

    @property
    def journal(self) -> str:
        """Return the command that shows the unit's log."""
        return " ".join(["journalctl", *self._scope, "-n", "30", "-u", self.unit])

    def show(self, *properties: str) -> dict[str, str]:
        """Return properties of the unit, those of several lines with all of them; raises ServiceError."""
        output = self.run("show", "--property", ",".join(properties), "--", self.unit)
        found: dict[str, str] = {}
        for line in output.splitlines():
            name, equals, value = line.partition("=")
            if equals and name in properties:
                found[name] = f"{found[name]}\n{value}" if name in found else value
        return found

    def show_value(self, name: str) -> str:
        """Return one property as it is printed; raises ServiceError."""
        return self.run("show", "--value", "--property", name, "--", self.unit).removesuffix("\n")

    def run(self, *arguments: str, within_s: float | None = None) -> str:
        """Run a command and return its output; raises ServiceError, TimedOutError when it takes too long."""
        command = ["systemctl", *self._scope, "--no-pager", "--no-ask-password", *arguments]
        shown = self.say(*(word for word in arguments if word != "--"))
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                env=self._environment(),
                timeout=within_s or QUERY_S,
                check=False,
            )
        except FileNotFoundError:
            raise ServiceError(
                "there is no systemctl on this machine; "
                "set deploy.service.kind in gateway.yaml to pidfile or none"
            ) from None
        except PermissionError:
            raise ServiceError("systemctl may not be run by this user") from None
        except subprocess.TimeoutExpired:
            raise TimedOutError(
                f"`{shown}` did not end within {within_s or QUERY_S:.0f} s; see `{self.journal}`"
            ) from None
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
            raise ServiceError(f"`{shown}` failed: {_shorten(said)}; {self._remedy(said)}")
        return done.stdout

    def _remedy(self, said: str) -> str:
        fitting = (text for pattern, text in _REMEDIES if re.search(pattern, said, re.IGNORECASE))
        text = next(fitting, "see `{journal}`")
        if text is _NO_BUS:
            text = _NO_USER_BUS if self._user else _NO_SYSTEM
        return text.format(
            journal=self.journal,
            start=self.say("start", self.unit),
            reset=self.say("reset-failed", self.unit),
            unmask=self.say("unmask", self.unit),
            reread=self.say("daemon-reload"),
            unit=self.unit,
            folder="~/.config/systemd/user" if self._user else "/etc/systemd/system",
            who="as root, or allow it with a polkit rule" if not self._user else "as the user who runs it",
        )

    def _environment(self) -> dict[str, str]:
        """Return our environment for plain output; a user's manager is found without a session, too."""
        environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_URLIFY": "0"}
        if self._user and not environment.get("XDG_RUNTIME_DIR"):
            usual = Path(f"/run/user/{os.getuid()}")
            if usual.is_dir():
                environment["XDG_RUNTIME_DIR"] = str(usual)
        return environment


def _shorten(said: str, longest: int = 300) -> str:
    # systemctl's own advice is given by us, with the right options.
    said = re.sub(r"\s*See \"?.*for details\.?", "", said).rstrip(".")
    return said if len(said) <= longest else f"{said[:longest]}..."


_NO_BUS: Final = "no bus"
_NO_USER_BUS: Final = (
    "this user's systemd does not run, or XDG_RUNTIME_DIR does not lead to it: "
    "log in as the user who runs the gateway (not through su or sudo), "
    "or have it run without a login: `loginctl enable-linger USER`"
)
_NO_SYSTEM: Final = (
    "this machine was not started with systemd, or its bus is not to be reached from here; "
    "set deploy.service.kind in gateway.yaml to pidfile or none"
)
_REMEDIES: Final[Iterable[tuple[str, str]]] = (
    (r"connect to bus|not been booted|host is down|No medium found", _NO_BUS),
    (r"not (?:be )?found|not loaded|no such unit", "install it in {folder} and run `{reread}`"),
    (r"authentication|access denied|permission denied|not permitted", "run this command {who}"),
    (r"masked", "`{unmask}`"),
    (r"not active, cannot reload", "it does not run: `{start}`"),
    (
        r"not applicable for unit",
        "{unit} has no ExecReload=: add `ExecReload=/bin/kill -HUP $MAINPID` to it",
    ),
    (
        r"start of the service was attempted too often|start request repeated",
        "see `{journal}`, then `{reset}`",
    ),
    (r"bad unit file|bad-setting|invalid argument", "see `systemd-analyze verify {unit}`"),
)
