"""The startup hook of each worker: it chooses the configuration, says what the worker does, and drains it.

LiteLLM runs it through LITELLM_WORKER_STARTUP_HOOKS before it reads its configuration, and then loads what
CONFIG_FILE_PATH names (litellm 1.106.2, proxy/proxy_server.py: proxy_startup_event).

A worker that cannot start must not end with status 3: gunicorn takes that as a reason to shut everything
down (gunicorn 23, arbiter.py: WORKER_BOOT_ERROR), the workers that serve well included. It ends with 1, and
the old workers, which were told to go, go on serving until successors are ready.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import logging
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

from pytest_aibackend.serving.choice import VERIFIED, Choice, choose
from pytest_aibackend.serving.drain import Drain
from pytest_aibackend.serving.master import GENERATION_VARIABLE, end_with_parent
from pytest_aibackend.serving.state import StateDir, WorkerNote, WorkerState, process_start

__all__ = ["FILE_VARIABLE", "HOOK", "STATE_VARIABLE", "start"]

FILE_VARIABLE: Final = "AIBACKEND_GATEWAY_FILE"
STATE_VARIABLE: Final = "AIBACKEND_GATEWAY_STATE"
HOOK: Final = f"{__name__}:start"
BOOT_WITHIN_S: Final = 180.0
# A worker that is forked while LiteLLM's master runs threads may hang for ever; one that started beside it
# shows how long a start takes.
BOOT_AFTER_OTHERS_S: Final = 20.0
BOOT_TIMES: Final = 3.0

log = logging.getLogger("uvicorn.error")  # gunicorn shows it whatever LiteLLM makes of logging


def start() -> None:
    """Prepare this worker; called once in its event loop, before LiteLLM loads anything."""
    end_with_parent()  # a worker without its master would hold the port against the next one
    state = StateDir(Path(os.environ[STATE_VARIABLE]))
    choice = choose(state, Path(os.environ[FILE_VARIABLE]))
    worker = Worker(state, choice)
    worker.tell(WorkerState.STARTING)
    os.environ["CONFIG_FILE_PATH"] = str(choice.path)
    if choice.source == VERIFIED:
        # Modules that the configuration names are looked for beside it, and then on the path.
        sys.path.append(str(Path(os.environ[FILE_VARIABLE]).parent))
        log.error("aibackend: %s; serving the last verified configuration instead", choice.reason)
    worker.watch_start()
    _install(worker)


class Worker:
    """This worker: its note, and what happens when it is ready, fails or has to go."""

    def __init__(self, state: StateDir, choice: Choice) -> None:
        pid = os.getpid()
        self.state = state
        self.note = WorkerNote(
            pid=pid,
            start=process_start(pid),
            started=time.monotonic(),
            master=os.getppid(),
            generation=int(os.environ.get(GENERATION_VARIABLE, "0")),
            state=WorkerState.STARTING,
            sha256=choice.sha256,
            source=choice.source,
            reason=choice.reason,
        )
        self._is_up = threading.Event()
        self._last_error = _LastError()

    def tell(self, state: WorkerState, **changes: Any) -> None:
        """Write the note; a full disk must not end a worker that serves."""
        self.note = replace(self.note, state=state, **changes)
        try:
            self.state.note_worker(self.note)
        except OSError as error:
            log.warning("aibackend: the note of this worker cannot be written: %s", error)

    def watch_start(self) -> None:
        """See to it that a start that fails or hangs ends this process, with a status that harms no other."""
        log.addHandler(self._last_error)
        atexit.register(self._leave_unless_up)
        threading.Thread(target=self._end_hanging_start, name="aibackend-start", daemon=True).start()

    def is_up(self, server: Any) -> None:
        """Note that the worker serves; ends the process if LiteLLM only seems to have started."""
        if getattr(server.lifespan, "error_occurred", False):
            # uvicorn takes an exit during start-up for an application without start-up, and would serve
            # an empty one (uvicorn 0.54, lifespan/on.py).
            self._fail(self._last_error.text or "LiteLLM ended during its start")
        self._is_up.set()
        log.removeHandler(self._last_error)
        self.state.clear_dead_workers(failed_too=False)
        boot_s = time.monotonic() - self.note.started
        self.tell(WorkerState.READY, groups=_count_groups(), boot_s=boot_s)

    def end(self) -> None:
        """End this process, which has nothing left to do.

        uvicorn would end it with the signal that it was told to go with, for gunicorn an error to log.
        """
        self.state.forget_worker(os.getpid())
        _exit(0)

    def _leave_unless_up(self) -> None:
        if not self._is_up.is_set():
            self._fail(self._last_error.text or "it ended during its start")

    def _end_hanging_start(self) -> None:
        while not self._is_up.wait(1.0):
            limit = self._boot_limit()
            if time.monotonic() - self.note.started > limit:
                faulthandler.dump_traceback(all_threads=True)
                self._fail(f"it was not ready within {limit:.0f} s; the log says where it hangs")

    def _boot_limit(self) -> float:
        mine = self.note
        beside = [
            note.boot_s
            for note in self.state.worker_notes()
            if (note.master, note.generation) == (mine.master, mine.generation) and note.boot_s
        ]
        if not beside:
            return BOOT_WITHIN_S
        return min(BOOT_WITHIN_S, BOOT_AFTER_OTHERS_S + BOOT_TIMES * max(beside))

    def _fail(self, reason: str) -> None:
        self.tell(WorkerState.FAILED, reason=reason)
        log.error("aibackend: this worker cannot start: %s", reason)
        _exit(1)


class _LastError(logging.Handler):
    """Keeps the last line of the last error, which is the exception itself where one was logged."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        lines = [line for line in self.format(record).splitlines() if line.strip()]
        if lines and not lines[-1].startswith("Application startup failed"):
            self.text = lines[-1].strip()[:500]


def _exit(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _install(worker: Worker) -> None:
    """Make uvicorn tell us when it serves and when it has to go.

    One server runs in a worker, and it looks these methods up when it calls them (uvicorn 0.20 to 0.54).
    """
    from uvicorn.server import Server

    original_loop = Server.main_loop
    original_shutdown = Server.shutdown
    drain = Drain(worker.state, worker.tell, lambda: worker.note)

    async def main_loop(server: Any) -> None:
        worker.is_up(server)
        drain.receive(server)
        await original_loop(server)

    async def shutdown(server: Any, sockets: Any = None) -> None:
        try:
            await drain.run(server, sockets or [])
        except (OSError, AttributeError) as error:
            log.warning("aibackend: draining went wrong, falling back to a plain stop: %r", error)
        await original_shutdown(server, [])
        worker.end()

    Server.main_loop = main_loop  # type: ignore[method-assign,assignment]
    Server.shutdown = shutdown  # type: ignore[method-assign,assignment]


def _count_groups() -> int:
    """Return how many model groups LiteLLM loaded, -1 if it does not say."""
    proxy = sys.modules.get("litellm.proxy.proxy_server")
    router = getattr(proxy, "llm_router", None)
    if proxy is None or not hasattr(proxy, "llm_router"):
        return -1
    if router is None:
        return 0
    listed = getattr(router, "model_list", None) or []
    return len({str(entry.get("model_name")) for entry in listed if isinstance(entry, dict)})
