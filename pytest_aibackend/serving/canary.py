"""The canary's host: it imports LiteLLM once, and forks a child for each candidate that LiteLLM is to boot.

It is run by LiteLLM's own interpreter, by its path, with the gateway's environment and one argument, the
private directory of its client. One JSON object a line, requests in and events out:

    {"do": "boot", "config": F, "port": P, "log": L, "names": [...],
     "without": ["REDIS_"]}              names: variables to be told; without: prefixes of those to forget
    {"do": "stop"}

    {"event": "ready"}, {"event": "broken", "error": "..."}
    {"event": "booting", "pid": N, "values": {name: value or null}}
    {"event": "exited", "status": 3}, {"event": "stopped"}             status: -9 for a signal

Nothing outlives its client: at the end of standard input the host ends the child, removes the directory and
goes; and when the host is killed, the child reads the end of a pipe and ends its whole process group.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

__all__ = ["Host", "main"]

NICENESS: Final = 10  # the gateway beside us comes first
POLL_S: Final = 0.02
READ_BYTES: Final = 65536


class Host:
    """Takes requests, and has one child at most."""

    def __init__(self, events: int) -> None:
        """Write events to this file descriptor."""
        self._events = events
        self._text = b""
        self._child: int | None = None

    def serve(self) -> None:
        """Do what standard input says, until it ends."""
        try:
            while (request := self._next_request()) is not None:
                if request["do"] == "boot":
                    self._boot(request)
                else:
                    self._stop()
                    self.tell(event="stopped")
        finally:
            self._stop()

    def tell(self, **event: Any) -> None:
        """Tell the client; if it is gone, standard input says so next."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._events, json.dumps(event).encode() + b"\n")

    def _next_request(self) -> dict[str, Any] | None:
        while b"\n" not in self._text:
            self._note_exit()
            ready, _, _ = select.select([0], [], [], None if self._child is None else POLL_S)
            if ready:
                read = os.read(0, READ_BYTES)
                if not read:
                    return None
                self._text += read
        line, _, self._text = self._text.partition(b"\n")
        request: dict[str, Any] = json.loads(line)
        return request

    def _boot(self, request: dict[str, Any]) -> None:
        self._stop()
        lifeline, held = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - a child is measured from its first call on
            os.close(held)
            os.close(self._events)
            _run(request, lifeline)
        os.close(lifeline)
        self._child, self._held = child, held
        values = {name: os.environ.get(name) for name in request["names"]}
        self.tell(event="booting", pid=child, values=values)

    def _note_exit(self) -> None:
        if self._child is None:
            return
        pid, status = os.waitpid(self._child, os.WNOHANG)
        if pid:
            self._forget(pid)
            self.tell(event="exited", status=os.waitstatus_to_exitcode(status))

    def _stop(self) -> None:
        if self._child is not None:
            # At once: on its way out LiteLLM would flush what it counted to Redis and to its callbacks.
            _kill_group(self._child)
            os.waitpid(self._child, 0)
            self._forget(self._child)

    def _forget(self, child: int) -> None:
        # It may have started others, in its group.
        _kill_group(child)
        os.close(self._held)
        self._child = None


def _kill_group(leader: int) -> None:
    # It may not have become a leader yet, or be gone with all its group.
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(leader, signal.SIGKILL)
            return


def _run(request: dict[str, Any], lifeline: int) -> NoReturn:
    """Be LiteLLM on one candidate, as its own command line would be."""
    status = 1
    try:
        os.setsid()
        _connect_output(request["log"])
        threading.Thread(target=_die_with_host, args=(lifeline,), daemon=True).start()
        directory = Path(request["config"]).parent
        os.chdir(directory)
        sys.path.append(str(directory))
        for name in [name for name in os.environ if name.startswith(tuple(request["without"]))]:
            del os.environ[name]
        status = _run_litellm(request["config"], request["port"])
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  (whatever stops LiteLLM is what the client wants to read)
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _connect_output(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for given, number in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(given, number)


def _die_with_host(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)  # pragma: no cover - what ends so leaves no measurement


def _run_litellm(config: str, port: int) -> int:
    from litellm.proxy import proxy_server
    from litellm.proxy.proxy_cli import run_server

    # It would start one for an Ollama model without an address.
    proxy_server.run_ollama_serve = _start_no_ollama
    arguments = ["--config", config, "--host", "127.0.0.1", "--port", str(port)]
    arguments += ["--num_workers", "1", "--telemetry", "False"]
    run_server.main(arguments, standalone_mode=False)
    return 0


def _start_no_ollama() -> None:
    """Do nothing."""


@contextlib.contextmanager
def _leave_with_client(directory: Path) -> Iterator[None]:
    """End the process when the client goes; for the time in which nothing is read from standard input."""
    done = threading.Event()

    def watch() -> None:
        poll = select.poll()
        poll.register(0, 0)  # nothing but the end
        while not done.is_set():
            if poll.poll(100):
                shutil.rmtree(directory, ignore_errors=True)
                os._exit(1)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()  # a process with threads must not fork


def main() -> int:
    """Import LiteLLM, say so, and serve."""
    directory = Path(sys.argv[1])
    events = os.dup(1)
    os.dup2(2, 1)  # LiteLLM prints; standard output is ours
    os.nice(NICENESS)
    here = Path(__file__).resolve().parent  # our modules are not LiteLLM's to import
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != here]
    host = Host(events)
    try:
        with _leave_with_client(directory):
            _import_litellm()
    except BaseException as error:  # noqa: BLE001  (a broken installation fails in any way)
        traceback.print_exc()
        host.tell(event="broken", error=f"{type(error).__name__}: {error}")
        return 1
    host.tell(event="ready")
    try:
        host.serve()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def _import_litellm() -> None:
    for name in ("litellm.proxy.proxy_server", "litellm.proxy.proxy_cli", "uvicorn"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the children need not look through it, nor copy it


if __name__ == "__main__":  # pragma: no branch - it is run, by its path
    sys.exit(main())
