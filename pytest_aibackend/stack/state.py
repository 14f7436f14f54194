"""What a stack leaves on disk while it runs: `CONFIG/.aibackend/stack/`, for its owner alone.

state.json       pids with their start times, ports, log files
master-key       the gateway's key, where none was given in the environment
valkey.conf      settings of the cache server, with its password if it has one
logs/            one file per service, from the last start on; they outlive the stack
models/          the generated model, kept for the next start
lock             held by the command that starts the stack, and as long as it runs in the foreground
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_aibackend.stack.processes import ProcessRecord

__all__ = [
    "ServiceRecord",
    "StackBusyError",
    "StackState",
    "StateDir",
]

SCHEMA_VERSION = 1


class StackBusyError(Exception):
    """Another command holds the lock of this stack."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRecord:
    """One started service."""

    name: str
    kind: str  # valkey, llama_cpp or litellm
    process: ProcessRecord
    host: str
    port: int
    log: str  # path


@dataclass(frozen=True, kw_only=True, slots=True)
class StackState:
    """What was started, and by whom."""

    config_dir: str
    supervisor: ProcessRecord | None  # the `aibackend up` that starts the stack or holds it in the foreground
    key_from_environment: bool
    pidfile: str | None
    services: tuple[ServiceRecord, ...]

    def to_json(self) -> str:
        """Return the state as the text of state.json."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StackState:
        """Read the text of state.json; raises ValueError when it is not one that this version wrote."""
        try:
            plain: dict[str, Any] = json.loads(text)
            supervisor = plain["supervisor"]
            return cls(
                config_dir=plain["config_dir"],
                supervisor=None if supervisor is None else ProcessRecord(**supervisor),
                key_from_environment=plain["key_from_environment"],
                pidfile=plain["pidfile"],
                services=tuple(
                    ServiceRecord(**{**service, "process": ProcessRecord(**service["process"])})
                    for service in plain["services"]
                ),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a state of an embedded stack: {error}") from error


class StateDir:
    """The directory of one stack's state, found from its configuration directory."""

    def __init__(self, config_dir: Path) -> None:
        """Name the places; nothing is read or made yet."""
        self.config_dir = config_dir.resolve()
        self.path = self.config_dir / ".aibackend" / "stack"
        self.logs = self.path / "logs"
        self.models = self.path / "models"
        self.key_file = self.path / "master-key"
        self.valkey_settings = self.path / "valkey.conf"  # may hold a password
        self._state_file = self.path / "state.json"
        self._lock_file = self.path / "lock"

    def create(self) -> None:
        """Make the directories, mode 0700 and ignored by git; raises OSError."""
        for folder in (self.path, self.logs, self.models):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        (self.path / ".gitignore").write_text("*\n", encoding="utf-8")

    def load(self) -> StackState | None:
        """Return the noted state, or None if there is none of this very directory (a copied one is not)."""
        try:
            state = StackState.from_json(self._state_file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return state if state.config_dir == str(self.config_dir) else None

    def save(self, state: StackState) -> None:
        """Write the state so that a reader sees the old one or the new one; raises OSError."""
        unfinished = self._state_file.with_suffix(f".{os.getpid()}")
        _write_private(unfinished, state.to_json())
        unfinished.replace(self._state_file)

    def make_master_key(self) -> str:
        """Make a new key for the gateway and keep it in `key_file`, mode 0600; raises OSError."""
        key = f"sk-{secrets.token_urlsafe(32)}"
        self.key_file.unlink(missing_ok=True)
        _write_private(self.key_file, key + "\n")
        return key

    def read_master_key(self) -> str | None:
        """Return the key that was made for the running gateway, or None."""
        try:
            return self.key_file.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def forget(self, pidfile: Path | None) -> None:
        """Remove what holds only while the stack runs: state, secrets, pid file; logs and model stay."""
        for path in (self._state_file, self.key_file, self.valkey_settings, pidfile):
            if path is not None:
                path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the stack's lock; raises StackBusyError at once if another process has it."""
        import fcntl

        if not self.path.is_dir():  # never started: there is nothing that could be disturbed
            yield
            return
        with self._lock_file.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StackBusyError from error
            yield


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
