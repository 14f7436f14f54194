"""`aibackend watch`: reload when a source changes, for people who edit on the machine of the gateway.

It begins with a reload: whoever starts it wants the gateway to serve what the sources say, also where they
were changed before. Gate and canary are always on, and nothing is asked. What is refused is told, and tried
again when a source changes. Ctrl-C and SIGTERM end it, a reload that is under way in good order.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pytest_aibackend.deploy.canary.warm import WarmCanary
from pytest_aibackend.deploy.console import plain_console
from pytest_aibackend.deploy.pipeline import Request, run
from pytest_aibackend.deploy.report import Outcome, Report
from pytest_aibackend.deploy.service import ServiceError
from pytest_aibackend.deploy.site import Site
from pytest_aibackend.deploy.watch.console import WatchConsole, clock
from pytest_aibackend.deploy.watch.sources import SOURCES, Debounce, changed_sources, fingerprint
from pytest_aibackend.findings import Severity
from pytest_aibackend.sources.backend import load_backend

if TYPE_CHECKING:
    from pytest_aibackend.deploy.canary.client import Canary

__all__ = ["WatchOptions", "watch"]

USAGE: Final = 2
POLL_S: Final = 0.3
LEAST_POLL_S: Final = 0.05
PATIENCE: Final = 10  # times the quiet time, for a file that has vanished
LOCK_WAIT_S: Final = 600.0
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchOptions:
    """What the command line says."""

    quiet_s: float = 0.5
    live: bool = False
    as_json: bool = False
    verify_within_s: float = 60.0


def watch(config_dir: Path, options: WatchOptions) -> int:
    """Reload whenever the sources change, until told to end: 0, or 4 if that left the gateway unwell."""
    if not config_dir.is_dir():
        print(f"aibackend watch: there is no configuration directory {config_dir}", file=sys.stderr)
        print("  hint: name it with --config DIR", file=sys.stderr)
        return USAGE
    with _Ending() as ending, WarmCanary() as canary:
        return _Watch(config_dir, options, canary, ending).run()


class _Watch:
    """One watch."""

    def __init__(self, config_dir: Path, options: WatchOptions, canary: WarmCanary, ending: _Ending) -> None:
        self._config_dir = config_dir
        self._options = options
        self._canary = canary
        self._ending = ending
        self._changes = Debounce(quiet_s=options.quiet_s, patience_s=PATIENCE * options.quiet_s)
        self._is_away = False

    def run(self) -> int:
        """Watch until told to end."""
        self._introduce()
        poll_s = min(POLL_S, max(LEAST_POLL_S, self._options.quiet_s / 2))
        outcome = None
        while not self._ending.is_due(poll_s):
            before, seen = self._changes.acted_on, fingerprint(self._config_dir)
            self._tell_if_away(is_away=not any(seen))
            if self._changes.see(time.monotonic(), seen):
                self._say_what_changed(changed_sources(before, seen))
                outcome = self._reload()
                if outcome is Outcome.LOCKED:
                    self._changes.again()
        self._say(f"{clock()} ended by {self._ending.name}")
        return 4 if outcome is Outcome.UNHEALTHY else 0

    def _reload(self) -> Outcome | None:
        request = Request(
            config_dir=self._config_dir,
            assume_yes=True,
            live=self._options.live,
            as_json=self._options.as_json,
            wait_s=LOCK_WAIT_S,
            verify_within_s=self._options.verify_within_s,
        )
        report = Report(command=request.command, config=str(self._config_dir))
        show = WatchConsole(report, as_json=self._options.as_json)
        run(request, canary=self._warm_canary(), show=show)
        return report.outcome

    def _warm_canary(self) -> Canary | None:
        site = self._site()
        return None if site is None else self._canary.of(site)

    def _site(self) -> Site | None:
        """Return what gateway.yaml describes, None while that file is broken: then the gate refuses it."""
        backend = load_backend(self._config_dir)
        found = [*backend.load_findings("gateway"), *backend.schema_findings("gateway")]
        if any(finding.severity is Severity.ERROR for finding in found):
            return None
        return Site.of(backend, verify_within_s=self._options.verify_within_s, verify_completion=False)

    # -- what it says

    def _introduce(self) -> None:
        self._say(f"watching {self._config_dir}: {', '.join(SOURCES)}; Ctrl-C ends it")
        site = self._site()
        if site is None:
            return
        try:
            service = site.service
            self._say(f"gateway: {service.label}: {service.state().detail}")
        except ServiceError as error:
            self._say(f"gateway: {error}")
        if self._canary.of(site) is None:
            self._say("canary: none, LiteLLM is not installed here; the gate alone judges what is deployed")
        else:
            self._say("canary: LiteLLM is being loaded, to try each candidate before it is deployed")

    def _tell_if_away(self, *, is_away: bool) -> None:
        if is_away != self._is_away:
            where = "there is no source in" if is_away else "the sources are back in"
            self._say(f"{clock()} {where} {self._config_dir}" + ("; waiting for them" if is_away else ""))
        self._is_away = is_away

    def _say_what_changed(self, names: list[str]) -> None:
        self._say(f"{clock()} {', '.join(names)} changed" if names else f"{clock()} looking at the sources")

    def _say(self, text: str) -> None:
        if not self._options.as_json:
            plain_console().print(text)


class _Ending:
    """Notes the signals that end a watch, also those that come during a reload, which handles them itself.

    Python writes the number of each signal into a pipe, whoever handles it.
    """

    def __init__(self) -> None:
        self._number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)  # as set_wakeup_fd wants it
        for number in _ENDING:
            # Whoever started us with a signal ignored, as nohup does, wants it so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, lambda *_: None)
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)

    @property
    def name(self) -> str:
        """Return the name of the signal."""
        return signal.Signals(self._number).name

    def is_due(self, within_s: float) -> bool:
        """Wait so long for a signal; say whether one that ends the watch has come."""
        ready, _, _ = select.select([self._reader], [], [], within_s)
        received = os.read(self._reader, 4096) if ready else b""
        self._number = next((number for number in received if number in _ENDING), self._number)
        return bool(self._number)
