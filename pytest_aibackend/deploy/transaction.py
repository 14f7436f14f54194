"""The part of a reload that touches things: back up, swap, signal, verify, or undo all of it.

The undo is written into the journal before the act. A run that fails, one that is interrupted and one that
was killed are undone by the same code: `settle` looks at the journal and at what is deployed, and does what
`plan_recovery` says.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pytest_aibackend.deploy.backups.files import make_backup, rotate
from pytest_aibackend.deploy.console import Console
from pytest_aibackend.deploy.interrupts import Interrupts
from pytest_aibackend.deploy.journal import Action, Entry, Journal, Reached, plan_recovery
from pytest_aibackend.deploy.service import ServiceError
from pytest_aibackend.deploy.site import Site, master_key
from pytest_aibackend.deploy.swap import (
    SwapError,
    clear_half_written,
    read_deployed,
    remove_deployed,
    swap_in,
)
from pytest_aibackend.serving.state import sha256, write_private
from pytest_aibackend.sources.backups import is_restorable

if TYPE_CHECKING:
    from pytest_aibackend.deploy.verify import Verification

__all__ = ["Failed", "Settled", "commit", "confirm", "settle"]


REPLACED: Final = "replaced.yaml"


class Failed(Exception):  # noqa: N818 # the candidate failed, not we
    """The candidate is in place and the gateway does not serve it; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What became of a run that did not end well."""

    action: Action
    is_healthy: bool
    text: str  # what was done, in a sentence


def commit(
    site: Site,
    journal: Journal,
    show: Console,
    interrupts: Interrupts,
    *,
    candidate: bytes,
    before: bytes | None,
    old: bytes | None,
    with_cache: bool = True,
) -> None:
    """Put the candidate in place and have the gateway serve it; the journal is empty when this returns.

    `before` is what is deployed, `old` what to return to; `with_cache`, its cache has to answer. Raises
    Failed when the gateway does not serve the candidate; then, and whatever else is raised, `settle` undoes
    what was done.
    """
    approved = site.state.approved()
    journal.begin(target=site.target, before=before, old=old, new=candidate, approved_before=approved)
    _back_up(site, journal, show, old)
    if before is not None and before != candidate and not is_restorable(before):
        # As a backup it would be found to be broken ever after; thrown away it may be missed.
        write_private(site.state.path / REPLACED, before)
        show.note(
            f"what was deployed is no gateway configuration; it is kept as {site.state.path / REPLACED}"
        )
    site.state.approve(sha256(candidate))
    interrupts.without_terminal()
    with show.step("swap") as step:
        if before == candidate:
            step.skipped(f"{site.target} is the candidate already")
        else:
            swap_in(site.target, candidate)
            step.passed(str(site.target))
    journal.reach(Reached.SWAPPED)
    if not _signal(site, show, journal):
        # The approval stays: at its next start the gateway may load these bytes.
        interrupts.ignore_all()
        journal.forget()
        return
    seen = _verify(site, show, candidate, with_cache=with_cache)
    if not seen.ok:
        raise Failed(f"the gateway does not serve the candidate: {'; '.join(seen.reasons)}")
    interrupts.ignore_all()
    journal.reach(Reached.VERIFIED)
    _keep(site, candidate)
    journal.forget()


def confirm(site: Site, show: Console, candidate: bytes) -> None:
    """Keep as verified what is deployed and served already, if nobody has verified it yet."""
    noted = site.state.verified()
    is_known = noted is not None and noted.sha256 == sha256(candidate)
    if not is_known and site.is_served(candidate) and _verify(site, show, candidate).ok:
        _keep(site, candidate)


def settle(site: Site, journal: Journal, entry: Entry, show: Console) -> Settled:
    """Undo what a run did that did not end well, or finish it; the journal is empty when this returns.

    Raises SwapError when the old bytes cannot be put back; the journal is kept then.
    """
    with contextlib.suppress(OSError):  # the undo is what counts
        clear_half_written(site.target)
    deployed = read_deployed(site.target)
    action = plan_recovery(entry, None if deployed is None else sha256(deployed))
    healthy, text = True, "it had touched nothing"
    if action is Action.FINISH:
        candidate = journal.new
        if candidate is not None:
            _keep(site, candidate)
        text = "what it deployed had been verified, and stays"
    else:
        _approve_as_before(site, entry)
    if action is Action.KEEP:
        text = f"{site.target} has been changed by somebody else since; it is left as it is"
    elif action is Action.UNDO:
        text = _put_back(site, journal, entry, show)
        healthy, text = _serve_again(site, journal.old, entry, text, show)
    elif action is Action.SIGNAL:
        healthy, text = _serve_again(site, journal.old, entry, "the old configuration is in place", show)
    journal.forget()
    return Settled(action=action, is_healthy=healthy, text=text)


def _approve_as_before(site: Site, entry: Entry) -> None:
    if entry.approved_before:
        site.state.approve(entry.approved_before)
    else:
        site.state.withdraw_approval()


def _put_back(site: Site, journal: Journal, entry: Entry, show: Console) -> str:
    with show.step("undo") as step:
        if entry.old_sha256 is None:
            remove_deployed(site.target)
            step.passed(f"{site.target} removed")
            return f"{site.target} is removed, there was none before"
        old = journal.old
        if old is None:
            where = f"the backup {entry.backup} has them" if entry.backup else "see `aibackend backups list`"
            raise SwapError(
                f"the copy of the old bytes of {site.target} is damaged; {where}",
                f"aibackend backups restore {entry.backup or 'NAME'}",
            )
        swap_in(site.target, old)
        step.passed(f"{site.target} is what it was")
    return "the old configuration is back in place"


def _serve_again(site: Site, old: bytes | None, entry: Entry, text: str, show: Console) -> tuple[bool, str]:
    """Have the gateway load the old bytes: by a signal, and if that does not help by a restart."""
    expected = site.falls_back_to(old)
    had_run = entry.reached >= Reached.SIGNALLED
    troubles: list[str] = []
    for act in (_signal, _restart):
        try:
            is_told = act(site, show)
        except ServiceError as error:
            troubles.append(str(error))
            is_told = True  # it may serve the old bytes all the same: a signal that failed changed nothing
        if not is_told:
            if not had_run:
                return True, f"{text}; the gateway does not run"
            continue
        if expected is None:
            return False, f"{text}, and nothing is left for the gateway to serve"
        seen = _verify(site, show, expected)
        if seen.ok:
            return True, f"{text}, and the gateway serves it again"
        troubles.extend(seen.reasons)
    return False, f"{text}, but the gateway is not well: {'; '.join(dict.fromkeys(troubles))}"


def _back_up(site: Site, journal: Journal, show: Console, old: bytes | None) -> None:
    with show.step("backup") as step:
        if old is None:
            step.skipped("no file was deployed yet")
            return
        if journal.entry is not None and journal.entry.new_sha256 == sha256(old):
            step.skipped("what is deployed does not change")
            return
        if not is_restorable(old):
            step.skipped("what is deployed is no configuration that could be restored")
            return
        now = dt.datetime.now(dt.UTC)
        path = make_backup(old, site.backup_dir, now)
        show.report.backup = path.name
        journal.reach(Reached.BACKED_UP, backup=path.name)
        plan = rotate(site.backup_dir, site.backend.gateway.deploy.retention, now, dry_run=False)
        kept_on = [kept for kept in plan if kept.trouble]
        gone = sum(not kept.reasons and not kept.trouble for kept in plan)
        step.passed(str(path) + (f", {gone} older deleted" if gone else ""))
    for kept in kept_on:
        show.note(f"the old backup {kept.name} could not be deleted: {kept.trouble}")


def _signal(site: Site, show: Console, journal: Journal | None = None) -> bool:
    """Tell the gateway to load its file; say whether there is one to tell."""
    service = site.service
    with show.step("signal") as step:
        if not service.can_signal:
            step.skipped(f"{service.label}: whoever runs the gateway has to reload it")
            return False
        seen = service.state()
        if not seen.running:
            step.skipped(f"the gateway does not run ({seen.detail}); it loads the file at its next start")
            return False
        if journal is not None:
            journal.reach(Reached.SIGNALLED)
        service.reload()
        step.passed(service.label + (f", pid {seen.pid}" if seen.pid else ""))
    return True


def _restart(site: Site, show: Console) -> bool:
    with show.step("restart") as step:
        site.service.restart()
        step.passed(site.service.label)
    return True


def _verify(site: Site, show: Console, raw: bytes, *, with_cache: bool = False) -> Verification:
    """Ask the gateway; `with_cache`, its cache has to answer, too.

    On the way back it has not: the old configuration comes back to whatever state its cache is in.
    """
    from pytest_aibackend.deploy.verify import verify

    with show.step("verify") as step:
        seen = verify(
            url=site.backend.gateway.deploy.url,
            raw=raw,
            state=site.state,
            api_key=master_key(raw, site.environment),
            within_s=site.verify_within_s,
            completion=site.verify_completion,
            tell=step.tell,
            environment=site.environment if with_cache else None,
        )
        if seen.ok:
            workers = f"{seen.workers} worker{'s' if seen.workers != 1 else ''}"
            step.passed(
                f"{site.backend.gateway.deploy.url} serves it" + (f", {workers}" if seen.workers else "")
            )
        else:
            step.failed("; ".join(seen.reasons))
    return seen


def _keep(site: Site, candidate: bytes) -> None:
    site.state.keep_verified(candidate, by="reload")
    site.state.withdraw_approval()
