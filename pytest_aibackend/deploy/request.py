"""What is asked of a reload."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Self

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

    @classmethod
    def of(
        cls, arguments: argparse.Namespace, *, restore: str | None = None, validate_only: bool = False
    ) -> Self:
        """Return what a command line asks for, with the options that all deploying commands share."""
        return cls(
            config_dir=arguments.config,
            restore=restore,
            validate_only=validate_only,
            assume_yes=arguments.yes,
            canary=arguments.canary,
            live=arguments.live,
            as_json=arguments.json,
            wait_s=arguments.wait,
            verify_completion=arguments.verify_completion,
            verify_within_s=arguments.verify_within,
        )

    @property
    def command(self) -> str:
        """Return what is done, in a word or two."""
        if self.restore is not None:
            return f"restore {self.restore}"
        return "validate" if self.validate_only else "reload"
