#!/usr/bin/env python3
"""Install a wheel in an empty environment on every supported Python that is here, and run it on config/.

RELEASE_TAG, where it is set, has to be `v` and the version of the wheel, and CHANGELOG.md to have a section
for it: a tag publishes no other version, and none that nobody can read about.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COMMANDS: Final = (
    ("aibackend", "--version"),
    ("aibackend", "check", "-q"),
    ("aibackend", "lint", "config/litellm-unified.yaml"),
)


class TrialError(Exception):
    """Something did not work; the text says what, and what it printed."""


def main() -> int:
    """Return 0 when it works on every Python found, 1 when not or none is found, 2 for wrong usage."""
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".whl"):
        print("usage: try-wheel.py FILE.whl", file=sys.stderr)
        return 2
    wheel = Path(sys.argv[1]).resolve()
    wanted = supported()
    interpreters = {version: found for version in wanted if (found := find(version))}
    try:
        version = agreed_version(wheel, os.environ.get("RELEASE_TAG"))
        for name, interpreter in interpreters.items():
            print(f"Python {name}: {attempt(wheel, version, interpreter)}", flush=True)
    except TrialError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    absent = [name for name in wanted if name not in interpreters]
    if absent:
        print(f"not tried, not here: Python {', '.join(absent)}")
    return 0 if interpreters else 1


def supported() -> list[str]:
    """Return the versions that pyproject.toml says we support, as 3.11."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = (
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", each) for each in project["classifiers"]
    )
    return [match[1] for match in found if match]


def find(version: str) -> str | None:
    """Return an interpreter of this version that starts, or None."""
    probe = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates(version):
        done = subprocess.run([candidate, "-c", probe], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


def candidates(version: str) -> Iterator[str]:
    """Yield where an interpreter of this version may be: on the PATH, or one of pyenv's."""
    for name in (f"python{version}", "python3"):
        found = shutil.which(name)
        if found:
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))


def agreed_version(wheel: Path, tag: str | None) -> str:
    """Return the version of the wheel; raises TrialError if tag or changelog disagree."""
    version = wheel.name.split("-")[1]
    if tag and tag != f"v{version}":
        raise TrialError(f"the tag is {tag}, but pytest_aibackend/__init__.py says {version}")
    if tag and f"\n## [{version}]" not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        raise TrialError(f"CHANGELOG.md has no section [{version}]")
    return version


def attempt(wheel: Path, version: str, interpreter: str) -> str:
    """Install the wheel for this interpreter and run it on the shipped configuration; raises TrialError."""
    with tempfile.TemporaryDirectory(prefix="try-wheel-") as scratch:
        place = Path(scratch)
        shutil.copytree(
            ROOT / "config", place / "config", ignore=shutil.ignore_patterns(".aibackend", "backups")
        )
        programs = place / "venv" / "bin"
        run([interpreter, "-m", "venv", str(place / "venv")], place)
        install = ["-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        run(
            [str(programs / "python"), *install, "--constraint", str(ROOT / "constraints.txt"), str(wheel)],
            place,
        )
        said = [run([str(programs / program), *rest], place) for program, *rest in COMMANDS]
    if said[0].split()[-1] != version:
        raise TrialError(f"`aibackend --version` says {said[0].strip()}, the wheel is {version}")
    return f"{version} is installed, and runs `aibackend check` and `aibackend lint`"


def run(command: list[str], place: Path) -> str:
    """Run a program in this directory as a stranger's shell would; return what it prints."""
    ours = ("PYTHON", "VIRTUAL_ENV", "GITHUB_STEP_SUMMARY")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrialError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
