#!/usr/bin/env python3
"""Look for secrets in what git tracks; those that `.secrets.baseline` lists were looked at and are none.

`detect-secrets scan --baseline .secrets.baseline` brings the list up to date, `detect-secrets audit` asks
about each. Lines that moved are no news here: a secret is known by its file and its hash.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from detect_secrets.core import baseline
from detect_secrets.core.secrets_collection import SecretsCollection

BASELINE: Final = ".secrets.baseline"
HINT: Final = (
    "hint: take it out, and change it where it is in use: what was committed once stays in the history; if it"
    f" is none, `detect-secrets scan --baseline {BASELINE}` and `detect-secrets audit {BASELINE}`"
)


def main() -> int:
    """Return 0 when there is no secret, 1 when there is one, 2 when the baseline cannot be read."""
    os.chdir(Path(__file__).resolve().parents[1] if len(sys.argv) < 2 else sys.argv[1])
    try:
        known = baseline.load(baseline.load_from_file(BASELINE), filename=BASELINE)
    except (OSError, ValueError, KeyError) as error:
        print(f"{BASELINE}: {error}", file=sys.stderr)
        return 2
    listed = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    files = [name for name in listed.split("\0") if name and name != BASELINE and Path(name).is_file()]
    found = SecretsCollection()
    found.scan_files(*files)
    new = found - known
    for filename, secret in sorted(new, key=lambda pair: (pair[0], pair[1].line_number)):
        print(f"{filename}:{secret.line_number}:1: error: new secret: {secret.type}")
    if new:
        print(HINT)
        return 1
    print(f"no new secret in {len(files)} files; {len(list(known))} lines of the baseline look like one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
