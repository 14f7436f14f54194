"""The state directory: what a reload and the running gateway tell one another through files.

    STATE/                    mode 0700, `deploy.state_dir`
      verified.yaml           the bytes of the last configuration that was verified, mode 0600
      verified.json           their SHA-256, when and by whom
      approved.json           SHA-256 of bytes that passed the gate and that the gateway may load, or of
                              approved bytes on which it then did not start
      gateway/gateway.json    the supervisor: pids, address, which file LiteLLM was started with
      gateway/workers/PID.json  one note for each worker: which bytes it serves, and its state

Every file is replaced at once, so that a reader sees the old text or the new one. Standard library only:
this module runs in LiteLLM's environment as well as in ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

__all__ = [
    "GatewayNote",
    "StateDir",
    "VerifiedNote",
    "WorkerNote",
    "WorkerState",
    "is_alive",
    "process_start",
    "sha256",
    "write_private",
]

SCHEMA_VERSION: Final = 1


class WorkerState(StrEnum):
    """What a worker of the gateway is doing."""

    STARTING = "starting"  # it loads its configuration
    READY = "ready"  # it serves
    LEAVING = "leaving"  # it was told to go, and serves until its successors are ready
    DRAINING = "draining"  # it takes no new request, and finishes those it has
    FAILED = "failed"  # it could not start; its process is gone


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerNote:
    """What a worker says of itself."""

    pid: int
    start: float  # of the process, in clock ticks since boot; tells it from a later process of the same pid
    started: float  # seconds of the monotonic clock, which all processes of a machine share
    master: int  # pid of the gunicorn master
    state: WorkerState
    sha256: str  # of the bytes it loaded
    source: str  # "deployed" or "verified": the deployed file, or the kept copy of the last verified one
    reason: str = ""  # why it is not the deployed file
    groups: int = -1  # model groups it serves; -1: not known
    connections: int = 0  # open, while it drains
    generation: int = 0  # how many reloads the master had done before
    boot_s: float = 0.0  # how long it took to be ready

    @property
    def serves(self) -> bool:
        """Say whether it takes new requests."""
        return self.state in (WorkerState.READY, WorkerState.LEAVING)


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayNote:
    """What the supervisor says of the gateway."""

    pid: int  # of the supervisor: the one that takes SIGHUP and SIGTERM
    start: float
    master: int | None  # pid of LiteLLM's gunicorn master; None while there is none
    workers: int  # how many it is told to run
    host: str
    port: int
    file: str  # the deployed file
    refused_sha256: str = ""  # a deployed file that was not verified, and therefore not loaded
    refused_reason: str = ""
    restarts: int = 0  # how often LiteLLM was started again after it died or refused connections
    last_trouble: str = ""
    stopping: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedNote:
    """Which bytes were verified last."""

    sha256: str
    at: float  # seconds since the epoch
    by: str  # "reload", or "gateway" for a first start on a file that nobody had deployed with us
    before: str = ""  # what was verified before: the copy is still that, until it is replaced


_Note = TypeVar("_Note", GatewayNote, VerifiedNote, WorkerNote)


class StateDir:
    """The state directory of one deployment."""

    def __init__(self, path: Path) -> None:
        """Name the places; nothing is read or made yet."""
        self.path = path
        self.verified_file = path / "verified.yaml"
        self.gateway = path / "gateway"
        self.workers = self.gateway / "workers"
        self._verified_note = path / "verified.json"
        self._approved_note = path / "approved.json"
        self._gateway_note = self.gateway / "gateway.json"

    def create(self) -> None:
        """Make the directories, for their owner alone; raises OSError.

        One that was there before is somebody's own, and keeps its mode: each file is for its owner anyway.
        """
        is_ours = not self.path.is_dir()
        for folder in (self.path, self.gateway, self.workers):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_ours:
            self.path.chmod(0o700)  # mkdir's own mode is subject to the umask
            (self.path / ".gitignore").write_text("*\n", encoding="ascii")

    # -- which bytes may be served

    def keep_verified(self, raw: bytes, *, by: str) -> None:
        """Keep these bytes as the last verified configuration; raises OSError."""
        kept = self.verified()
        before = kept.sha256 if kept is not None else ""
        note = VerifiedNote(sha256=sha256(raw), at=time.time(), by=by, before=before)
        # The note knows both, so that at every moment it knows the bytes that are there.
        _write_json(self._verified_note, asdict(note))
        write_private(self.verified_file, raw)

    def verified(self) -> VerifiedNote | None:
        """Return which bytes were verified last, if they are still there and whole."""
        note = _as(VerifiedNote, _read_json(self._verified_note))
        with contextlib.suppress(OSError):
            digest = sha256(self.verified_file.read_bytes())
            if note is not None and digest in (note.sha256, note.before):
                return replace(note, sha256=digest)
        return None

    def approve(self, digest: str) -> None:
        """Let the gateway load bytes with this SHA-256, beside those that were verified; raises OSError."""
        _write_json(self._approved_note, {"sha256": digest})

    def approved(self) -> str:
        """Return the approved SHA-256, "" if there is none."""
        return str((_read_json(self._approved_note) or {}).get("sha256", ""))

    def note_unstartable(self, digest: str) -> None:
        """Turn the approval of these bytes into its opposite: the gateway does not start on them."""
        _write_json(self._approved_note, {"sha256": "", "unstartable": digest})

    def unstartable(self) -> str:
        """Return the SHA-256 of the bytes that were approved last, if the gateway does not start on them."""
        return str((_read_json(self._approved_note) or {}).get("unstartable", ""))

    def withdraw_approval(self) -> None:
        """Approve nothing; raises OSError."""
        self._approved_note.unlink(missing_ok=True)

    # -- who serves

    def note_gateway(self, note: GatewayNote) -> None:
        """Write the supervisor's note; raises OSError."""
        _write_json(self._gateway_note, asdict(note))

    def gateway_note(self) -> GatewayNote | None:
        """Return the supervisor's note if that supervisor is alive."""
        note = _as(GatewayNote, _read_json(self._gateway_note))
        return note if note is not None and is_alive(note.pid, note.start) else None

    def forget_gateway(self) -> None:
        """Remove the supervisor's note."""
        self._gateway_note.unlink(missing_ok=True)

    def note_worker(self, note: WorkerNote) -> None:
        """Write a worker's note; raises OSError."""
        _write_json(self.workers / f"{note.pid}.json", asdict(note))

    def forget_worker(self, pid: int) -> None:
        """Remove what a worker left."""
        for suffix in (".json", ".sock"):
            (self.workers / f"{pid}{suffix}").unlink(missing_ok=True)

    def worker_notes(self) -> list[WorkerNote]:
        """Return the notes of the workers that are alive, the first started first."""
        return [note for note in self._all_notes() if is_alive(note.pid, note.start)]

    def failed_notes(self) -> list[WorkerNote]:
        """Return the notes of the workers that could not start, the first started first."""
        return [note for note in self._all_notes() if note.state is WorkerState.FAILED]

    def clear_dead_workers(self, *, failed_too: bool) -> None:
        """Remove the notes and sockets of workers that are gone; those of failed ones only if told so."""
        kept = {note.pid for note in self.worker_notes()}
        if not failed_too:
            kept |= {note.pid for note in self.failed_notes()}
        with contextlib.suppress(OSError):
            for path in [*self.workers.glob("*.json"), *self.workers.glob("*.sock")]:
                if path.stem.isdigit() and int(path.stem) not in kept:
                    path.unlink(missing_ok=True)

    def _all_notes(self) -> list[WorkerNote]:
        notes = []
        with contextlib.suppress(OSError):
            for path in self.workers.glob("*.json"):
                note = _as(WorkerNote, _read_json(path))
                if note is not None:
                    notes.append(note)
        return sorted(notes, key=lambda note: (note.started, note.pid))


