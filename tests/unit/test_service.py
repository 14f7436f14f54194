"""Signalling the gateway: the right process and no other, and every refusal in plain words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.service import ServiceError, service_of, systemctl
from pytest_aibackend.deploy.service.none import NoService
from pytest_aibackend.deploy.service.pidfile import PidfileService, is_gateway_command
from pytest_aibackend.deploy.service.process import Held, process_environment
from pytest_aibackend.deploy.service.systemd import SystemdService
from pytest_aibackend.serving.state import GatewayNote, StateDir, process_start
from pytest_aibackend.sources.backend import Backend, load_backend

# Says which signals it got, those of its arguments; and that it is ready to.
LISTENER = """
import os, signal, sys
def heard(number, _):
    os.write(1, signal.Signals(number).name.encode() + bytes([10]))  # print may be under way already
for name in sys.argv[1:]:
    signal.signal(signal.Signals[name], heard)
print("ready", flush=True)
while True:
    signal.pause()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that runs a script of this name and catches these signals."""
    started = []

    def run(name: str, *caught: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        script = tmp_path / name
        script.write_text(LISTENER)
        process = subprocess.Popen(
            [sys.executable, str(script), *caught], stdout=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        assert heard_by(process) == "ready"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "state")
    state.create()
    return state


@pytest.fixture
def pidfile(tmp_path: Path) -> Path:
    return tmp_path / "gateway.pid"


def heard_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def note_supervisor(state: StateDir, pid: int, start: float | None = None) -> None:
    started = process_start(pid) if start is None else start
    state.note_gateway(
        GatewayNote(pid=pid, start=started, master=None, workers=1, host="h", port=1, file="f")
    )


def backend_with(folder: Path, service: str) -> Backend:
    (folder / "gateway.yaml").write_text(f"deploy:\n  service: {service}\n")
    return load_backend(folder)


# -- pid file


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"abc", b"-1", b"0", b"12 13", b"9" * 30, b"\xff\x00", b"1e3"]
)
def test_pid_file_without_a_pid(content: bytes, pidfile: Path, state: StateDir) -> None:
    pidfile.write_bytes(content)
    service = PidfileService(pidfile, state)
    assert not service.state().running
    for act in (service.reload, service.restart):
        with pytest.raises(ServiceError, match=str(pidfile)):
            act()


@given(content=st.binary(max_size=80) | st.integers(0, 2**32).map(lambda number: f"{number}\n".encode()))
def test_no_pid_file_makes_us_signal_a_stranger(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "pid").write_bytes(content)
    sent: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(signal, "pidfd_send_signal", lambda _, number: sent.append(number))
        patched.setattr(os, "kill", lambda _, number: sent.append(number))
        service = PidfileService(folder / "pid", StateDir(folder / "state"))
        with pytest.raises(ServiceError):
            service.reload()
        with pytest.raises(ServiceError):
            service.restart()
    assert not any(sent)
    assert service.environment() is None


def test_places_where_no_pid_file_is(tmp_path: Path, state: StateDir) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path / "missing", tmp_path / "missing" / "pid", tmp_path, fifo):
        with pytest.raises(ServiceError, match="cannot be reloaded"):
            PidfileService(path, state).reload()


def test_stale_pid_file(pidfile: Path, state: StateDir) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    pidfile.write_text(str(process.pid))
    with pytest.raises(ServiceError, match=f"is stale: there is no process {process.pid}"):
        PidfileService(pidfile, state).reload()


def test_a_stranger_is_named_and_left_alone(start: Start, pidfile: Path, state: StateDir) -> None:
    stranger = start("notes.py", "SIGHUP", "SIGUSR1")
    pidfile.write_text(str(stranger.pid))
    service = PidfileService(pidfile, state)
    for act in (service.reload, service.restart):
        with pytest.raises(ServiceError, match=r"notes\.py` and no gateway"):
            act()
    assert not service.state().running
    assert service.environment() is None
    stranger.send_signal(signal.SIGUSR1)
    assert heard_by(stranger) == "SIGUSR1"  # and nothing came before


def test_a_stranger_is_named_without_what_it_was_given(pidfile: Path, state: StateDir) -> None:
    with subprocess.Popen(["sh", "-c", "read line", "sk-secret"], stdin=subprocess.PIPE) as stranger:
        pidfile.write_text(str(stranger.pid))
        with pytest.raises(ServiceError, match="`sh` and no gateway") as refused:
            PidfileService(pidfile, state).reload()
    assert "secret" not in str(refused.value)


def test_gunicorn_is_reloaded_but_not_restarted(start: Start, pidfile: Path, state: StateDir) -> None:
    master = start("gunicorn", "SIGHUP", "SIGUSR1")
    pidfile.write_text(f"{master.pid}\n")
    service = PidfileService(pidfile, state)
    assert service.state().pid == master.pid
    service.reload()
    assert heard_by(master) == "SIGHUP"
    with pytest.raises(ServiceError, match="is not `aibackend serve`"):
        service.restart()


def test_a_plain_litellm_would_die_of_a_reload_and_gets_none(
    start: Start, pidfile: Path, state: StateDir
) -> None:
    process = start("litellm")
    pidfile.write_text(str(process.pid))
    with pytest.raises(ServiceError, match="would die of SIGHUP"):
        PidfileService(pidfile, state).reload()
    assert process.poll() is None


def test_our_supervisor_is_known_by_its_note(start: Start, pidfile: Path, state: StateDir) -> None:
    supervisor = start("any.py", "SIGHUP", "SIGUSR1")
    note_supervisor(state, supervisor.pid)
    service = PidfileService(pidfile, state)
    for content in (str(supervisor.pid), None, "", "garbage", str(os.getpid())):
        pidfile.unlink(missing_ok=True)
        if content is not None:
            pidfile.write_text(content)
        assert service.state().pid == supervisor.pid
        service.reload()
        assert heard_by(supervisor) == "SIGHUP"
        service.restart()
        assert heard_by(supervisor) == "SIGUSR1"


def test_a_note_of_an_earlier_process_with_the_same_pid_counts_for_nothing(
    start: Start, pidfile: Path, state: StateDir
) -> None:
    stranger = start("any.py", "SIGHUP")
    note_supervisor(state, stranger.pid, start=process_start(stranger.pid) - 1)
    pidfile.write_text(str(stranger.pid))
    with pytest.raises(ServiceError, match="and no gateway"):
        PidfileService(pidfile, state).reload()


def test_a_supervisor_that_only_just_starts_is_not_killed(
    start: Start, pidfile: Path, state: StateDir
) -> None:
    supervisor = start("any.py")
    note_supervisor(state, supervisor.pid)
    pidfile.write_text(str(supervisor.pid))
    with pytest.raises(ServiceError, match="only just starting"):
        PidfileService(pidfile, state).reload()
    assert supervisor.poll() is None


def test_without_pidfd_the_same_process_is_signalled(
    start: Start, pidfile: Path, state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS."""
    monkeypatch.delattr(os, "pidfd_open")
    master = start("gunicorn", "SIGHUP")
    pidfile.write_text(str(master.pid))
    PidfileService(pidfile, state).reload()
    assert heard_by(master) == "SIGHUP"
    master.kill()
    master.wait()
    with pytest.raises(ServiceError, match=f"is stale: there is no process {master.pid}"):
        PidfileService(pidfile, state).reload()


