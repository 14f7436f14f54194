"""The environment that a unit would give its process. Nothing of it is ever printed."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pytest_aibackend.deploy.service.environment_file import parse_environment_file
from pytest_aibackend.deploy.service.process import clean_environment
from pytest_aibackend.deploy.service.systemctl import Systemctl

__all__ = ["split_shown", "unit_environment"]

_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:([0-7]{3})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_CONTROLS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SHOWN_FILE: Final = re.compile(r"(?P<path>.*) \(ignore_errors=(?P<optional>yes|no)\)")


def unit_environment(systemctl: Systemctl, *, user: bool) -> dict[str, str] | None:
    """Return what the unit's process would get; None where a file it needs cannot be read.

    Raises ServiceError when systemd cannot be asked.
    """
    environment: dict[str, str] = {}
    if user:  # services of a user inherit all that the user's manager has
        environment.update(
            _pairs(_unquote_line(line) for line in systemctl.run("show-environment").splitlines())
        )
    environment.update(_pairs(split_shown(systemctl.show_value("Environment"))))
    for line in systemctl.show_value("EnvironmentFiles").splitlines():
        shown = _SHOWN_FILE.fullmatch(line)
        read = _read_files(shown["path"], optional=shown["optional"] == "yes") if shown else None
        if read is None:
            return None
        environment.update(read)
    return clean_environment(environment)


def split_shown(text: str) -> list[str]:
    """Return the assignments that `systemctl show --property Environment` prints on one line."""
    return [_unescape(match[1]) if match[1] is not None else match[2] for match in _WORD.finditer(text)]


def _unquote_line(line: str) -> str:
    """Undo the quotes in which `systemctl show-environment` puts a value for a shell."""
    name, _, value = line.partition("=")
    quoted = value.startswith("$'") and value.endswith("'")
    return f"{name}={_unescape(value[2:-1])}" if quoted else line


def _pairs(assignments: Iterable[str]) -> Iterator[tuple[str, str]]:
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if equals:
            yield name, value


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        octal, hexadecimal, plain = match.groups()
        if plain is not None:
            return _CONTROLS.get(plain, plain)
        return chr(int(octal, 8) if octal else int(hexadecimal, 16))

    return _ESCAPE.sub(one, text)


def _read_files(pattern: str, *, optional: bool) -> dict[str, str] | None:
    """Return what a file, or every file of a pattern, holds; None where one that is needed cannot be read."""
    paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 # it is absolute
    if not paths and not optional:
        return None
    found: dict[str, str] = {}
    for path in paths:
        try:
            found.update(parse_environment_file(Path(path).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            if not optional:
                return None
    return found