def sha256(raw: bytes) -> str:
    """Return the SHA-256 of some bytes as 64 hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()


def process_start(pid: int) -> float:
    """Return when a process started, in clock ticks since boot; 0 if there is none, or it is a zombie.

    Read from /proc; where there is no such thing, 1 for every process that exists.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return 0.0
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return 0.0
        except PermissionError:
            return 1.0
        return 1.0
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return 0.0 if fields[0] in "ZX" else float(fields[19])


def is_alive(pid: int, start: float) -> bool:
    """Say whether the process that had this pid then still runs."""
    return start > 0 and process_start(pid) == start


def write_private(path: Path, raw: bytes) -> None:
    """Replace a file at once, with mode 0600, on disk before it bears its name; raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:
                # A reload by root must not lock out the gateway's own user, whose directory this is.
                folder = path.parent.stat()
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _as(kind: type[_Note], plain: dict[str, Any] | None) -> _Note | None:
    """Return a note of this kind; None if it is none.

    What this version does not know is left out: the package may be replaced while a gateway runs.
    """
    kinds: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "bool": bool, "WorkerState": str}
    kinds |= {"int | None": (int, type(None))}
    known = {each.name: kinds[str(each.type)] for each in fields(kind)}
    told = {name: value for name, value in (plain or {}).items() if name in known}
    if not all(isinstance(value, known[name]) for name, value in told.items()):
        return None
    try:
        if "state" in told:
            told["state"] = WorkerState(told["state"])
        return kind(**told)
    except (TypeError, ValueError):
        return None


def _write_json(path: Path, plain: dict[str, Any]) -> None:
    write_private(path, (json.dumps({"schema_version": SCHEMA_VERSION, **plain}, indent=1) + "\n").encode())


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(plain, dict) or plain.pop("schema_version", None) != SCHEMA_VERSION:
        return None
    return plain
