"""The gateway's first process: it starts LiteLLM, passes signals on, and starts it again when it fails.

    SIGHUP   reload: passed on to gunicorn, if the deployed bytes were verified or approved; else refused
    SIGUSR1  restart LiteLLM on the bytes that may be served
    SIGTERM  stop (SIGINT, SIGQUIT too)

It holds no LiteLLM and no socket, so nothing of what goes wrong there goes wrong here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pytest_aibackend.serving.choice import DEPLOYED, Choice, NothingToServeError, choose
from pytest_aibackend.serving.knock import is_refused, listening_trouble
from pytest_aibackend.serving.launch import command_of, environment_of
from pytest_aibackend.serving.notify import Notifier
from pytest_aibackend.serving.settings import Settings
from pytest_aibackend.serving.state import (
    GatewayNote,
    StateDir,
    WorkerNote,
    WorkerState,
    is_alive,
    process_start,
    sha256,
    write_private,
)

__all__ = ["EXIT_USAGE", "Supervisor"]

EXIT_USAGE: Final = 2
EXIT_FAILED: Final = 1
TICK_S: Final = 0.2
KNOCK_EVERY_S: Final = 1.0
REFUSED_TIMES: Final = 3  # in a row, before LiteLLM is started again
BOOT_WITHIN_S: Final = 240.0
PORT_FREE_WITHIN_S: Final = 15.0
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 30.0
_SIGNALS: Final = (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Supervisor:
    """One gateway, from its start to its end."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._state = StateDir(settings.state)
        self._notify = Notifier(environment)
        self._signals: deque[int] = deque()
        self._child: subprocess.Popen[bytes] | None = None
        self._choice: Choice | None = None
        self._was_up = False  # ever
        self._is_up = False  # since the last start
        self._must_reload = False
        self._started = 0.0
        self._knocked = 0.0
        self._refused = 0
        self._pause_s = FIRST_PAUSE_S
        self._note = GatewayNote(
            pid=os.getpid(),
            start=process_start(os.getpid()),
            master=None,
            workers=settings.workers,
            host=settings.host,
            port=settings.port,
            file=str(settings.file),
        )

    def run(self) -> int:
        """Run until told to stop; return the exit status: 0 stopped, 1 LiteLLM never came up, 2 usage."""
        for number in _SIGNALS:
            signal.signal(number, lambda received, _frame: self._signals.append(received))
        try:
            self._state.create()
            self._refuse_second()
            self._write_pidfile()
            return self._serve()
        except (_UsageError, NothingToServeError) as error:
            self._say(f"error: {error}")
            return EXIT_USAGE
        except OSError as error:
            self._say(f"error: {error.filename or self._settings.state}: {error.strerror or error}")
            return EXIT_USAGE
        finally:
            self._leave()

    # -- the loop

    def _serve(self) -> int:
        self._await_port()
        self._start()
        while True:
            while self._signals:
                number = self._signals.popleft()
                if number == signal.SIGHUP:
                    self._must_reload = True
                elif number == signal.SIGUSR1:
                    self._pause_s = 0.0  # somebody waits for it
                    self._restart("asked to by SIGUSR1")
                else:
                    self._stop()
                    return 0
            # gunicorn would die of a SIGHUP that reaches it before it is up.
            if self._must_reload and self._is_up:
                self._must_reload = False
                self._reload()
            if not self._look_after():
                return EXIT_FAILED
            self._notify.alive()
            time.sleep(TICK_S)

    def _look_after(self) -> bool:
        """See whether LiteLLM runs and serves, and mend it; False when there is no use in going on."""
        child = self._child
        if child is None:
            return True  # told to stop while nothing ran
        status = child.poll()
        if status is not None:
            return self._died(status)
        serving = [note for note in self._state.worker_notes() if note.master == child.pid and note.serves]
        if not self._is_up:
            if serving and any(note.state is WorkerState.READY for note in serving):
                self._came_up(max(note.groups for note in serving))
            elif len(self._failed_workers()) >= self._settings.workers:
                return self._never_came_up("no worker of it could start")
            elif time.monotonic() - self._started > BOOT_WITHIN_S:
                return self._never_came_up(f"it was not ready within {BOOT_WITHIN_S:.0f} s")
            return True
        if time.monotonic() - self._knocked > KNOCK_EVERY_S:
            self._knocked = time.monotonic()
            self._refused = (
                self._refused + 1
                if is_refused(self._settings.host, self._settings.port) or not serving
                else 0
            )
            if self._refused >= REFUSED_TIMES:
                where = f"{self._settings.host}:{self._settings.port}"
                self._restart(
                    f"{where} refuses connections" if serving else "no worker of it serves any more"
                )
        return True

    def _failed_workers(self) -> list[WorkerNote]:
        """Return the workers of this start that could not start; gunicorn tries for ever."""
        child = self._child
        return [note for note in self._state.failed_notes() if child is not None and note.master == child.pid]

    # -- starting and ending LiteLLM

    def _start(self) -> None:
        settings = self._settings
        self._choice = choice = choose(self._state, settings.file)
        if choice.source != DEPLOYED:
            self._say(f"{choice.reason}; starting on the last verified configuration instead")
        self._state.clear_dead_workers(failed_too=True)
        self._child = subprocess.Popen(
            command_of(settings, choice.path),
            stdin=subprocess.DEVNULL,
            env=environment_of(settings, self._environment),
            start_new_session=True,
        )
        self._started = time.monotonic()
        self._is_up = False
        self._refused = 0
        self._tell(master=self._child.pid, refused_sha256=choice.refused_sha256, refused_reason=choice.reason)
        self._notify.status("LiteLLM is starting")

    def _came_up(self, groups: int) -> None:
        self._is_up = self._was_up = True
        self._pause_s = FIRST_PAUSE_S
        if self._settings.pidfile is not None:
            self._write_pidfile()
        self._adopt(groups)
        seconds = time.monotonic() - self._started
        self._say(f"LiteLLM is ready after {seconds:.1f} s")
        self._notify.ready(f"serving {self._settings.host}:{self._settings.port}")

    def _adopt(self, groups: int) -> None:
        """Keep what the gateway started on as verified, if nothing is kept yet or it was approved."""
        choice = self._choice
        assert choice is not None
        verified = self._state.verified()
        is_new = verified is None or choice.sha256 == self._state.approved() != verified.sha256
        if choice.source != DEPLOYED or not is_new or groups == 0:
            return
        raw = choice.path.read_bytes()
        if sha256(raw) == choice.sha256:
            self._state.keep_verified(raw, by="gateway")

    def _died(self, status: int) -> bool:
        how = f"was killed by {_signal_name(-status)}" if status < 0 else f"ended with status {status}"
        self._end_child()  # its workers may have outlived it, and hold the port
        if self._is_up:
            self._wait_and_start(f"LiteLLM {how}")
            return True
        return self._never_came_up(f"it {how}")

    def _never_came_up(self, why: str) -> bool:
        """Try the verified bytes where the approved ones do not start; else give up, or try again later."""
        choice = self._choice
        assert choice is not None
        self._end_child()
        failed = self._state.failed_notes()
        why = failed[-1].reason if failed else why
        verified = self._state.verified()
        if verified is not None and choice.sha256 != verified.sha256:
            if self._state.approved() == choice.sha256:
                self._state.note_unstartable(choice.sha256)
            self._wait_and_start(f"LiteLLM does not start on {choice.path}: {why}")
            return True
        if not self._was_up:
            self._say(f"error: LiteLLM does not start on {choice.path}: {why}")
            return False
        self._wait_and_start(f"LiteLLM does not start: {why}")
        return True

    def _wait_and_start(self, trouble: str) -> None:
        """Start LiteLLM again after a pause, however often it takes, unless told to stop."""
        while True:
            self._is_up = False
            pause = f" in {self._pause_s:.0f} s" if self._pause_s else ""
            self._say(f"{trouble}; starting it again{pause}")
            self._tell(master=None, restarts=self._note.restarts + 1, last_trouble=trouble)
            until = time.monotonic() + self._pause_s
            self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            while time.monotonic() < until:
                if self._is_told_to_stop():
                    return
                self._notify.alive()
                time.sleep(TICK_S)
            try:
                self._await_port()
                self._start()
            except (_UsageError, NothingToServeError, OSError) as error:
                trouble = str(error)
            else:
                return

    def _is_told_to_stop(self) -> bool:
        return any(number not in (signal.SIGHUP, signal.SIGUSR1) for number in self._signals)

    def _restart(self, why: str) -> None:
        self._end_child()
        self._wait_and_start(f"restarting LiteLLM: {why}")

    def _reload(self) -> None:
        choice = self._safe_choice()
        self._notify.reloading()
        if choice is None or choice.source != DEPLOYED:
            reason = choice.reason if choice else "there is nothing to serve"
            self._say(f"reload REFUSED: {reason}; the gateway keeps serving the last verified configuration")
            self._tell(refused_sha256=choice.refused_sha256 if choice else "", refused_reason=reason)
            self._notify.ready(f"reload refused: {reason}")
            return
        self._say(f"reloading {choice.path} (SHA-256 {choice.sha256[:12]})")
        self._choice = choice
        self._tell(refused_sha256="", refused_reason="")
        self._state.clear_dead_workers(failed_too=True)
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGHUP)
        self._notify.ready(f"serving {self._settings.host}:{self._settings.port}")

    def _safe_choice(self) -> Choice | None:
        try:
            return choose(self._state, self._settings.file)
        except NothingToServeError as error:
            self._say(str(error))
            return None

    def _stop(self) -> None:
        self._say("stopping")
        self._tell(stopping=True)
        self._notify.stopping()
        self._end_child(self._settings.grace_s + 10)

    def _end_child(self, within_s: float = 10.0) -> None:
        """End LiteLLM and all its workers: in good order within `within_s` seconds, then at once."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # The master tells its workers itself; without one, they have to be told.
            child.terminate() if child.poll() is None else os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + within_s
        while self._runs_of(child) and time.monotonic() < deadline:
            self._notify.alive()
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def _runs_of(self, child: subprocess.Popen[bytes]) -> bool:
        return child.poll() is None or any(n.master == child.pid for n in self._state.worker_notes())

    # -- around it

    def _await_port(self) -> None:
        """Wait until the port is free: LiteLLM would take another one (proxy_cli.py, port 4000) or fail."""
        host, port = self._settings.host, self._settings.port
        deadline = time.monotonic() + PORT_FREE_WITHIN_S
        while (trouble := listening_trouble(host, port)) is not None:
            if time.monotonic() > deadline or self._is_told_to_stop():
                raise _UsageError(
                    f"{host}:{port} cannot be listened on: {trouble}\n"
                    "  hint: see who has it with `aibackend ports`, or correct deploy.url"
                )
            self._notify.alive()
            time.sleep(TICK_S)

    def _refuse_second(self) -> None:
        note = self._state.gateway_note()
        if note is not None and note.pid != os.getpid() and is_alive(note.pid, note.start):
            raise _UsageError(
                f"this gateway runs already, as process {note.pid}\n"
                f"  hint: kill -TERM {note.pid}, or give this one another deploy.state_dir"
            )

    def _write_pidfile(self) -> None:
        if self._settings.pidfile is not None:
            self._settings.pidfile.parent.mkdir(parents=True, exist_ok=True)
            write_private(self._settings.pidfile, f"{os.getpid()}\n".encode())

    def _tell(self, **changes: object) -> None:
        self._note = replace(self._note, **changes)  # type: ignore[arg-type]  # names are ours
        try:
            self._state.note_gateway(self._note)
        except OSError as error:
            self._say(f"the note of this gateway cannot be written: {error.strerror}")

    def _leave(self) -> None:
        self._end_child()
        note = self._state.gateway_note()
        if note is None or note.pid == os.getpid():
            with contextlib.suppress(OSError):
                self._state.forget_gateway()
                self._state.clear_dead_workers(failed_too=False)
            if self._settings.pidfile is not None:
                with contextlib.suppress(OSError):
                    if self._settings.pidfile.read_text().strip() == str(os.getpid()):
                        self._settings.pidfile.unlink()

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            print(f"aibackend serve: {text}", file=sys.stderr, flush=True)


class _UsageError(Exception):
    """The gateway cannot be run like this; the text says why and what to do."""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
