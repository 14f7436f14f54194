"""LiteLLM's gunicorn master: its own command line, with two of gunicorn's defaults made fit for a gateway.

`python -m pytest_aibackend.serving.master ARGUMENTS` is `litellm ARGUMENTS`. LiteLLM hands gunicorn its
options in code and reads neither GUNICORN_CMD_ARGS nor a configuration file (litellm 1.106.2, proxy/
proxy_cli.py: run_gunicorn_server), so what it leaves to gunicorn's defaults is set in the defaults.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import signal
import sys
from typing import Final

__all__ = ["GENERATION_VARIABLE", "GRACE_VARIABLE", "KEEP_ALIVE_VARIABLE", "end_with_parent", "main"]

GENERATION_VARIABLE: Final = "AIBACKEND_GENERATION"
GRACE_VARIABLE: Final = "AIBACKEND_GRACE_S"
KEEP_ALIVE_VARIABLE: Final = "AIBACKEND_KEEP_ALIVE_S"
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Run LiteLLM; ends with the process that started it."""
    end_with_parent()
    end = _QuickEnd()
    atexit.register(end.now)
    import gunicorn.config

    _count_reloads()
    # How long a stop waits for streams, and how long an idle connection stays open: longer than clients
    # keep theirs, so that it is the client who closes, and no request meets a closing connection.
    gunicorn.config.GracefulTimeout.default = int(os.environ.get(GRACE_VARIABLE, "30"))
    gunicorn.config.Keepalive.default = int(os.environ.get(KEEP_ALIVE_VARIABLE, "75"))
    from litellm import run_server

    try:
        run_server()
    except SystemExit as ended:
        end.status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise


def _count_reloads() -> None:
    """Let workers know after how many reloads they were forked: an old one has to know its successors."""
    from gunicorn.arbiter import Arbiter

    original = Arbiter.reload

    def reload(arbiter: Arbiter) -> None:
        os.environ[GENERATION_VARIABLE] = str(int(os.environ.get(GENERATION_VARIABLE, "0")) + 1)
        original(arbiter)

    Arbiter.reload = reload


class _QuickEnd:
    """Ends the master when all exit functions have run: Python takes seconds to tidy LiteLLM's memory up.

    A gateway that is restarted serves nobody for as long.
    """

    def __init__(self) -> None:
        self.status: int | None = None  # None: it did not end of itself, and Python says what happened
        self._pid = os.getpid()  # workers are forked with this, and end in their own way

    def now(self) -> None:
        if self.status is None or os.getpid() != self._pid:
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(self.status)


def end_with_parent() -> None:
    """Have this process told to stop when the one that started it is gone; on Linux only."""
    parent = os.getppid()
    if sys.platform == "linux":  # pragma: no branch - elsewhere there is no such thing
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # pragma: no cover - it would have to end just between these lines
            sys.exit("the process that started this gateway is gone")


if __name__ == "__main__":
    main()
