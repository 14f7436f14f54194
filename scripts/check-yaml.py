#!/usr/bin/env python3
"""Let yamllint look at YAML files, and name those that it cannot read: it would end with a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from yamllint.config import YamlLintConfig

SETTINGS: Final = ".yamllint.yaml"
LINE_END: Final = b"\n"


def main() -> int:
    """Return 0 when yamllint is content, 1 when it is not or cannot read a file, 2 when there is none."""
    settings = YamlLintConfig(file=SETTINGS)
    names = [name for name in sys.argv[1:] if not settings.is_file_ignored(name)]
    if not names:
        print("check-yaml.py: no YAML file is named", file=sys.stderr)
        return 2
    troubles = {name: trouble for name in names if (trouble := unread(Path(name)))}
    for name, trouble in troubles.items():
        print(f"{name.encode(errors='backslashreplace').decode()}:{trouble}", flush=True)
    readable = [name for name in names if name not in troubles]
    command = [sys.executable, "-m", "yamllint", "--strict", "--config-file", SETTINGS, "--", *readable]
    bad = bool(readable) and subprocess.run(command, check=False).returncode != 0
    return int(bad or bool(troubles))


def unread(path: Path) -> str | None:
    """Return where and why yamllint could not read a file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"1:1: error: {error.strerror}: restore it, or `git rm` it"
    try:
        content.decode()
        place, reason = content.find(b"\0"), "YAML allows no U+0000: remove it"
    except UnicodeDecodeError as error:
        place, reason = error.start, "the file is not UTF-8: save it as UTF-8"
    return None if place < 0 else f"{content.count(LINE_END, 0, place) + 1}:1: error: {reason}"


if __name__ == "__main__":
    sys.exit(main())
