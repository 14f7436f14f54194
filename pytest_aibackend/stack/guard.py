"""Ends a stack whose `aibackend up` was killed: `python -m pytest_aibackend.stack.guard CONFIG_DIR`.

It reads from a pipe whose other end only that command holds. End of file without the word that releases
it means that the command is gone and could not clean up; whatever carries the stack's mark is then ended.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from pytest_aibackend.stack.processes import marker, stop
from pytest_aibackend.stack.state import StateDir

__all__ = ["Guard", "main"]

RELEASE = b"release"


class Guard:
    """The guard of one start, as the guarded command sees it."""

    def __init__(self, config_dir: Path) -> None:
        """Start the guard; raises OSError."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest_aibackend.stack.guard", str(config_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is not for it
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the guard: the stack was stopped in order, or is meant to go on alone."""
        try:
            self._process.communicate(RELEASE, timeout=10)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            self._process.wait()


def main() -> int:
    """Wait for the end of standard input, then end the stack unless released."""
    directory = StateDir(Path(sys.argv[1]))
    if sys.stdin.buffer.read().endswith(RELEASE):
        return 0
    state = directory.load()
    stop([service.process for service in state.services] if state else [], marker(directory.path))
    directory.forget(Path(state.pidfile) if state and state.pidfile else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