@pytest.mark.parametrize(
    ("error", "user", "said"),
    [
        (ProcessLookupError, None, "ended just now; start the gateway again"),
        (
            PermissionError,
            "somebody",
            "belongs to somebody and may not be signalled; run this command as that",
        ),
        (PermissionError, None, "belongs to another user and may not be signalled; run this command as that"),
    ],
)
def test_a_signal_that_does_not_arrive(
    start: Start,
    pidfile: Path,
    state: StateDir,
    monkeypatch: pytest.MonkeyPatch,
    *,
    error: type[OSError],
    user: str | None,
    said: str,
) -> None:
    def refuse(*_: object) -> None:
        raise error

    def name(_: psutil.Process) -> str:
        if user is None:
            raise psutil.AccessDenied
        return user

    master = start("gunicorn", "SIGHUP")
    pidfile.write_text(str(master.pid))
    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    monkeypatch.setattr(psutil.Process, "username", name)
    with pytest.raises(ServiceError) as refused:
        PidfileService(pidfile, state).reload()
    assert str(refused.value).startswith(f"process {master.pid} of pid file {pidfile} {said}")


def test_a_stranger_that_python_runs_is_named_by_its_module(pidfile: Path, state: StateDir) -> None:
    command = [sys.executable, "-m", "timeit", "-s", "secret = 1", "import time; time.sleep(600)"]
    with subprocess.Popen(command) as stranger:
        try:
            pidfile.write_text(str(stranger.pid))
            deadline = time.monotonic() + 20
            while "-m timeit`" not in (said := PidfileService(pidfile, state).state().detail):
                assert time.monotonic() < deadline, said
        finally:
            stranger.kill()
    assert "secret" not in said


def test_what_is_not_to_be_known_of_a_process(state: StateDir) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert Held(gone.pid, None).survives(signal.SIGHUP), "where the kernel does not tell, the signal decides"
    assert Held(gone.pid, None).command() == []
    assert process_environment(gone.pid) is None
    note_supervisor(state, gone.pid, start=1)
    assert NoService(state).environment() is None


