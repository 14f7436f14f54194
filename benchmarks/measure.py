"""Run a program as a child: how long, how much memory, what it said."""

from __future__ import annotations

import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

COUNTED = re.compile(r"(\d+) (passed|warned|failed|skipped|blocked|error|errors)\b")
NO_OP = """import pytest

@pytest.mark.parametrize("number", range({count}))
def test_nothing(number):
    pass
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    seconds: float  # on the clock
    cpu_s: float  # of the processor: what else the machine does hardly shows in it
    peak_mib: float
    status: int
    output: str

    @property
    def tests(self) -> int:
        """How many tests have an outcome, by the last line of pytest."""
        return sum(int(number) for number, _ in COUNTED.findall(self.output.strip().rpartition("\n")[2]))


@functools.cache
def _environment() -> dict[str, str]:
    # Compiled files, as every user has them after the first run, even where writing them is turned off;
    # but not in anybody's tree.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    folder = tempfile.mkdtemp(prefix="aibackend-bench-compiled-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {**inherited, "PYTHONPYCACHEPREFIX": folder}


def run_pytest(arguments: Sequence[str], cwd: Path) -> Run:
    """Run pytest in `cwd`."""
    return run_python(["-m", "pytest", "-p", "no:cacheprovider", *arguments], cwd)


def run_python(arguments: Sequence[str], cwd: Path) -> Run:
    """Run Python in `cwd`; the time is that of the whole process, its start included."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=_environment(),
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read().decode("utf-8", "replace")
    divisor = 1024 * 1024 if sys.platform == "darwin" else 1024
    cpu_s = usage.ru_utime + usage.ru_stime
    return Run(
        seconds=seconds,
        cpu_s=cpu_s,
        peak_mib=usage.ru_maxrss / divisor,
        status=child.returncode,
        output=output,
    )


def write_no_ops(folder: Path, count: int) -> Path:
    """Write a folder with `count` tests that do nothing, and pytest settings of its own."""
    folder.mkdir(parents=True)
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_nothing.py").write_text(NO_OP.format(count=count), encoding="utf-8")
    return folder


def bare(folder: Path) -> Run:
    """Run the tests of `folder` without our plugin."""
    return run_pytest(["-p", "no:aibackend"], folder)
