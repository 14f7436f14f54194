"""An event loop whose name look-ups cannot hold up anything, and room for many sockets.

asyncio resolves names in a small pool of threads: a few names whose name server is silent would block all
others, and the loop would wait for their threads at its end, long after the time budget.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

__all__ = ["room_for_sockets", "run_in_thread", "run_loop"]

T = TypeVar("T")


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop of its own. Raises RuntimeError inside a running loop."""
    with asyncio.Runner(loop_factory=_ProbeLoop) as runner:
        return runner.run(main)


async def run_in_thread(function: Any, /, *arguments: Any, **options: Any) -> Any:
    """Call a blocking function in a daemon thread: a cancelled one is left behind, never waited for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def deliver(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        result: Any = None
        trouble: BaseException | None = None
        try:
            result = function(*arguments, **options)
        except BaseException as error:  # noqa: BLE001  # handed over to whoever awaits the future
            trouble = error
        with contextlib.suppress(RuntimeError):  # the loop may have gone meanwhile
            loop.call_soon_threadsafe(deliver, result, trouble)

    threading.Thread(target=work, name="aibackend-probe", daemon=True).start()
    return await future


class _ProbeLoop(asyncio.SelectorEventLoop):
    """Resolve each host once, in a daemon thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._resolutions: dict[tuple[Any, ...], asyncio.Task[Any]] = {}

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002  # the base class calls it so
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        key = (host, port, family, type, proto, flags)
        if key not in self._resolutions:
            task = self.create_task(run_in_thread(socket.getaddrinfo, host, port, family, type, proto, flags))
            task.add_done_callback(_take_note)  # nobody may be left to ask for its exception
            self._resolutions[key] = task
        # Shielded: one asker who gives up must not take the answer from the others.
        return await asyncio.shield(self._resolutions[key])


def _take_note(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


@contextlib.contextmanager
def room_for_sockets(number: int) -> Iterator[None]:
    """Raise this process's soft limit of open files for a while, as far as its hard limit allows."""
    if sys.platform == "win32":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = number + 256
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    raised = soft != resource.RLIM_INFINITY and soft < needed
    if raised:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    try:
        yield
    finally:
        if raised:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