def test_environment_without_what_systemd_tells_one_process_alone(
    start: Start, pidfile: Path, state: StateDir
) -> None:
    told = {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1", "INVOCATION_ID": "0"}
    process = start("gunicorn", "SIGHUP", environment={"LITELLM_MASTER_KEY": "sk-x", **told})
    pidfile.write_text(str(process.pid))
    environment = PidfileService(pidfile, state).environment()
    assert environment is not None
    assert environment["LITELLM_MASTER_KEY"] == "sk-x"
    assert not environment.keys() & told.keys()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/usr/bin/python3 -m pytest_aibackend.serving --file F", True),
        ("python3.12 -I -m pytest_aibackend.serving.master --config F", True),
        ("/usr/bin/python3 /opt/bin/litellm --config F --run_gunicorn", True),
        ("/opt/venv/bin/gunicorn app:app", True),
        ("python -m gunicorn app:app", True),
        ("python -m pytest_aibackend.serving.canary", False),
        ("vim litellm.yaml", False),
        ("python -c pass litellm", False),
        ("tail -f /var/log/gunicorn/log", False),
        ("python tool.py --for litellm", False),
        ("", False),
    ],
)
def test_command_lines_of_gateways(command: str, expected: bool) -> None:
    assert is_gateway_command(command.split()) is expected


def test_title_of_gunicorn_is_that_of_a_gateway() -> None:
    assert is_gateway_command(["gunicorn: master [litellm]"])
    assert not is_gateway_command(["bash: litellm.yaml"])


# -- which service


def test_each_kind_of_service(tmp_path: Path, state: StateDir) -> None:
    none = service_of(backend_with(tmp_path, "{kind: none}"), state)
    assert not none.can_signal
    for act in (none.reload, none.restart):
        with pytest.raises(ServiceError, match="no service is configured"):
            act()
    user = service_of(backend_with(tmp_path, "{kind: systemd-user, name: gateway}"), state)
    assert user.label == "gateway.service (systemd --user)"
    system = service_of(backend_with(tmp_path, "{kind: systemd, name: gateway@a.service}"), state)
    assert system.label == "gateway@a.service (systemd)"
    pid = service_of(backend_with(tmp_path, "{kind: pidfile, pidfile: run/pid}"), state)
    assert pid.label == f"pid file {tmp_path}/run/pid"
    assert user.can_signal
    assert pid.can_signal


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("{kind: systemd}", "gateway.yaml:2:.* has no 'name'; add `name: litellm.service`"),
        ("{kind: systemd-user, name: ''}", "has no 'name'"),
        ("{kind: pidfile}", "has no 'pidfile'; add `pidfile: "),
        ("{kind: systemd, name: --force}", "'--force' is not the name of a service"),
        ("{kind: systemd, name: a b}", "'a b' is not the name of a service"),
        ("{kind: systemd, name: litellm.socket}", "'litellm.socket' is not the name of a service"),
    ],
)
def test_a_service_that_is_not_named(service: str, said: str, tmp_path: Path, state: StateDir) -> None:
    with pytest.raises(ServiceError, match=said):
        service_of(backend_with(tmp_path, service), state)


def test_without_a_service_a_running_gateway_is_seen_all_the_same(
    start: Start, tmp_path: Path, state: StateDir
) -> None:
    service = service_of(backend_with(tmp_path, "{kind: none}"), state)
    assert not service.state().running
    assert service.environment() is None
    supervisor = start("any.py", environment={"A": "1"})
    note_supervisor(state, supervisor.pid)
    assert service.state().pid == supervisor.pid
    assert (service.environment() or {})["A"] == "1"


# -- what a systemctl says that cannot be provoked here


def stub(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("said", "user", "remedy"),
    [
        ("Failed to reload a.service: Interactive authentication required.", False, "with a polkit rule"),
        ("Failed to reload a.service: Access denied", False, "with a polkit rule"),
        ("Failed to reload a.service: Access denied", True, "as the user who runs it"),
        ("Failed to start a.service: Unit a.service is masked.", True, "`systemctl --user unmask a.service`"),
        ("Failed to connect to bus: Host is down", False, "to pidfile or none"),
        ("Failed to connect to bus: No medium found", True, "loginctl enable-linger"),
        ("something new", True, "see `journalctl --user -n 30 -u a.service`"),
    ],
)
def test_refusals(
    said: str, user: bool, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(tmp_path / "bin", monkeypatch, f"case $* in *show*) exit;; esac\necho '{said}' >&2; exit 1")
    with pytest.raises(ServiceError) as refused:
        SystemdService("a", user=user).reload()
    text = str(refused.value)
    assert text.startswith("`systemctl " + ("--user " if user else "") + "reload a.service` failed: ")
    assert said.rstrip(".") in text
    assert remedy in text


def test_no_systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    service = SystemdService("a", user=True)
    with pytest.raises(ServiceError, match=r"no systemctl on this machine; set deploy\.service\.kind"):
        service.state()
    assert service.environment() is None


def test_systemctl_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(tmp_path / "bin", monkeypatch, "exec sleep 60")
    monkeypatch.setattr(systemctl, "QUERY_S", 0.2)
    with pytest.raises(ServiceError, match="did not end within"):
        SystemdService("a", user=True).state()
