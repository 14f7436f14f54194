"""Runs many reloads quickly: a process that has everything imported, and forks a child for each.

`ForkedReloads` is the test's side. The child may be killed, or sent a signal, at the N-th act that touches
the file system or another process; Python itself announces these acts (`sys.addaudithook`) beforehand.
The gate is left open in the child, unless it is asked for: it is tested elsewhere and takes the most time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from tests.stack.reloading import ROOT, Deployment, environment

# What changes the state of things: a file that gets its name, a signal. The soak looks at every touch.
STEPS: Final = frozenset({"os.rename", "os.kill"})
TOUCHES: Final = STEPS | {"os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree"}
IS_SOAK: Final = bool(os.environ.get("AIBACKEND_SOAK"))


class Ended(NamedTuple):
    """A reload that has ended."""

    status: int  # negative for a signal
    document: dict[str, Any]  # empty if it was killed
    acts: int  # how many it began
    err: str


class ForkedReloads:
    """The forking process; use it as a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stack.forked_reload"],
            env=environment(),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def begin(
        self,
        site: Deployment,
        *,
        at_act: int | None = None,
        number: int = signal.SIGKILL,
        gate: bool = False,
        code: str = "",
        **request: Any,
    ) -> int:
        """Begin a reload; return its pid. At its `at_act`-th act it sends itself the signal `number`.

        `code` is run in it before, with the module `pipeline` at hand; `request` are fields of its Request.
        """
        asked = {"config": str(site.dir), "at_act": at_act, "signal": int(number), "gate": gate}
        self._write(json.dumps({**asked, "code": code, "request": request}))
        return int(self._read())

    def end(self) -> Ended:
        """Wait for it."""
        self._write("wait")
        answer = json.loads(self._read())
        document = json.loads(answer["out"]) if answer["out"] else {}
        return Ended(int(answer["status"]), document, int(answer["acts"]), str(answer["err"]))

    def reload(self, site: Deployment, **more: Any) -> Ended:
        """Begin one and wait for it."""
        self.begin(site, **more)
        return self.end()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def serve() -> None:
    """Fork a reload for each line of standard input."""
    import pytest_aibackend.deploy.verify
    import pytest_aibackend.probes.run  # noqa: F401 # imported once, for all children
    from pytest_aibackend.deploy import pipeline

    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        with TemporaryFile() as out, TemporaryFile() as err, TemporaryFile() as acts:
            pid = os.fork()
            if pid == 0:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                status = 70
                try:
                    status = reload_in_child(pipeline, asked, acts.fileno())
                    sys.stdout.flush()
                finally:
                    sys.stderr.flush()
                    os._exit(status)
            print(pid, flush=True)
            sys.stdin.readline()
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            said, trouble, counted = (
                os.pread(file.fileno(), 1_000_000, 0).decode() for file in (out, err, acts)
            )
            print(
                json.dumps({"status": status, "out": said, "err": trouble, "acts": len(counted)}), flush=True
            )


def reload_in_child(pipeline: Any, asked: dict[str, Any], acts: int) -> int:
    from pytest_aibackend.deploy import admission
    from pytest_aibackend.deploy.gate import Verdict

    verdict = Verdict(reasons=(), findings=(), warnings=0, checks=11, skipped=0)
    if not asked["gate"]:
        vars(admission)["run_gate"] = lambda *_arguments, **_more: verdict
    names: dict[str, Any] = {"pipeline": pipeline}
    exec(asked["code"], names)
    seen = 0
    running = True

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if not running:  # whoever measures what was run writes it down afterwards
            return
        is_write = event == "open" and bool(int(arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR))
        if event not in (TOUCHES if IS_SOAK else STEPS) and not (is_write and IS_SOAK):
            return
        seen += 1
        os.write(acts, b".")
        if seen == asked["at_act"]:
            os.kill(os.getpid(), asked["signal"])

    fields = {"config_dir": Path(asked["config"]), "canary": False, "as_json": True, **asked["request"]}
    request = pipeline.Request(**fields)
    sys.addaudithook(count)
    try:
        return int(pipeline.run(request, canary=names.get("canary")))
    finally:
        running = False


if __name__ == "__main__":
    serve()
