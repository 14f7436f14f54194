"""The embedded stack comes and goes: whatever ends it, it says why and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from pytest_aibackend.stack.plan import read_stack_plan
from pytest_aibackend.stack.processes import ProcessRecord, wait_gone
from pytest_aibackend.stack.state import ServiceRecord, StackState, StateDir
from tests.stack.embedded import files_in, leftovers, processes_of, run_stack, stack_command
from tests.waiting import wait_until


@contextmanager
def foreground(config_dir: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        stack_command("up", config_dir), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def services_of(config_dir: Path) -> dict[str, psutil.Process]:
    state = StateDir(config_dir).load()
    return {service.name: psutil.Process(service.process.pid) for service in state.services} if state else {}


def wait_for_all_processes(config_dir: Path) -> None:
    wait_until(lambda: len(services_of(config_dir)) == 4)


def read_until(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            break
    return "".join(lines)


def test_detached_from_up_to_down(config_dir: Path) -> None:
    assert run_stack("down", config_dir).stdout == "nothing is running\n"
    began = time.monotonic()
    up = run_stack("up", config_dir, "--detach")
    assert up.returncode == 0, up.stdout + up.stderr
    assert time.monotonic() - began < 60
    assert "master-key" in up.stdout

    native = services_of(config_dir)["llama_cpp_native"]
    native.kill()
    wait_gone([native], 10)
    status = run_stack("status", config_dir)
    assert status.returncode == 1
    dead = [line for line in status.stdout.splitlines() if "DEAD" in line]
    assert [line.split()[0] for line in dead] == ["llama_cpp_native"]

    down = run_stack("down", config_dir)
    assert down.returncode == 0
    assert down.stdout == "stopped: valkey, llama_cpp_python, llama_cpp_native, litellm\n"
    assert leftovers(config_dir) == []
    assert run_stack("status", config_dir).returncode == 1
    assert (StateDir(config_dir).logs / "litellm.log").stat().st_size > 0


def test_foreground_runs_until_a_service_dies(config_dir: Path) -> None:
    with foreground(config_dir) as up:
        read_until(up, "Ctrl-C stops it")
        second = run_stack("up", config_dir)
        assert second.returncode == 1
        assert "foreground of another" in second.stderr
        services_of(config_dir)["valkey"].kill()
        output, _ = up.communicate(timeout=60)

    assert up.returncode == 1
    assert "valkey ended by SIGKILL" in output
    assert leftovers(config_dir) == []


def test_foreground_runs_until_ctrl_c_with_the_key_it_was_given(
    config_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-given-by-the-environment")
    with foreground(config_dir) as up:
        started = read_until(up, "Ctrl-C stops it")
        gateway = read_stack_plan(config_dir).gateway
        models = httpx.get(
            f"http://{gateway.host}:{gateway.port}/v1/models",
            headers={"Authorization": "Bearer sk-given-by-the-environment"},
        )
        up.send_signal(signal.SIGINT)
        output, _ = up.communicate(timeout=60)

    assert up.returncode == 0, output
    assert models.status_code == 200
    assert "sk-given" not in started + output
    assert "Traceback" not in output
    assert not [path for path, raw in files_in(StateDir(config_dir).path).items() if b"sk-given" in raw]
    assert leftovers(config_dir) == []


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after_s", [0.0, 1.0])
def test_a_signal_during_the_start_stops_everything(
    config_dir: Path, stop_signal: signal.Signals, after_s: float
) -> None:
    with foreground(config_dir) as up:
        wait_until(lambda: services_of(config_dir))
        time.sleep(after_s)
        up.send_signal(stop_signal)
        output, _ = up.communicate(timeout=60)

    assert up.returncode == 1
    assert "stopped before it was ready" in output
    assert "Traceback" not in output
    assert leftovers(config_dir) == []


def test_down_ends_a_start_in_the_foreground(config_dir: Path) -> None:
    with foreground(config_dir) as up:
        wait_for_all_processes(config_dir)
        down = run_stack("down", config_dir)
        up.communicate(timeout=60)

    assert down.returncode == 0
    assert "stopped" in down.stdout
    assert leftovers(config_dir) == []


@pytest.mark.parametrize("detach", [False, True], ids=["foreground", "detached"])
def test_a_killed_up_leaves_nothing(config_dir: Path, *, detach: bool) -> None:
    command = stack_command("up", config_dir, *(["--detach"] if detach else []))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
        wait_for_all_processes(config_dir)
        assert len(processes_of(config_dir)) >= 4
        up.kill()

    wait_until(lambda: leftovers(config_dir) == [])


def test_a_service_that_dies_during_the_start(config_dir: Path) -> None:
    with foreground(config_dir) as up:
        wait_for_all_processes(config_dir)
        services_of(config_dir)["llama_cpp_python"].kill()
        output, _ = up.communicate(timeout=60)

    assert up.returncode == 1
    assert "llama_cpp_python ended by SIGKILL" in output
    assert leftovers(config_dir) == []


def test_a_gateway_that_refuses_its_configuration(config_dir: Path) -> None:
    (config_dir / "litellm-unified.yaml").write_text("model_list: [", encoding="utf-8")

    up = run_stack("up", config_dir, "--detach")

    assert up.returncode == 1
    assert "litellm ended with exit status" in up.stderr
    assert "while parsing" in up.stderr  # the end of its log
    assert leftovers(config_dir) == []


def test_notes_of_dead_processes_are_cleared(config_dir: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as gone:
        gone.wait()
    note(config_dir, ProcessRecord(gone.pid, time.time() - 3600))

    status = run_stack("status", config_dir)
    down = run_stack("down", config_dir)

    assert status.returncode == 1
    assert "DEAD" in status.stdout
    assert down.returncode == 0
    assert "processes are gone" in down.stdout
    assert leftovers(config_dir) == []


def test_a_stranger_with_a_recycled_pid_is_left_alone(config_dir: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        try:
            note(config_dir, ProcessRecord(stranger.pid, time.time() - 3600))
            down = run_stack("down", config_dir)

            assert down.returncode == 0
            assert stranger.poll() is None
        finally:
            stranger.kill()


def note(config_dir: Path, process: ProcessRecord) -> None:
    directory = StateDir(config_dir)
    directory.create()
    service = ServiceRecord(
        name="valkey", kind="valkey", process=process, host="127.0.0.1", port=16379, log="valkey.log"
    )
    directory.save(
        StackState(
            config_dir=str(config_dir),
            supervisor=None,
            key_from_environment=True,
            pidfile=None,
            services=(service,),
        )
    )
