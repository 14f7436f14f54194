"""The embedded stack for tests: a copy of its example on free ports, and one that runs for all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aibackend.stack.commands import master_key
from pytest_aibackend.stack.plan import read_stack_plan
from tests.stack.embedded import EmbeddedStack, copy_example, leftovers, processes_of, run_stack


@pytest.fixture
def config_dir(tmp_path: Path) -> Iterator[Path]:
    """A copy of the embedded example on free ports; whatever a failing test leaves is ended."""
    folder = copy_example(tmp_path / "embedded")
    yield folder
    for process in processes_of(folder):
        process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="session")
def embedded_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The embedded stack, up once for all tests that leave it as they found it."""
    folder = copy_example(tmp_path_factory.mktemp("stack") / "embedded")
    began = run_stack("up", folder, "--detach")
    assert began.returncode == 0, began.stdout + began.stderr
    try:
        plan = read_stack_plan(folder)
        key = master_key(folder)
        assert plan.cache is not None
        assert key is not None
        urls = {server.name: f"http://{server.host}:{server.port}" for server in plan.llama_servers}
        yield EmbeddedStack(
            config_dir=folder,
            plan=plan,
            gateway_url=f"http://{plan.gateway.host}:{plan.gateway.port}",
            key=key,
            python_url=urls["llama_cpp_python"],
            native_url=urls["llama_cpp_native"],
            redis_port=plan.cache.port,
        )
    finally:
        ended = run_stack("down", folder)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert leftovers(folder) == []


@pytest.fixture(autouse=True)
def without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each stack make its own key, whatever key the person who runs the tests has set."""
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
