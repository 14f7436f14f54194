#!/usr/bin/env python3
"""Look for secrets in files, or in all that git tracks; `.secrets.baseline` lists those that are none.

`detect-secrets scan --baseline .secrets.baseline` brings the list up to date, `detect-secrets audit` asks
about each. Lines that moved are no news here: a secret is known by its file and its hash.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

from detect_secrets.core import baseline
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.exceptions import UnableToReadBaselineError

BASELINE: Final = ".secrets.baseline"
HINT: Final = (
    "hint: take it out, and change it where it is in use: what was committed once stays in the history; if it"
    f" is none, `detect-secrets scan --baseline {BASELINE}` and `detect-secrets audit {BASELINE}`"
)


def main() -> int:
    """Return 0 when there is no secret, 1 when there is one, 2 when the baseline cannot be read."""
    parser = argparse.ArgumentParser(description="Look for secrets that the baseline does not know.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: every file that git tracks")
    asked = parser.parse_args().files
    try:
        known = baseline.load(baseline.load_from_file(BASELINE), filename=BASELINE)
    except (UnableToReadBaselineError, KeyError) as error:
        print(f"{BASELINE} cannot be read: {error.__cause__ or error}", file=sys.stderr)
        return 2
    files = [name for name in asked or tracked() if Path(name).is_file()]
    found = SecretsCollection()
    found.scan_files(*files)
    new = found - known
    for filename, secret in sorted(new, key=lambda pair: (pair[0], pair[1].line_number)):
        print(f"{filename}:{secret.line_number}:1: error: new secret: {secret.type}")
    if new:
        print(HINT)
        return 1
    print(f"no new secret, looked at: {len(files)}; known to look like one: {len(list(known))}")
    return 0


def tracked() -> list[str]:
    """Return the files that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name]


if __name__ == "__main__":
    sys.exit(main())
