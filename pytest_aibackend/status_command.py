"""`aibackend status`: what runs of a configuration, the embedded stack and the gateway, and what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

__all__ = ["NOTHING", "status"]

NOTHING = "nothing is running"


def status(config_dir: Path, *, as_json: bool) -> int:
    """Print it; return 0 only if everything runs and nothing is to be done, 2 without such a directory."""
    from pytest_aibackend.deploy.console import plain_console
    from pytest_aibackend.deploy.status.facts import collect
    from pytest_aibackend.deploy.status.view import show_status
    from pytest_aibackend.stack.status import look_at_stack

    if not config_dir.is_dir():
        print(f"error: {config_dir} is not a directory", file=sys.stderr)
        return 2
    stack = look_at_stack(config_dir)
    gateway = collect(config_dir)
    # Without a stack that was started here, the gateway is somebody else's, and a stack not worth a word.
    is_well = gateway.is_well and (stack.noted is None or stack.is_well)
    if as_json:
        print(json.dumps({**stack.as_dict(), "gateway": gateway.as_dict()}, indent=2))
        return 0 if is_well else 1
    out = plain_console()
    stack.show(out)
    if stack.noted is None and not gateway.is_running:
        out.print(NOTHING)
    show_status(gateway, out)
    return 0 if is_well else 1
