"""How LiteLLM is started: its command line and its environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pytest_aibackend.serving.master import GRACE_VARIABLE, KEEP_ALIVE_VARIABLE
from pytest_aibackend.serving.settings import Settings
from pytest_aibackend.serving.worker import FILE_VARIABLE, HOOK, STATE_VARIABLE

__all__ = ["command_of", "environment_of"]

HOOKS_VARIABLE: Final = "LITELLM_WORKER_STARTUP_HOOKS"
# Meant for this process, or for another gateway; LiteLLM must not see them.
NOT_PASSED_ON: Final = (
    "CONFIG_FILE_PATH",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "WORKER_CONFIG",
)


def command_of(settings: Settings, file: Path) -> list[str]:
    """Return the command line that starts LiteLLM's master on a configuration."""
    command = [sys.executable, "-m", "pytest_aibackend.serving.master", "--config", str(file)]
    command += ["--host", settings.host, "--port", str(settings.port), "--run_gunicorn"]
    return [*command, "--num_workers", str(settings.workers), "--telemetry", "False", *settings.arguments]


def environment_of(settings: Settings, ours: Mapping[str, str]) -> dict[str, str]:
    """Return what LiteLLM sees of our environment, with what its workers need to know."""
    environment = {name: value for name, value in ours.items() if name not in NOT_PASSED_ON}
    hooks = [HOOK, *filter(None, [environment.get(HOOKS_VARIABLE)])]
    # Our package may be installed for another interpreter than LiteLLM: the path leads to it.
    package = str(Path(__file__).resolve().parents[2])
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    if package not in paths:
        paths.append(package)
    # Without it the start waits for a download.
    environment.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    return environment | {
        HOOKS_VARIABLE: ",".join(hooks),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        FILE_VARIABLE: str(settings.file),
        STATE_VARIABLE: str(settings.state),
        GRACE_VARIABLE: str(settings.grace_s),
        KEEP_ALIVE_VARIABLE: str(settings.keep_alive_s),
    }
