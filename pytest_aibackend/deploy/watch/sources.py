"""When a change of the sources is complete: judged by what is in the files, and by nothing else.

The files are read three times a second and hashed. That costs less than a thousandth of a core, works on
every file system, and is not misled by what editors do: a file that is touched, replaced by an equal one, or
written, renamed and written again has changed only if its text has. A library for the kernel's notices would
have to follow renames, vanishing directories and network mounts to say less.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pytest_aibackend.sources.backend import FILES

__all__ = ["SOURCES", "Debounce", "Fingerprint", "changed_sources", "fingerprint"]

SOURCES: Final = tuple(name for role, name in FILES.items() if role != "generated")
Fingerprint = tuple[str | None, ...]  # one hash for each source; None: missing, empty or unreadable


def fingerprint(config_dir: Path) -> Fingerprint:
    """Return what the sources hold now."""
    return tuple(_hash_of(config_dir / name) for name in SOURCES)


def _hash_of(path: Path) -> str | None:
    try:
        # A pipe or a device in the place of a file would block, or never end.
        raw = path.read_bytes() if path.is_file() else b""
    except OSError:
        return None
    return hashlib.blake2b(raw, digest_size=16).hexdigest() if raw else None


def changed_sources(before: Fingerprint | None, after: Fingerprint) -> list[str]:
    """Return the names of the sources that differ."""
    if before is None:
        return []
    return [name for name, old, new in zip(SOURCES, before, after, strict=True) if old != new]


@dataclass(kw_only=True, slots=True)
class Debounce:
    """Says when the sources have changed and come to rest, once for each state they come to rest in.

    A file that has vanished or is empty is likely to be on its way back: an editor, or git, replaces it. That
    is given more time. Without any file there is nothing to act upon, as while the directory is away.
    """

    quiet_s: float  # how long nothing must have changed
    patience_s: float  # the same while a file is missing that was there
    acted_on: Fingerprint | None = None  # the state that was reported last
    _seen: Fingerprint | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)

    def see(self, now: float, seen: Fingerprint) -> bool:
        """Take notice of a state; say whether it is to be acted upon, which is said once."""
        if seen != self._seen:
            self._seen, self._since = seen, now
        if seen == self.acted_on or not any(seen):
            return False
        if now - self._since < (self.patience_s if self._is_lossy(seen) else self.quiet_s):
            return False
        self.acted_on = seen
        return True

    def again(self) -> None:
        """Act upon the same state once more."""
        self.acted_on = None

    def _is_lossy(self, seen: Fingerprint) -> bool:
        before = self.acted_on or ()
        return any(old and not new for old, new in zip(before, seen, strict=False))
