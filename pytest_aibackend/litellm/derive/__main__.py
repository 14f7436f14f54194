"""`python -m pytest_aibackend.litellm.derive FILE`: derive in a process of its own, as command.py starts it."""

from __future__ import annotations

import sys
from pathlib import Path

from pytest_aibackend.litellm.derive.document import derive, text_of

Path(sys.argv[1]).write_text(text_of(derive()), encoding="utf-8")
