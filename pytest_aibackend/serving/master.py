"""LiteLLM's gunicorn master: its own command line, with two of gunicorn's defaults made fit for a gateway.

`python -m pytest_aibackend.serving.master ARGUMENTS` is `litellm ARGUMENTS`. LiteLLM hands gunicorn its
options in code and reads neither GUNICORN_CMD_ARGS nor a configuration file (litellm 1.106.2, proxy/
proxy_cli.py: run_gunicorn_server), so what it leaves to gunicorn's defaults is set in the defaults.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

__all__ = ["GRACE_VARIABLE", "KEEP_ALIVE_VARIABLE", "end_with_parent", "main"]

GRACE_VARIABLE: Final = "AIBACKEND_GRACE_S"
KEEP_ALIVE_VARIABLE: Final = "AIBACKEND_KEEP_ALIVE_S"
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Run LiteLLM; ends with the process that started it."""
    end_with_parent()
    import gunicorn.config

    # How long a stop waits for streams, and how long an idle connection stays open: longer than clients
    # keep theirs, so that it is the client who closes, and no request meets a closing connection.
    gunicorn.config.GracefulTimeout.default = int(os.environ.get(GRACE_VARIABLE, "30"))
    gunicorn.config.Keepalive.default = int(os.environ.get(KEEP_ALIVE_VARIABLE, "75"))
    from litellm import run_server

    run_server()


def end_with_parent() -> None:
    """Have this process told to stop when the one that started it is gone; on Linux only."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit("the process that started this gateway is gone")


if __name__ == "__main__":
    main()
