"""A newcomer's first minute: `python -m pytest_aibackend.stack.demo examples/embedded`.

Brings the embedded stack up on a scratch copy of the configuration, runs the eleven checks live, changes a
route and reloads it under load, shows a bad change refused and a bad deployment rolled back, and takes
everything down again. Ends with 1 if anything went otherwise than it says.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pytest_aibackend.stack.commands import master_key
from pytest_aibackend.stack.load import Load, LoadPlan, under_load
from pytest_aibackend.stack.plan import read_stack_plan

__all__ = ["main"]

KEY_VARIABLE: Final = "LITELLM_MASTER_KEY"
STREAM_TOKENS: Final = 700
SETTLE_S: Final = 1.5  # of load before and after a reload
DEPLOYED, REFUSED, ROLLED_BACK = 0, 1, 3


class DemoError(Exception):
    """Something did not go as the demo says; the text says what."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo on a copy of the directory that is named; return 0 when all went as it says."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1 or not Path(given[0]).is_dir():
        print("usage: python -m pytest_aibackend.stack.demo examples/embedded", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="aibackend-demo-") as scratch:
        folder = Path(scratch) / "embedded"
        shutil.copytree(given[0], folder, ignore=shutil.ignore_patterns(".aibackend"))
        try:
            _demonstrate(folder)
        except DemoError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
    print("\nThat was all of it. Next: README.md, and docs/operations.md for a gateway of your own.")
    return 0


def _demonstrate(folder: Path) -> None:
    _say("The embedded stack: Valkey, two llama.cpp servers and LiteLLM, all real")
    _aibackend("up", folder, "--detach")
    try:
        key = os.environ.get(KEY_VARIABLE) or master_key(folder)
        assert key is not None
        os.environ[KEY_VARIABLE] = key
        _say("The eleven checks, live")
        _aibackend("check", folder, "--live")
        _show_reload(folder, key)
        _show_refusal(folder)
        _show_rollback(folder, key)
    finally:
        _say("Down again")
        _aibackend("down", folder)


def _show_reload(folder: Path, key: str) -> None:
    _say("A route changes, and the gateway reloads it under load")
    with _counted(folder, key):
        _edit(folder / "model-mappings.yaml", r"weight: 0\.7", "weight: 0.4")
        _edit(folder / "model-mappings.yaml", r"weight: 0\.3", "weight: 0.6")
        _aibackend("reload", folder, "--yes", expect=DEPLOYED)


def _show_refusal(folder: Path) -> None:
    _say("A bad change: a chain leads to a model that nobody serves; the gate refuses it")
    with _kept(folder / "model-mappings.yaml") as path:
        _edit(path, r"(chain:\n\s+- )tiny-native", r"\1tiny-nativ")
        _aibackend("reload", folder, "--yes", expect=REFUSED)


def _show_rollback(folder: Path, key: str) -> None:
    _say("A bad deployment, forced past the canary: LiteLLM does not start on it, and it is rolled back")
    with _counted(folder, key), _kept(folder / "gateway.yaml") as path:
        _edit(path, rf"os\.environ/{KEY_VARIABLE}", "os.environ/A_KEY_THAT_NOBODY_SET")
        _aibackend("reload", folder, "--yes", "--no-canary", expect=ROLLED_BACK)


@contextlib.contextmanager
def _counted(folder: Path, key: str) -> Iterator[None]:
    """Put the gateway under load, and say what came of it; raises DemoError if a request was lost."""
    gateway = read_stack_plan(folder).gateway
    plan = LoadPlan(
        url=f"http://{gateway.host}:{gateway.port}",
        key=key,
        model="tiny-balanced",
        stream_model="tiny-native",
        clients=4,
        streams=2,
        stream_tokens=STREAM_TOKENS,
    )
    with under_load(plan) as load:
        time.sleep(SETTLE_S)
        yield
        time.sleep(SETTLE_S)
    print(_bold(describe(load)))
    if load.failed:
        raise DemoError(f"a request was lost: {load.failed[0].trouble}")


def describe(load: Load) -> str:
    """Return how many requests were answered and how many failed, in a line."""
    streams = sum(each.kind == "stream" for each in load.sent)
    answered = len(load.sent) - len(load.failed)
    return (
        f"under load: {len(load.sent)} requests ({streams} of them streams), "
        f"{answered} answered, {len(load.failed)} failed"
    )


def _aibackend(command: str, folder: Path, *options: str, expect: int = 0) -> None:
    line = [sys.executable, "-m", "pytest_aibackend.cli", command, "--config", str(folder), *options]
    print(_dim(f"$ aibackend {' '.join([command, *options])}"), flush=True)
    status = subprocess.run(line, check=False, stdin=subprocess.DEVNULL).returncode
    if status != expect:
        raise DemoError(f"`aibackend {command}` ended with {status}, not {expect}")


def _edit(path: Path, pattern: str, replacement: str) -> None:
    text = path.read_text(encoding="utf-8")
    changed, count = re.subn(pattern, replacement, text)
    if not count:
        raise DemoError(f"{path.name} is not the one that the demo was made for: no {pattern!r} in it")
    path.write_text(changed, encoding="utf-8")
    for line in changed.splitlines():
        if line not in text.splitlines():
            print(f"  {path.name}: {line.strip()}")


@contextlib.contextmanager
def _kept(path: Path) -> Iterator[Path]:
    text = path.read_text(encoding="utf-8")
    try:
        yield path
    finally:
        path.write_text(text, encoding="utf-8")


def _say(text: str) -> None:
    print(f"\n{_bold('== ' + text)}", flush=True)


def _styled(code: str) -> Callable[[str], str]:
    def style(text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text

    return style


_bold = _styled("1")
_dim = _styled("2")

if __name__ == "__main__":
    sys.exit(main())
