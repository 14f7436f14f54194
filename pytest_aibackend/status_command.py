"""`aibackend status`: what runs of a configuration, the embedded stack and the gateway, and what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

__all__ = ["NOTHING", "status"]

NOTHING = "nothing is running"
_USUAL: Final = Path("config")
_EMBEDDED: Final = Path("examples/embedded")


def status(given: Path | None, *, as_json: bool) -> int:
    """Print it; return 0 only if everything runs and nothing is to be done, 2 without such a directory.

    Where none is given, it is the embedded stack while that is up, as `up` and `down` take it, else `config`.
    """
    from pytest_aibackend.deploy.console import plain_console
    from pytest_aibackend.deploy.status.facts import collect
    from pytest_aibackend.deploy.status.view import show_status
    from pytest_aibackend.stack.status import look_at_stack

    config_dir = given or (_EMBEDDED if look_at_stack(_EMBEDDED).noted else _USUAL)
    if not config_dir.is_dir():
        print(f"aibackend status: there is no configuration directory {config_dir}", file=sys.stderr)
        print("  hint: name it with --config DIR", file=sys.stderr)
        return 2
    stack = look_at_stack(config_dir)
    gateway = collect(config_dir)
    # Without a stack that was started here, the gateway is somebody else's, and a stack not worth a word.
    is_well = gateway.is_well and (stack.noted is None or stack.is_well)
    if as_json:
        print(json.dumps({**stack.as_dict(), "gateway": gateway.as_dict()}, indent=2))
        return 0 if is_well else 1
    out = plain_console()
    if given is None and config_dir == _EMBEDDED:
        out.print(f"the embedded stack of {_EMBEDDED}; for the gateway of {_USUAL}: --config {_USUAL}")
    stack.show(out)
    if stack.noted is None and not gateway.is_running:
        out.print(NOTHING)
    show_status(gateway, out)
    return 0 if is_well else 1
