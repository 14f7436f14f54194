"""`aibackend check`: the eleven checks through pytest, in a directory that needs nothing of pytest's own."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["checks_directory", "run_checks"]

# pytest's exit codes in our words: 4 is wrong usage, 5 is nothing checked.
_EXIT: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 2, 5: 2}


def checks_directory() -> Path:
    """Return where the validator is: inside an installed wheel, or at the top of a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "checks"
    return installed if installed.is_dir() else package.parent / "checks"


def run_checks(
    config_dir: Path,
    *,
    as_json: bool,
    critical: bool,
    live: bool,
    extra: list[str],
    generated: Path | None = None,
) -> int:
    """Run the checks; return 0 passed or warned, 1 failed, 2 wrong usage, 3 a bug of ours."""
    if not config_dir.is_dir():
        print(
            f"aibackend: there is no configuration directory {config_dir}; name it with --config DIR",
            file=sys.stderr,
        )
        return 2
    import pytest

    recorder = _Recorder()
    # The user's own pytest settings are for the user's own tests: none of them is read here.
    arguments = [
        str(checks_directory()),
        f"--aibackend-config={config_dir}",
        f"--rootdir={checks_directory()}",
        f"--config-file={checks_directory() / 'standalone.ini'}",
        "-p", "no:cacheprovider",
        *(["--critical"] if critical else []),
        *(["--live"] if live else []),
        *([f"--aibackend-generated={generated}"] if generated else []),
        *extra,
    ]  # fmt: skip
    if not as_json:
        return _EXIT.get(int(pytest.main(["--no-header", "--quiet", *arguments], plugins=[recorder])), 3)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = int(pytest.main(arguments, plugins=[recorder]))
    if recorder.document is None or status == 3:
        print(said.getvalue(), file=sys.stderr)
    if recorder.document is not None:
        print(json.dumps(recorder.document, indent=2, ensure_ascii=False))
    return _EXIT.get(status, 3)


class _Recorder:
    """Takes the document out of the run."""

    def __init__(self) -> None:
        self.document: dict[str, Any] | None = None

    def pytest_unconfigure(self, config: Any) -> None:
        from pytest_aibackend.plugin import KEY

        if KEY in config.stash and config.stash[KEY].has_results:
            self.document = config.stash[KEY].document()
