"""Check 6, live half, against processes that really listen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_aibackend.live import Seen
from pytest_aibackend.probes.observations import Listener
from pytest_aibackend.rules.registry import LiveBackend
from tests.fakes.ports import free_port
from tests.fakes.real import valkey_server
from tests.stack.live_config import Judged, judge, judge_seen, redis_gateway, run_checks, write_config

LISTEN = """
import socket, sys
address = sys.argv[1]
if ":" in address:
    listener = socket.create_server((address, 0), family=socket.AF_INET6, dualstack_ipv6=True)
else:
    listener = socket.create_server((address, 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, kw_only=True)
class Listening:
    port: int
    pid: int


@contextmanager
def listening(address: str = "127.0.0.1", *, program: Path | None = None) -> Iterator[Listening]:
    """A process that listens on a port of its own; `program` is a Python under another name."""
    command = [str(program or sys.executable), "-c", LISTEN, address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Listening(port=int(process.stdout.readline()), pid=process.pid)
        finally:
            process.kill()


@pytest.fixture
def renamed_python(tmp_path: Path) -> Path:
    """The interpreter as a program of the name `ollama`."""
    program = tmp_path / "ollama"
    shutil.copy(Path(sys.executable).resolve(), program)
    started = subprocess.run([program, "-c", ""], capture_output=True, check=False)
    if started.returncode:
        pytest.skip("this Python does not run from another place")
    return program


def service(port: int, **more: Any) -> dict[str, Any]:
    return {"port": port, "protocol": "http", **more}


def judge_ports(folder: Path, ports: Mapping[str, Mapping[str, Any]], **more: Any) -> Judged:
    return judge(write_config(folder / "config", ports=ports, **more), 6)


def named(judged: Judged) -> list[tuple[str, str, str]]:
    return [(each.subject, each.rule, str(each.severity)) for each in judged.findings]


def test_a_foreign_program_on_a_registered_port(tmp_path: Path) -> None:
    with listening() as stranger:
        judged = judge_ports(tmp_path, {"ollama": service(stranger.port, required=True)})
        name = psutil.Process(stranger.pid).name()

    assert named(judged) == [("ollama", "foreign-listener", "error")]
    assert judged.message("foreign-listener") == (
        f"port {stranger.port} is registered for ollama, and {name} (pid {stranger.pid}) listens on it"
    )


def test_the_service_itself_is_not_foreign(renamed_python: Path, tmp_path: Path) -> None:
    with listening(program=renamed_python) as ollama:
        judged = judge_ports(tmp_path, {"ollama": service(ollama.port, required=True)})
        again = judge_ports(tmp_path / "again", {"redis": service(ollama.port)})

    assert named(judged) == []
    assert named(again) == [("redis", "foreign-listener", "error")]


def test_programs_that_serve_are_known(tmp_path: Path) -> None:
    with valkey_server() as valkey, listening() as python:
        ports = {
            "redis": service(valkey.port, protocol="tcp", required=True),
            "llama_cpp_python": service(python.port, required=True),
            "litellm_gateway": service(python.port, required=True),
            "vllm": service(python.port),
            "something_else": service(python.port),
            "ollama_webui": service(python.port),
        }
        assert named(judge_ports(tmp_path, ports)) == []
        swapped = {"redis": service(python.port), "vllm": service(valkey.port)}
        found = named(judge_ports(tmp_path / "swapped", swapped))

    assert found == [("redis", "foreign-listener", "error"), ("vllm", "foreign-listener", "error")]


def test_a_silent_port_is_trouble_where_the_service_is_required(tmp_path: Path) -> None:
    ports = {
        "ollama": service(free_port(), required=True, service="ollama"),
        "redis": service(free_port(), required=True),
        "vllm": service(free_port()),
    }
    judged = judge_ports(tmp_path, ports)

    assert named(judged) == [
        ("ollama", "required-port-silent", "error"),
        ("redis", "required-port-silent", "error"),
    ]
    assert "nothing listens" in judged.message("required-port-silent", "ollama")
    hints = {each.subject: each.hint for each in judged.findings}
    assert hints["ollama"].startswith("systemctl start ollama")
    assert hints["redis"].startswith("start redis")


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_all_interfaces_where_loopback_is_meant(address: str, tmp_path: Path) -> None:
    with listening(address) as wide:
        provider = {"type": "vllm", "base_url": f"http://localhost:{wide.port}/v1"}
        registry = {"vllm": service(wide.port)}
        # An address that is none is a finding of check 5, and hides no other.
        odd = {"type": "vllm", "base_url": "http://[::1"}
        judged = judge_ports(tmp_path, registry, providers={"odd": odd, "vllm": provider})
        disabled = judge_ports(
            tmp_path / "disabled", registry, providers={"vllm": {**provider, "status": "disabled"}}
        )

    assert named(judged) == [("vllm", "listener-on-all-interfaces", "warning")]
    message = judged.message("listener-on-all-interfaces")
    assert f"(pid {wide.pid}) serves port {wide.port} on all interfaces ({address})" in message
    assert named(disabled) == []  # nobody said that loopback is meant


@pytest.mark.parametrize("how", ["host", "url", "deploy"])
def test_all_interfaces_for_the_cache_and_the_gateway(how: str, tmp_path: Path) -> None:
    with listening("0.0.0.0") as wide:
        gateway: dict[str, Any] = redis_gateway(wide.port)
        if how == "url":
            params = {"type": "redis", "url": f"redis://127.0.0.1:{wide.port}", "namespace": "a"}
            gateway["litellm_settings"]["cache_params"] = params
        elif how == "deploy":
            gateway = {"deploy": {"url": f"http://127.0.0.1:{wide.port}"}}
        judged = judge_ports(tmp_path, {"vllm": service(wide.port)}, gateway=gateway)

    assert named(judged) == [("vllm", "listener-on-all-interfaces", "warning")]


def test_loopback_is_no_trouble(tmp_path: Path) -> None:
    with listening() as narrow:
        provider = {"type": "vllm", "base_url": f"http://127.0.0.1:{narrow.port}"}
        judged = judge_ports(tmp_path, {"vllm": service(narrow.port)}, providers={"vllm": provider})

    assert named(judged) == []


@pytest.mark.parametrize(
    ("process", "found"),
    [
        ("ollama", []),
        ("docker-proxy", []),
        ("rootlessport", []),
        ("ssh", []),
        ("nginx", [("ollama", "foreign-listener", "error")]),
        (None, []),
    ],
)
def test_listeners_that_speak_for_others(
    process: str | None, found: list[tuple[str, str, str]], tmp_path: Path
) -> None:
    with listening() as some:
        judged = judge_ports(tmp_path, {"ollama": service(some.port)})
    (seen,) = judged.observations.ports
    # Several workers of one program, or one program on both families, are one finding.
    listeners = tuple(
        Listener(address=address, pid=pid, process=process)
        for address, pid in (("127.0.0.1", 7), ("127.0.0.1", 8), ("::1", 7))
    )
    observations = replace(judged.observations, ports=(replace(seen, listeners=listeners),))
    live = LiveBackend(
        backend=judged.backend,
        observations=Seen(observations=observations, unset_variables=frozenset()),
    )

    assert named(judge_seen(judged.backend, live, (6,))) == found


def test_a_whole_run(tmp_path: Path) -> None:
    with listening() as stranger, valkey_server() as valkey:
        ports = {
            "ollama": service(stranger.port),
            "redis": service(valkey.port, protocol="tcp", required=True),
            "vllm": service(free_port(), required=True),
        }
        folder = write_config(tmp_path / "config", ports=ports)
        run = run_checks(folder, "-k", "port_listener", checks=(6,))
        good = run_checks(folder, "-k", "port_listener and redis", checks=(6,))

    assert (run.returncode, run.check(6)["status"]) == (1, "failed")
    assert run.rules(6) == ["foreign-listener", "required-port-silent"]
    assert f"(pid {stranger.pid}) listens on it" in run.output
    assert "Traceback" not in run.output
    assert (good.returncode, good.check(6)["status"]) == (0, "passed")
