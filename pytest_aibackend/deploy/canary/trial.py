"""One candidate in the canary: laid out in private, booted, compared, and what came of it in words."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.deploy.canary.ask import AskError, ask, wait_ready
from pytest_aibackend.deploy.canary.compare import differences, expected_of
from pytest_aibackend.deploy.canary.copy import (
    REDIS_PREFIX,
    canary_namespace,
    has_namespaced_redis,
    named_variables,
    private_copy,
    show_path,
)
from pytest_aibackend.deploy.canary.host import Host
from pytest_aibackend.deploy.canary.words import drop_reasons, explain_exit, last_error, redact
from pytest_aibackend.litellm.master_key import MASTER_KEY, master_key_of
from pytest_aibackend.sources.references import REFERENCE

__all__ = ["Trial", "judge", "lay_out", "text_of"]

SAID: Final = 3  # places of one variable
_SECRET_MANAGERS: Final = ("key_management_system", "use_google_kms", "use_azure_key_vault")


@dataclass(kw_only=True, slots=True)
class Trial:
    """One candidate on its way through."""

    data: dict[str, Any]
    environment: dict[str, str]  # as LiteLLM sees it, once that is known
    within_s: float
    tell: Callable[[str], None]
    began: float
    boot_seconds: float = 0.0

    @property
    def deadline(self) -> float:
        """Return the moment at which it is given up."""
        return self.began + self.within_s


def lay_out(directory: Path, trial: Trial, beside: Path | None) -> Path:
    """Write the private copy into a directory of its own, with links to what lies beside the original."""
    import yaml

    token = secrets.token_hex(8)
    folder = directory / token
    folder.mkdir(mode=0o700)
    with contextlib.suppress(OSError):  # what cannot be read there, LiteLLM does not find either
        for entry in beside.iterdir() if beside is not None else ():
            if not entry.name.startswith((".", "__pycache__")):
                (folder / entry.name).symlink_to(os.path.realpath(entry))
    config = folder / f"candidate-{token}.yaml"
    config.touch(0o600)
    copied = private_copy(trial.data, canary_namespace(token), trial.environment)
    config.write_text(yaml.safe_dump(copied, sort_keys=False), encoding="ascii")  # the rest is escaped
    return config


def judge(host: Host, config: Path, port: int, trial: Trial) -> list[str]:
    """Boot the private copy and compare; return what is wrong. LiteLLM is left running. Raises HostError."""
    log = config.with_suffix(".log")
    began = time.monotonic()
    names = [*named_variables(trial.data), MASTER_KEY]
    without = () if has_namespaced_redis(trial.data) else (REDIS_PREFIX,)
    values = host.boot(config, port, log, names=names, without=without)
    trial.environment |= {name: value for name, value in values.items() if value is not None}
    problems = _missing_variables(trial)
    try:
        status = wait_ready(host, port, trial.deadline, trial.tell)
    except TimeoutError:
        last = last_error(text_of(log))
        said = f"; the last it said: {redact(last)[:200]}" if last else ""
        return [*problems, f"LiteLLM did not become ready within {trial.within_s:.0f} s{said}"]
    if status is not None:
        text = text_of(log)
        is_told = any("master_key" in problem for problem in problems) and "master key" in last_error(text)
        return problems if is_told else [*problems, explain_exit(text, status, trial.data)]
    trial.boot_seconds = time.monotonic() - began
    return problems + _compare(port, trial, log)


def _missing_variables(trial: Trial) -> list[str]:
    general = trial.data.get("general_settings")
    if isinstance(general, dict) and any(general.get(name) for name in _SECRET_MANAGERS):
        return []  # they may stand there
    problems = []
    for name, paths in named_variables(trial.data).items():
        if name not in trial.environment:
            places = ", ".join(show_path(path) for path in paths[:SAID])
            more = f" and {len(paths) - SAID} more" if len(paths) > SAID else ""
            verb = "names" if len(paths) == 1 else "name"
            problems.append(f"{places}{more} {verb} {REFERENCE}{name}, which the service's environment lacks")
    return problems


def _compare(port: int, trial: Trial, log: Path) -> list[str]:
    try:
        answers = ask(port, master_key_of(trial.data, trial.environment) or "")
    except AskError as error:
        general = trial.data.get("general_settings")
        if error.is_refusal and isinstance(general, dict) and general.get("custom_auth"):
            trial.tell("what is served was not compared: custom_auth does not accept the master key")
            return []
        return [redact(str(error))]
    expected = expected_of(trial.data, trial.environment)
    return differences(expected, answers.models, answers.info, drop_reasons(text_of(log)))


def text_of(log: Path) -> str:
    """Return what a log holds so far."""
    return log.read_text(encoding="utf-8", errors="replace")
