"""How the gateway is run, as `aibackend serve` hands it on to its supervisor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Settings", "parse"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the gateway is run."""

    file: Path  # the deployed file
    state: Path
    host: str
    port: int
    workers: int
    pidfile: Path | None = None
    grace_s: int = 30  # how long a stop waits for streams
    keep_alive_s: int = 75
    arguments: tuple[str, ...] = field(default=())  # more for LiteLLM's command line


def parse(arguments: Sequence[str]) -> Settings:
    """Read the command line of `python -m pytest_aibackend.serving`; exits with 2 when it is wrong."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m pytest_aibackend.serving")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pidfile", type=Path)
    parser.add_argument("--grace", type=int, default=30, dest="grace_s")
    parser.add_argument("--keep-alive", type=int, default=75, dest="keep_alive_s")
    parser.add_argument("arguments", nargs="*")
    given = vars(parser.parse_args(arguments))
    return Settings(**{**given, "arguments": tuple(given["arguments"])})
