"""`python -m pytest_aibackend.serving`: what `aibackend serve` becomes."""

from __future__ import annotations

import os
import sys

from pytest_aibackend.serving.settings import parse
from pytest_aibackend.serving.supervisor import Supervisor

if __name__ == "__main__":  # pragma: no branch - nobody imports it
    sys.exit(Supervisor(parse(sys.argv[1:]), os.environ).run())
