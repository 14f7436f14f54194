"""The oracle's host: it imports LiteLLM once, and forks a child for each config that LiteLLM is to read.

One JSON object a line, a request in and its answer out; one child at a time.

    {"do": "boot", "config": F, "port": P, "log": L, "environment": {...}}   the command line's server
    {"do": "validate", "config": F, "log": L, "environment": {...}}          the same with --validate_config
        -> {"pid": N}
    {"do": "status"} -> {"status": null while it runs, else its exit status}
    {"do": "stop"} -> {"stopped": true}

A child is the real program on the file as it is, with three differences: it starts no Ollama, it reaches
nothing but loopback addresses (what it wanted to reach is told), and it answers `/oracle/state`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import re
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import pydantic

__all__ = ["main"]

PARENT_DIED: Final = 1  # PR_SET_PDEATHSIG
LOCAL: Final = ("127.0.0.1", "localhost", "::1", "0.0.0.0")  # what may be reached
# What holds the deployments, under identities that any key of theirs changes, counts requests, or is a place.
COUNTED: Final = re.compile(
    r"model_(list|cost|names)$|^healthy_deployments$|deployment_(latency_map|names|stats)$"
    r"|_(indices|index_map)$|_calls$|_cache$|_path$|^health_check_results$|_loop_active$|_seq$"
)
SIMPLE: Final = (str, int, float, bool, type(None))


class Host:
    """Takes requests, and has one child at most."""

    def __init__(self) -> None:
        self._child: int | None = None
        self._status: int | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked and say what came of it."""
        if request["do"] in ("boot", "validate"):
            self.stop()
            parent = os.getpid()
            child = os.fork()
            if child == 0:
                _run(request, parent)
            self._child, self._status = child, None
            return {"pid": child}
        if request["do"] == "status":
            self._note_exit()
            return {"status": self._status}
        self.stop()
        return {"stopped": True}

    def stop(self) -> None:
        """End the child, if there is one, with all that it started."""
        if self._child is None:
            return
        for send in (os.killpg, os.kill):  # it may not lead a group yet
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        self._child = None

    def _note_exit(self) -> None:
        if self._child is None:
            return
        pid, status = os.waitpid(self._child, os.WNOHANG)
        if pid:
            self._child, self._status = None, os.waitstatus_to_exitcode(status)


def _run(request: dict[str, Any], parent: int) -> NoReturn:
    status = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        _connect_output(request["log"])
        os.environ.clear()
        os.environ.update(request["environment"])
        directory = Path(request["config"]).parent
        os.chdir(directory)
        sys.path.append(str(directory))
        status = _litellm(request)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException as error:  # noqa: BLE001  (whatever stops LiteLLM is the verdict)
        traceback.print_exc()
        status = getattr(error, "exit_code", 1)
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


def _litellm(request: dict[str, Any]) -> int:
    from litellm.proxy import proxy_server
    from litellm.proxy.proxy_cli import ProxyInitializationHelpers, run_server

    reached: list[str] = []
    proxy_server.run_ollama_serve = lambda: reached.append("ollama serve")
    _stay_here(reached)
    # uvloop would resolve names itself.
    asyncio = staticmethod(lambda: "asyncio")
    ProxyInitializationHelpers.get_loop_type = asyncio  # type: ignore[method-assign]
    arguments = ["--config", request["config"]]
    if request["do"] == "validate":
        arguments += ["--validate_config"]
    else:
        arguments += ["--host", "127.0.0.1", "--port", str(request["port"]), "--num_workers", "1"]
        arguments += ["--telemetry", "False"]
        _tell_state(proxy_server, reached)
    # click returns what it would exit with.
    return int(run_server.main(arguments, standalone_mode=False) or 0)


def _stay_here(reached: list[str]) -> None:
    resolve = socket.getaddrinfo

    def resolve_local(host: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name in LOCAL:
            return resolve(host, *rest, **named)
        if name not in reached:
            reached.append(name)
        raise socket.gaierror(socket.EAI_NONAME, f"the oracle reaches nothing outside: {name}")

    socket.getaddrinfo = resolve_local


def _tell_state(proxy_server: Any, reached: list[str]) -> None:
    """Answer with what the config made of LiteLLM's settings; a setting it invents is none."""
    import litellm

    known = [name for name in vars(litellm) if not name.startswith("_")]
    kept = [name for name in vars(proxy_server) if re.match(r"[a-z]", name)]

    async def state() -> dict[str, Any]:
        router = vars(proxy_server.llm_router) if proxy_server.llm_router is not None else {}
        return {
            "reached": reached,
            "router": _plain_parts(router, list(router)),
            "litellm": _plain_parts(vars(litellm), known),
            "proxy": _plain_parts(vars(proxy_server), kept),
        }

    proxy_server.app.add_api_route("/oracle/state", state)
    # The user interface is mounted at / and takes what no route before it does.
    routes = proxy_server.app.router.routes
    routes.insert(0, routes.pop())


def _plain_parts(holder: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    parts = {}
    for name in sorted(names):
        value = holder.get(name)
        value = value.model_dump() if isinstance(value, pydantic.BaseModel) else value
        if not COUNTED.search(name) and _is_plain(value, 4):
            parts[name] = value
    return parts


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, SIMPLE):
        return True
    if depth == 0:
        return False
    if isinstance(value, dict):
        return len(value) < 100 and all(
            isinstance(key, str) and _is_plain(item, depth - 1) for key, item in value.items()
        )
    return isinstance(value, list) and len(value) < 100 and all(_is_plain(item, depth - 1) for item in value)


def main() -> int:
    """Import LiteLLM, say so, and serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LiteLLM prints; standard output is ours
    for name in ("litellm.proxy.proxy_server", "litellm.proxy.proxy_cli", "uvicorn"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the children need not look through it, nor copy it
    host = Host()
    try:
        print(json.dumps({"ready": importlib.metadata.version("litellm")}), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(host.answer(json.loads(line))), file=answers, flush=True)
    finally:
        host.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
