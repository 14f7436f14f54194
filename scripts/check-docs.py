#!/usr/bin/env python3
"""Compare the pages that repeat the configuration with it: a few lines over `pytest_aibackend.pages`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

try:
    from pytest_aibackend.pages.check import check_pages
except ModuleNotFoundError:
    print("check-docs: aibackend is not installed for this Python", file=sys.stderr)
    print("  hint: `make check` once, then `. .venv/bin/activate`", file=sys.stderr)
    sys.exit(2)


def main() -> int:
    """Read the command line."""
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(
        description="Check that the pages and the memories agree with the configuration and with the rules.",
        epilog="exit status: 0 they agree; 1 they do not; 2 wrong usage",
    )
    parser.add_argument("--write", action="store_true", help="bring what is generated up to date")
    parser.add_argument(
        "--root", type=Path, default=root, metavar="DIR", help="of the pages (this repository)"
    )
    parser.add_argument("--config", type=Path, metavar="DIR", help="default: config in the root")
    options = parser.parse_args()
    return check_pages(options.root, options.config or options.root / "config", write=options.write)


if __name__ == "__main__":
    sys.exit(main())
