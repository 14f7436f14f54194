"""For all tests of the package; the validator's own run does not load it."""

from __future__ import annotations

import os

from hypothesis import settings

# Only an outermost conftest of the run may name plugins, so this does not stand in plugin/.
pytest_plugins = ["pytester"]

# `make soak` looks at twenty times as many examples; a busy machine is not a failure.
settings.register_profile("soak", max_examples=2000, deadline=None)
settings.register_profile("quick", deadline=None)
settings.load_profile("soak" if os.environ.get("AIBACKEND_SOAK") else "quick")
