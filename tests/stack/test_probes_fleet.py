"""A fleet of 500 endpoints, half of them dead in every way, costs one timeout and not the sum of them."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_aibackend.probes import ProbeTargets, ProviderTarget, State, run_probes

FLEET = Path(__file__).parents[1] / "fakes" / "fleet.py"
TIMEOUT_S = 4.0


@pytest.fixture
def fleet() -> Iterator[dict[str, list[int]]]:
    command = [sys.executable, str(FLEET), "250", "100"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate(timeout=60)


def _ollama(name: str, url: str) -> ProviderTarget:
    return ProviderTarget(name=name, type="ollama", base_url=url, models=("llama3.1:8b",))


@pytest.mark.timeout(120)  # the sum of the silent ones' would be over eight minutes
def test_500_endpoints_half_dead_take_one_timeout(fleet: dict[str, list[int]]) -> None:
    targets = [_ollama(f"alive-{port}", f"http://127.0.0.1:{port}") for port in fleet["alive"]]
    targets += [_ollama(f"hanging-{port}", f"http://127.0.0.1:{port}") for port in fleet["hanging"]]
    targets += [_ollama(f"refused-{number}", f"http://127.0.0.{number + 2}:9") for number in range(100)]
    targets += [_ollama(f"nameless-{number}", f"http://host-{number}.invalid:9") for number in range(25)]
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())  # its backlog is full: packets to it are dropped
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        blackhole = f"http://127.0.0.1:{address[1]}"
        targets += [_ollama(f"blackhole-{number}", blackhole) for number in range(25)]
        assert len(targets) == 500

        seen = run_probes(ProbeTargets(providers=tuple(targets)), timeout_s=TIMEOUT_S)

    states = Counter((each.name.partition("-")[0], each.state) for each in seen.providers)
    assert states["alive", State.OK] + states["alive", State.SLOW] == 250, states
    assert states["hanging", State.TIMEOUT] == 100, states
    assert states["refused", State.DOWN] == 100, states
    assert states["blackhole", State.TIMEOUT] == 25, states
    assert sum(count for (kind, state), count in states.items() if kind == "nameless") == 25
    assert states["nameless", State.OK] == 0


def test_a_small_limit_of_open_files_is_raised_for_the_run_only(fleet: dict[str, list[int]]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        targets = tuple(_ollama(str(port), f"http://127.0.0.1:{port}") for port in fleet["alive"])
        seen = run_probes(ProbeTargets(providers=targets), timeout_s=TIMEOUT_S)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 128
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(each.state.is_healthy for each in seen.providers)


def test_names_without_a_name_server_do_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that is silent for long, as when the name server is unreachable."""
    real = socket.getaddrinfo

    def slow(host: object, *arguments: object, **options: object) -> object:
        if b".invalid" in bytes(str(host), "ascii"):
            time.sleep(3)
        return real(host, *arguments, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    targets = [_ollama(f"silent-{number}", f"http://silent-{number}.invalid:9") for number in range(40)]
    targets.append(_ollama("local", f"http://localhost:{port}"))
    begin = time.perf_counter()
    seen = run_probes(ProbeTargets(providers=tuple(targets)), timeout_s=1.0)
    assert time.perf_counter() - begin < 30  # one after another they would take two minutes
    assert seen.provider("local").state is State.DOWN
    assert {each.state for each in seen.providers if each.name != "local"} == {State.TIMEOUT}
