"""One run at a time: a lock that says who holds it.

The lock is the kernel's (`flock` on STATE/lock), so it ends with its holder, however that dies. The text in
the file is for people: who, since when. A text without a lock was left by a holder that was killed; it is
taken over, and said. On NFS Linux turns `flock` into a lock of the server, which ends with the holder too,
once the server misses its client; keep the state directory on a local disk all the same.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from pytest_aibackend.serving.state import is_alive, process_start

__all__ = ["LockedError", "Owner", "exclusive", "holder", "user_name"]

_POLL_S: Final = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Who holds the lock."""

    pid: int
    start: float  # of the process; tells it from a later one of the same pid
    user: str
    host: str
    started: str  # ISO 8601, UTC
    command: str

    @classmethod
    def me(cls, command: str) -> Owner:
        """Return this process."""
        return cls(
            pid=os.getpid(),
            start=process_start(os.getpid()),
            user=user_name(),
            host=socket.gethostname(),
            started=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            command=command,
        )

    @property
    def is_gone(self) -> bool:
        """Say whether its process has ended; of another machine's processes that cannot be said."""
        return self.host == socket.gethostname() and not is_alive(self.pid, self.start)

    def describe(self, now: dt.datetime | None = None) -> str:
        """Return who it is and for how long, as messages say it."""
        text = f"aibackend {self.command}, pid {self.pid} of {self.user}"
        if self.host != socket.gethostname():
            text += f" on {self.host}"
        with contextlib.suppress(ValueError, TypeError):
            age = (now or dt.datetime.now(dt.UTC)) - dt.datetime.fromisoformat(self.started)
            text += f", for {_duration(age.total_seconds())}"
        return text


class LockedError(Exception):
    """Another run holds the lock; the text says who and for how long."""

    def __init__(self, owner: Owner | None) -> None:
        who = owner.describe() if owner else "a run that has not yet said who it is"
        if owner and owner.is_gone:
            who += ", which has ended, but a process that it started still holds its lock"
        super().__init__(f"locked by another run: {who}")
        self.owner = owner


@contextlib.contextmanager
def exclusive(
    path: Path, command: str, *, wait_s: float = 0.0, tell: Callable[[str], None] | None = None
) -> Iterator[Owner | None]:
    """Hold the lock; yield the owner that died over it, None in the usual case.

    Raises LockedError when another run holds it for `wait_s` seconds, OSError when the file cannot be used.
    """
    descriptor = _acquire(path, wait_s, tell)
    try:
        dead = _read_owner(descriptor)
        _write_owner(descriptor, Owner.me(command))
        yield dead
    finally:
        # Unlinked while it is locked: whoever waits for it sees that its file has gone, and makes one.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def holder(path: Path) -> Owner | None:
    """Return who holds the lock, as its file says, without touching it; None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        owner = _read_owner(descriptor)
    finally:
        os.close(descriptor)
    return owner if owner and not owner.is_gone else None


def _acquire(path: Path, wait_s: float, tell: Callable[[str], None] | None) -> int:
    deadline = time.monotonic() + wait_s
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, descriptor):
                return descriptor
        except BlockingIOError:
            owner = _read_owner(descriptor)
            left = deadline - time.monotonic()
            if left <= 0:
                os.close(descriptor)
                raise LockedError(owner) from None
            if tell:
                tell(f"waiting {left:.0f} s more for {owner.describe() if owner else 'another run'}")
            time.sleep(min(_POLL_S, left))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _read_owner(descriptor: int) -> Owner | None:
    """Return what the file says; None where it says nothing that can be understood."""
    try:
        plain = json.loads(os.pread(descriptor, 65536, 0))
        return Owner(**{**plain, "pid": int(plain["pid"]), "start": float(plain["start"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write_owner(descriptor: int, owner: Owner) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(asdict(owner)) + "\n").encode(), 0)


def user_name() -> str:
    """Return the name of the user, or the number where it has none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"
