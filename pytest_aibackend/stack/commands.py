"""`aibackend up` and `down`: what they do, and what they tell a person.

Exit codes: 0 done, 1 failed, 2 wrong usage: a configuration that cannot be run, or the extra `stack` is not
installed.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_aibackend.stack.guard import Guard
from pytest_aibackend.stack.plan import StackPlan, StackPlanError, read_stack_plan
from pytest_aibackend.stack.state import StackBusyError, StackState, StateDir
from pytest_aibackend.stack.status import KEY_VARIABLE, where_the_key_is

if TYPE_CHECKING:
    from rich.console import Console

    from pytest_aibackend.stack.services import Service
    from pytest_aibackend.stack.supervisor import Stack

__all__ = ["down", "master_key", "up"]

DOWN_WITHIN_S = 30.0
WATCH_S = 0.3
NOTHING = "nothing is running"


def up(config_dir: Path, *, detach: bool) -> int:
    """Start the stack of `config_dir`; return when it is ready if `detach`, else when it was stopped.

    Prints its progress. Whatever goes wrong, nothing that it started keeps running.
    """
    from pytest_aibackend.stack.services import MissingExtraError, require_extra
    from pytest_aibackend.stack.supervisor import stop_signals

    out, err = _consoles()
    try:
        require_extra()
        plan = read_stack_plan(config_dir)
    except (MissingExtraError, StackPlanError) as error:
        err.print(f"error: {error}")
        return 2
    directory = StateDir(plan.config_dir)
    try:
        directory.create()
        with stop_signals() as requested, directory.locked():
            running = _clear_remains(directory, out)
            if running:
                err.print(f"error: this stack is already running: {running}")
                err.print(_hint_down(config_dir))
                return 1
            return _run(plan, directory, requested, detach=detach, out=out, err=err)
    except MissingExtraError as error:
        err.print(f"error: {error}")
        return 2
    except StackBusyError:
        err.print("error: this stack is being started, or runs in the foreground of another `aibackend up`")
        err.print(_hint_down(config_dir))
        return 1
    except OSError as error:
        err.print(f"error: {error}")
        return 1


def down(config_dir: Path) -> int:
    """Stop the stack of `config_dir`, however it was started; 0 also when there was nothing to stop."""
    import psutil

    from pytest_aibackend.stack.processes import find, wait_gone

    out, err = _consoles()
    if not config_dir.is_dir():
        err.print(f"error: {config_dir} is not a directory")
        return 2
    directory = StateDir(config_dir)
    state = directory.load()
    supervisor = find(state.supervisor) if state is not None and state.supervisor is not None else None
    try:
        with _progress(out, "stopping"):
            if supervisor is not None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    supervisor.terminate()
                # It stops its services itself; what it leaves, if it hangs, is stopped below.
                wait_gone([supervisor], DOWN_WITHIN_S)
            with directory.locked():
                told = _stop_the_rest(directory, state, supervised=supervisor is not None)
    except StackBusyError:
        err.print("error: this stack is just being started; try again in a moment")
        return 1
    out.print(told)
    return 0


def master_key(config_dir: Path) -> str | None:
    """Return the key made for the running gateway of `config_dir`; None if it came from the environment."""
    return StateDir(config_dir).read_master_key()


def _run(
    plan: StackPlan,
    directory: StateDir,
    requested: threading.Event,
    *,
    detach: bool,
    out: Console,
    err: Console,
) -> int:
    from pytest_aibackend.stack.supervisor import (
        PortTakenError,
        ServiceDiedError,
        StopRequestedError,
    )

    try:
        stack = _prepare(plan, directory)
    except PortTakenError as error:
        err.print("\n".join(f"error: {line}" for line in str(error).splitlines()))
        err.print("  hint: stop it, or give the service another port in ports.yaml and in the URLs")
        directory.forget(None)
        return 1
    for name in plan.left_out:
        out.print(f"note: provider {name} is not of type llama_cpp and is not started here")

    keep = False
    with Guard(plan.config_dir):
        try:
            with _progress(out, "starting"):
                stack.start(requested)
                stack.wait_ready(requested, lambda service, seconds: _print_ready(out, service, seconds))
            _print_up(out, plan, directory, stack.state)
            if detach:
                stack.hand_over()
                keep = True
            else:
                out.print("Ctrl-C stops it")
                while not requested.wait(WATCH_S):
                    stack.check_alive()
                out.print("stopping")
        except StopRequestedError:
            err.print("stopped before it was ready")
            return 1
        except ServiceDiedError as error:
            err.print(f"error: {error}")
            err.print("the other services are stopped")
            return 1
        finally:
            if not keep:
                stack.stop()
    return 0


def _prepare(plan: StackPlan, directory: StateDir) -> Stack:
    from pytest_aibackend.stack.gguf_model import ensure_model
    from pytest_aibackend.stack.processes import record
    from pytest_aibackend.stack.services import list_services
    from pytest_aibackend.stack.supervisor import Stack, refuse_taken_ports

    given = os.environ.get(KEY_VARIABLE)
    services = list_services(
        plan,
        directory,
        model=ensure_model(directory.models),
        key=given or directory.make_master_key(),
    )
    refuse_taken_ports([(service.name, service.host, service.port) for service in services])
    state = StackState(
        config_dir=str(plan.config_dir),
        supervisor=record(os.getpid()),
        key_from_environment=bool(given),
        pidfile=None if plan.gateway.pidfile is None else str(plan.gateway.pidfile),
        services=(),
    )
    directory.save(state)
    return Stack(directory, services, state)


def _clear_remains(directory: StateDir, out: Console) -> str:
    """Return the names of what runs already; if that is nothing, clear what an earlier stack left."""
    from pytest_aibackend.stack.processes import find, marker

    state = directory.load()
    if state is not None:
        mark = marker(directory.path)
        alive = [service.name for service in state.services if find(service.process, mark) is not None]
        if alive:
            return ", ".join(alive)
    told = _stop_the_rest(directory, state, supervised=False)
    if told != NOTHING:
        out.print(f"note: {told}")
    return ""


def _stop_the_rest(directory: StateDir, state: StackState | None, *, supervised: bool) -> str:
    """Stop what runs of the stack and forget it; return what to say about it."""
    from pytest_aibackend.stack.processes import find, marker, stop

    mark = marker(directory.path)
    records = () if state is None else state.services
    alive = [service.name for service in records if find(service.process, mark) is not None]
    stopped = stop([service.process for service in records], mark)
    directory.forget(Path(state.pidfile) if state is not None and state.pidfile else None)
    if supervised or alive:
        return f"stopped: {', '.join(service.name for service in records)}"
    if stopped:
        return f"stopped {stopped} process(es) that were left of an earlier start"
    if state is not None:
        return f"{NOTHING}; cleared the notes of a stack whose processes are gone"
    return NOTHING


def _print_ready(out: Console, service: Service, seconds: float) -> None:
    out.print(f"{service.name:<18} ready on {service.host}:{service.port} after {seconds:.1f} s")


def _print_up(out: Console, plan: StackPlan, directory: StateDir, state: StackState) -> None:
    out.print(f"gateway: http://{plan.gateway.host}:{plan.gateway.port}/v1")
    out.print(f"gateway key: {where_the_key_is(directory, state)}")
    out.print(f"logs: {directory.logs}")


def _hint_down(config_dir: Path) -> str:
    return f"  hint: aibackend down --config {config_dir}"


def _consoles() -> tuple[Console, Console]:
    from rich.console import Console

    return (
        Console(markup=False, highlight=False, emoji=False, soft_wrap=True),
        Console(markup=False, highlight=False, emoji=False, soft_wrap=True, stderr=True),
    )


@contextlib.contextmanager
def _progress(out: Console, doing: str) -> Iterator[None]:
    """Show on a terminal that something takes its time; elsewhere the lines themselves have to do."""
    if not out.is_terminal:
        yield
        return
    with out.status(f"{doing} ..."):
        yield
