"""The reload from beginning to end: lock, recover, candidate, gate, canary, difference, question, commit.

Until `commit` begins nothing is touched but the state directory. Exit codes (a contract): 0 deployed,
unchanged or valid; 1 refused, or declined by the person who was asked; 2 wrong usage or environment, or a
bug of ours, nothing touched; 3 rolled back; 4 rolled back and still not healthy; 5 locked by another run.
Interrupted before anything was touched: 128 and the number of the signal.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_aibackend.deploy.admission import Admission
from pytest_aibackend.deploy.candidate import generate_candidate, restore_candidate, show_difference
from pytest_aibackend.deploy.console import Console
from pytest_aibackend.deploy.ending import ending, in_words, note_in_history
from pytest_aibackend.deploy.interrupts import Interrupts
from pytest_aibackend.deploy.journal import Action, Journal, Reached
from pytest_aibackend.deploy.lock import LockedError, Owner, exclusive
from pytest_aibackend.deploy.report import Outcome, Report, StopRun
from pytest_aibackend.deploy.request import Request
from pytest_aibackend.deploy.site import Site
from pytest_aibackend.deploy.staging import clear_staging
from pytest_aibackend.deploy.swap import read_deployed
from pytest_aibackend.deploy.transaction import Settled, commit, confirm, settle
from pytest_aibackend.serving.state import sha256
from pytest_aibackend.sources.backend import load_backend
from pytest_aibackend.sources.backups import is_restorable
from pytest_aibackend.sources.secrets import redact_text

if TYPE_CHECKING:
    from pytest_aibackend.deploy.canary.client import Canary

__all__ = ["Request", "run"]


def run(request: Request, *, canary: Canary | None = None, show: Console | None = None) -> int:
    """Reload, and return the exit code.

    `canary` is a warm one, which is left open; `show` a console of the caller's, with the report to fill.
    """
    if show is None:
        report = Report(command=request.command, config=str(request.config_dir))
        show = Console(report, as_json=request.as_json)
    report = show.report
    with Interrupts() as interrupts:
        with ending(show):
            site = _site(request)
            report.target = str(site.target)
            _run_alone(request, site, show, interrupts, canary=canary)
        interrupts.ignore_all()
        show.finish()
    assert report.exit is not None
    return report.exit


def _run_alone(
    request: Request, site: Site, show: Console, interrupts: Interrupts, *, canary: Canary | None
) -> None:
    began = dt.datetime.now(dt.UTC)
    lock = site.state.path / "lock"
    try:
        with exclusive(
            lock, request.command, wait_s=request.wait_s, tell=_every_ten_seconds(show.say)
        ) as dead:
            with ending(show):
                _Run(request, site, show, interrupts, canary).go(dead)
            interrupts.ignore_all()
            clear_staging(site.state)
            note_in_history(site, show, began, rotate=True)
    except LockedError as error:
        show.report.end(Outcome.LOCKED, str(error))
        note_in_history(site, show, began, rotate=False)
        raise StopRun(Outcome.LOCKED, str(error), "wait for it, or use --wait SECONDS") from error


class _Run:
    """One run that holds the lock."""

    def __init__(
        self, request: Request, site: Site, show: Console, interrupts: Interrupts, canary: Canary | None
    ) -> None:
        self._request = request
        self._site = site
        self._show = show
        self._report = show.report
        self._interrupts = interrupts
        self._admission = Admission(request=request, site=site, show=show, warm_canary=canary)
        self._journal = Journal(site.state.path)

    def go(self, dead: Owner | None) -> None:
        """Do all of it; note in the report how it ended."""
        if dead is not None:
            self._show.note(f"took over the lock of {dead.describe()}: it has ended")
        self._recover()
        clear_staging(self._site.state)
        before = read_deployed(self._site.target)
        candidate = self._make_candidate()
        self._report.old_sha256 = None if before is None else sha256(before)
        self._report.new_sha256 = sha256(candidate)
        self._admission.pass_gate(candidate)
        if before == candidate and not self._is_wanted_anyway(candidate):
            if self._request.validate_only and self._request.canary:
                self._admission.pass_canary(candidate)  # asked for in so many words
            self._leave_unchanged(candidate)
            return
        old = self._old_bytes(before, candidate)
        has_cache = self._admission.has_cache(candidate, old)
        self._admission.pass_canary(candidate)
        show_difference(self._site, old, candidate, self._show)
        if self._request.validate_only:
            self._report.end(Outcome.VALID)
            self._show.say("valid: nothing was touched")
        else:
            self._admission.ask()
            self._deploy(candidate, before, old, with_cache=has_cache)

    # -- what an earlier run left

    def _recover(self) -> None:
        try:
            entry = self._journal.load()
        except ValueError as error:
            self._show.note(f"{error}; it is put aside, and what an earlier run did is left as it is")
            self._journal.forget()
            return
        if entry is None:
            self._journal.clear_copies()
            return
        if self._request.validate_only:
            self._show.note(f"{entry.describe()}; the next reload will finish or undo it")
            return
        there = replace(self._site, target=Path(entry.target))
        settled = settle(there, self._journal, entry, self._show)
        self._report.recovered.append(f"{entry.describe()}; {settled.text}")
        self._show.note(self._report.recovered[-1])

    # -- before anything is touched

    def _make_candidate(self) -> bytes:
        name = self._request.restore
        if name is not None:
            return restore_candidate(self._site, name, self._show)
        return generate_candidate(self._site, self._show)

    def _is_wanted_anyway(self, candidate: bytes) -> bool:
        """Say whether there is something to do although the candidate is deployed already."""
        if self._request.validate_only:
            return False
        return self._site.service.can_signal and self._site.is_served(candidate) is False

    def _leave_unchanged(self, candidate: bytes) -> None:
        if self._request.validate_only:
            self._report.end(Outcome.VALID)
            self._show.say("valid: nothing would change")
            return
        confirm(self._site, self._show, candidate)
        self._report.end(Outcome.UNCHANGED)
        self._show.say("unchanged: nothing to do")

    def _old_bytes(self, before: bytes | None, candidate: bytes) -> bytes | None:
        """Return what to go back to: what is deployed.

        Where that is the candidate already, or nothing a gateway could serve, it is what was verified last.
        """
        if before is not None and before != candidate and is_restorable(before):
            return before
        return self._site.verified_bytes() or before

    # -- touching things

    def _deploy(self, candidate: bytes, before: bytes | None, old: bytes | None, *, with_cache: bool) -> None:
        _ = self._site.service  # a service that cannot be named stops the run here
        try:
            commit(
                self._site,
                self._journal,
                self._show,
                self._interrupts,
                candidate=candidate,
                before=before,
                old=old,
                with_cache=with_cache,
            )
        except BaseException as error:  # noqa: BLE001 # whatever it is, what was done must be undone
            self._interrupts.ignore_all()
            self._undo(error)
            return
        self._report.end(Outcome.DEPLOYED)
        self._show.say("deployed")

    def _undo(self, error: BaseException) -> None:
        entry = self._journal.entry
        if entry is None:
            self._journal.clear_copies()
            raise error
        why = ""
        if entry.reached >= Reached.SWAPPED:
            why = in_words(error)
            self._show.error(why)
        try:
            settled = settle(self._site, self._journal, entry, self._show)
        except Exception as second:  # noqa: BLE001 # the first error must not be lost over it
            why, also = why or in_words(error), in_words(second)
            with contextlib.suppress(OSError, AssertionError):
                self._journal.note_trouble(redact_text(also))
            self._report.end(Outcome.UNHEALTHY, f"{why}; and rolling back failed: {also}")
            self._show.error(f"rolling back failed: {also}", "mend that, then run `aibackend reload` again")
            return
        if settled.action is Action.NOTHING:
            raise error
        self._end_undone(why or in_words(error), settled)

    def _end_undone(self, why: str, settled: Settled) -> None:
        if settled.action is Action.FINISH:
            self._report.end(Outcome.DEPLOYED, why)
            self._show.note(settled.text)
        elif settled.is_healthy and settled.action is not Action.KEEP:
            self._report.end(Outcome.ROLLED_BACK, f"{why}; {settled.text}")
            self._show.error(f"rolled back: {settled.text}")
        else:
            self._report.end(Outcome.UNHEALTHY, f"{why}; {settled.text}")
            self._show.error(settled.text, "look into the gateway's log, and start it again by hand")


def _site(request: Request) -> Site:
    if not request.config_dir.is_dir():
        text = f"there is no configuration directory {request.config_dir}"
        raise StopRun(Outcome.UNUSABLE, text, "name it with --config DIR")
    backend = load_backend(request.config_dir)
    broken = [*backend.load_findings("gateway"), *backend.schema_findings("gateway")]
    if request.restore is not None and broken:
        reason = f"{broken[0]}; where the gateway's file is deployed cannot be known"
        raise StopRun(Outcome.UNUSABLE, reason, broken[0].hint)
    site = Site.of(
        backend, verify_within_s=request.verify_within_s, verify_completion=request.verify_completion
    )
    try:
        site.state.create()
    except OSError as error:
        raise StopRun(
            Outcome.UNUSABLE,
            f"the state directory {site.state.path} cannot be used: {error.strerror}",
            "run this as the user that deploys, or correct deploy.state_dir in gateway.yaml",
        ) from error
    return site


def _every_ten_seconds(say: Callable[[str], None]) -> Callable[[str], None]:
    said = -math.inf

    def tell(text: str) -> None:
        nonlocal said
        if time.monotonic() - said >= 10:
            said = time.monotonic()
            say(text)

    return tell
