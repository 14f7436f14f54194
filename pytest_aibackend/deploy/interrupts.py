"""Signals during a run: before anything is touched they end it, later they make it undo what it did.

Ctrl-C and SIGTERM are raised where the run stands, as `Interrupted`. A terminal that goes away (SIGHUP) ends
a run that has touched nothing; once the swap has begun, the run goes on to its end without the terminal.
While a run undoes what it did, nothing interrupts it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self

__all__ = ["Interrupted", "Interrupts"]

_CAUGHT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Interrupted(BaseException):
    """A signal came; like KeyboardInterrupt, nothing but the run itself should catch it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.number = number


class Interrupts:
    """Catches the signals while it is entered; in another thread than the main one it does nothing."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, _Handler] = {}
        self._ignored: frozenset[int] = frozenset()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _CAUGHT:
                # Whoever started us with a signal ignored, as nohup does, wants it so.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._raise)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def without_terminal(self) -> None:
        """Go on when the terminal goes away: the swap begins."""
        self._ignored = frozenset({signal.SIGHUP})

    def ignore_all(self) -> None:
        """Let nothing interrupt from here on: what was done is being undone, or tidied up."""
        self._ignored = frozenset(_CAUGHT)

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        if number not in self._ignored:
            self.ignore_all()  # one is enough: what is done about it must not be interrupted itself
            raise Interrupted(number)
