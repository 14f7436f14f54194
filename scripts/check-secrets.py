#!/usr/bin/env python3
"""Look for secrets in files, or in all that git tracks; `.secrets.baseline` lists those that are none.

`detect-secrets scan --baseline .secrets.baseline` brings the list up to date, `detect-secrets audit` asks
about each. Lines that moved are no news here: a secret is known by its file and its hash.

detect-secrets reads values alone of YAML, and only files in UTF-8. What it passes over is looked at here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from detect_secrets.core import baseline
from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.core.scan import scan_line
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.exceptions import UnableToReadBaselineError
from detect_secrets.filters.heuristic import is_non_text_file
from detect_secrets.filters.regex import should_exclude_file

BASELINE: Final = ".secrets.baseline"
HINT: Final = (
    "hint: take it out, and change it where it is in use: what was committed once stays in the history; if it"
    f" is none, `detect-secrets scan --baseline {BASELINE}` and `detect-secrets audit {BASELINE}`, or"
    " `# pragma: allowlist secret` at the end of the line"
)


def main() -> int:
    """Return 0 when there is no secret, 1 when there is one, 2 when the baseline cannot be read."""
    parser = argparse.ArgumentParser(description="Look for secrets that the baseline does not know.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="default: every file that git tracks")
    asked = parser.parse_args().files
    try:
        known = baseline.load(baseline.load_from_file(BASELINE), filename=BASELINE)
    except (UnableToReadBaselineError, KeyError, TypeError, AttributeError) as error:
        print(f"{BASELINE} cannot be read: {error.__cause__ or error}", file=sys.stderr)
        return 2
    try:
        files = [name for name in asked or tracked() if Path(name).is_file()]
        found = secrets_of(files)
    except subprocess.CalledProcessError as error:
        print(f"check-secrets.py: git cannot list the files: {error.stderr.strip()}", file=sys.stderr)
        return 2
    except OSError as error:  # a file, a plugin that the baseline names, or git itself
        print(f"check-secrets.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    new = found - known
    for filename, secret in sorted(new, key=lambda pair: (pair[0], pair[1].line_number)):
        print(f"{shown(filename)}:{secret.line_number}:1: error: new secret: {secret.type}")
    if new:
        print(HINT)
    unseen = {filename for filename, secret in known if secret.is_secret is not False}
    for filename in sorted(unseen):
        print(f"{BASELINE}:1:1: error: nobody said that what it lists of {shown(filename)} is no secret")
    if unseen:
        print(f"hint: `detect-secrets audit {BASELINE}` asks; one that is a secret has to leave the file")
    if new or unseen:
        return 1
    print(f"no new secret, looked at: {len(files)}; known to look like one: {len(list(known))}")
    return 0


def secrets_of(files: list[str]) -> SecretsCollection:
    """Return what looks like a secret in these files."""
    found = SecretsCollection()
    found.scan_files(*files)
    for filename in files:
        for secret in scan_passed_over(filename):
            found[filename].add(secret)
    return found


def scan_passed_over(filename: str) -> Iterator[PotentialSecret]:
    """Yield the secrets in what detect-secrets does not read of a file."""
    if should_exclude_file(filename):
        return
    for number, text in passed_over(filename):
        for secret in scan_line(text):
            if "Entropy" not in secret.type:  # of words, which stand in no quotes, that says nothing
                yield PotentialSecret(
                    type=secret.type, filename=filename, secret=secret.secret_value or "", line_number=number
                )


def passed_over(filename: str) -> Iterator[tuple[int, str]]:
    """Yield the comments of YAML, and every line of a text in another encoding or with a picture's ending."""
    content = Path(filename).read_bytes()
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        yield from enumerate(content.decode("utf-16", errors="replace").splitlines(), start=1)
        return
    try:
        text = content.decode()
    except UnicodeDecodeError:
        if b"\0" not in content:
            yield from enumerate(content.decode("latin-1").splitlines(), start=1)
        return
    if is_non_text_file(filename):  # so its ending says: an SVG, for one, is text
        yield from enumerate(() if "\0" in text else text.splitlines(), start=1)
    elif filename.endswith((".yaml", ".yml")):
        for number, line in enumerate(text.split("\n"), start=1):
            if "#" in line:
                yield number, line[line.index("#") :]


def tracked() -> list[str]:
    """Return the files that git tracks; their names may be in any encoding."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(
        command,
        check=True,
        capture_output=True,
        encoding=sys.getfilesystemencoding(),
        errors="surrogateescape",
    )
    return [name for name in listed.stdout.split("\0") if name]


def shown(filename: str) -> str:
    """Return a file's name as any terminal takes it."""
    return filename.encode(errors="backslashreplace").decode()


if __name__ == "__main__":
    sys.exit(main())
