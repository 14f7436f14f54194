"""`python -m pytest_aibackend.litellm.derive FILE`: derive in a process of its own, started by command.py."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from pytest_aibackend.litellm.derive.additions import missed
from pytest_aibackend.litellm.derive.document import derive, derive_models, text_of

gc.disable()  # half of the time would go into looking through syntax trees that all stay
_target = Path(sys.argv[1])
_target.write_text(text_of(derive()), encoding="utf-8")
_target.with_name(f"{_target.stem}.models.json").write_text(text_of(derive_models()), encoding="utf-8")
_target.with_name(f"{_target.stem}.missed.txt").write_text("\n".join(missed()), encoding="utf-8")
