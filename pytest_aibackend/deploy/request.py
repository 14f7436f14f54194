"""What is asked of a reload."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Request"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked for."""

    config_dir: Path
    restore: str | None = None  # the name of a backup, in place of what the sources give
    validate_only: bool = False
    assume_yes: bool = False
    canary: bool | None = None  # None: where LiteLLM is installed
    live: bool = False
    as_json: bool = False
    wait_s: float = 0.0
    verify_completion: bool = False
    verify_within_s: float = 60.0

    @property
    def command(self) -> str:
        """Return what is done, in a word or two."""
        if self.restore is not None:
            return f"restore {self.restore}"
        return "validate" if self.validate_only else "reload"
