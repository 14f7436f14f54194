"""How a run ends: every error in words, the outcome in the report, a line in the history."""

from __future__ import annotations

import contextlib
import datetime as dt
import traceback
from collections.abc import Iterator

from pytest_aibackend.deploy.backups.files import BackupError
from pytest_aibackend.deploy.console import Console
from pytest_aibackend.deploy.history import History, record_of
from pytest_aibackend.deploy.interrupts import Interrupted
from pytest_aibackend.deploy.report import INTERRUPTED_BY, Outcome, StopRun
from pytest_aibackend.deploy.service import ServiceError
from pytest_aibackend.deploy.site import Site
from pytest_aibackend.deploy.swap import SwapError
from pytest_aibackend.deploy.transaction import Failed

__all__ = ["ending", "in_words", "note_in_history"]


@contextlib.contextmanager
def ending(show: Console) -> Iterator[None]:
    """Turn whatever ends a run before anything was touched into an outcome and a message."""
    report = show.report
    try:
        yield
    except StopRun as stop:
        report.end(stop.outcome, stop.reason)
        show.error(stop.reason, stop.hint)
    except Interrupted as interrupted:
        report.end(Outcome.INTERRUPTED, str(interrupted), status=INTERRUPTED_BY + interrupted.number)
        show.error(f"{interrupted}; nothing was touched")
    except SwapError as error:
        report.end(Outcome.UNUSABLE, str(error))
        show.error(str(error), error.hint)
    except Exception as error:  # noqa: BLE001 # told in words, a bug with its traceback
        report.end(Outcome.UNUSABLE, in_words(error))
        show.error(in_words(error))


def in_words(error: BaseException) -> str:
    """Return an error in words; print the traceback of one that only a bug of ours can raise."""
    if isinstance(error, (SwapError, BackupError, ServiceError, Failed, Interrupted)):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror}"
    traceback.print_exception(error)
    return f"a bug: {type(error).__name__}: {error}"


def note_in_history(site: Site, show: Console, began: dt.datetime, *, rotate: bool) -> None:
    """Append the run to the history; `rotate` only with the lock held."""
    try:
        History(site.state.path).append(record_of(show.report, began), rotate=rotate)
    except OSError as error:
        show.note(f"the history could not be written: {error.strerror}")
