"""What several commands share: --config, --format, and numbers that say what they should have been."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

__all__ = ["Commands", "add_config", "add_format", "count", "port", "seconds"]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 # no public name


def add_config(command: argparse.ArgumentParser) -> None:
    """Add the option that names the directory of the sources."""
    command.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")


def add_format(command: argparse.ArgumentParser, *choices: str) -> None:
    """Add the options that choose how it is printed; the first choice is the default."""
    shape = command.add_mutually_exclusive_group()
    shape.add_argument(
        "--json", action="store_const", const="json", dest="format", help="the same as --format json"
    )
    shape.add_argument("--format", choices=choices, help=f"default: {choices[0]}")
    command.set_defaults(format=choices[0])


def seconds(text: str) -> float:
    """Return a number of seconds; raises ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 86400")
    return seconds


def port(text: str) -> int:
    """Return a port; raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def count(text: str) -> int:
    """Return a number from 0 on; raises ArgumentTypeError."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return int(text)
