#!/usr/bin/env python3
"""Review what a branch would change: a few lines over `pytest_aibackend.review`.

A workflow hands everything over in the environment, for anybody may have written the title and the body:
PR_TITLE, PR_BODY, BASE and HEAD. The comment goes to GITHUB_STEP_SUMMARY where that is set. On a desk,
nothing has to be set: the branch is compared with main, and the message of its newest commit is both.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pytest_aibackend.review.command import ReviewOptions, review


def main() -> int:
    """Read the command line and the environment."""
    asked = os.environ
    parser = argparse.ArgumentParser(
        description="Review what a branch would change; print the body of a comment.",
        epilog="exit status: 0 nothing stops it; 1 it is stopped; 2 it cannot be looked at; 3 a bug of ours",
    )
    parser.add_argument("--base", default=asked.get("BASE") or "main", help="where it goes (BASE, else main)")
    parser.add_argument("--head", default=asked.get("HEAD") or "HEAD", help="its newest commit (HEAD)")
    parser.add_argument("--title", default=asked.get("PR_TITLE"), help="PR_TITLE, else the newest commit's")
    parser.add_argument("--body", default=asked.get("PR_BODY", ""), help="the description (PR_BODY)")
    parser.add_argument("--config", type=Path, default=Path("config"), metavar="DIR", help="default: config")
    parser.add_argument("--output", type=Path, default=asked.get("GITHUB_STEP_SUMMARY") or None, metavar="F")
    options = parser.parse_args()
    return review(ReviewOptions(**vars(options)))


if __name__ == "__main__":
    sys.exit(main())
