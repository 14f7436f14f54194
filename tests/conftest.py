"""For all tests of the package; the validator's own run does not load it."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# Only an outermost conftest of the run may name plugins, so this does not stand in plugin/.
pytest_plugins = ["pytester"]

# `make test` draws the same examples each time, so that it fails only for a change; `make soak` draws new
# ones, and forty times as many. A busy machine is not a failure.
settings.register_profile("soak", max_examples=2000, deadline=None)
settings.register_profile("quick", max_examples=50, derandomize=True, database=None, deadline=None)
settings.load_profile("soak" if os.environ.get("AIBACKEND_SOAK") else "quick")

# What the tests start prints into files, whatever colours the caller's shell asks for.
for name in ("FORCE_COLOR", "PY_COLORS", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
    os.environ.pop(name, None)

# A shell that runs the tests in the background has them ignore Ctrl-C, and every process that they start too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
