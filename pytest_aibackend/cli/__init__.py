"""The command line, `aibackend`: arguments in, one call out."""

from __future__ import annotations

import argparse
import errno
import gc
import io
import os
import sys
from contextlib import suppress
from typing import Final

from pytest_aibackend import __version__
from pytest_aibackend.cli import checking, deploying, running

__all__ = ["build_parser", "main"]

# Objects, where Python has 700: what a command reads lives until it ends, and with thousands of models a
# third of the time would go into looking through it for what can be freed.
_COLLECTED_AFTER: Final = 50_000
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(argv: list[str] | None = None) -> int:
    """Run one command; return its exit status: 0 good, 1 findings, 2 wrong usage, 3 a bug of ours."""
    gc.set_threshold(_COLLECTED_AFTER)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file may have a name that is no text, and a terminal may lack letters.
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = build_parser()
    given = sys.argv[1:] if argv is None else list(argv)
    passed_on: list[str] = []
    if given[:1] == ["serve"] and "--" in given:
        given, passed_on = given[: given.index("--")], given[given.index("--") + 1 :]
    arguments, rest = parser.parse_known_args(given)
    if rest and arguments.command != "check":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        status = int(arguments.run(arguments, rest or passed_on))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`; say nothing more.
        sys.stderr.close()
        return 1
    except OSError as error:
        if error.filename is not None or error.errno not in _NO_ROOM:
            return _bug_in(arguments)
        print(f"aibackend: the output cannot be written: {error.strerror}", file=sys.stderr)
        _drop_output()
        return 2
    except Exception:  # noqa: BLE001 # a bug of ours has a status of its own
        return _bug_in(arguments)
    return status


def _bug_in(arguments: argparse.Namespace) -> int:
    """Tell the exception that is being handled; return the status that this command has for a bug."""
    from pytest_aibackend.reporting.bugs import BUG, tell_bug

    tell_bug(f"aibackend {arguments.command}", "the configuration")
    return int(getattr(arguments, "bug", BUG))


def _drop_output() -> None:
    """Send what is still to be printed nowhere, so that the end of the process does not fail on it again."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="aibackend", description="Check, generate and run the configuration of an LLM gateway."
    )
    parser.add_argument("--version", action="version", version=f"pytest-aibackend {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for subject in (checking, running, deploying):
        subject.add(commands)
    return parser
