"""Our side of systemd, beside a `systemctl` that says what systemd 252 was seen to say.

With a real systemd it is tried in tests/stack, where there is one and we are root.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_aibackend.deploy.service import ServiceError, systemd
from pytest_aibackend.deploy.service.systemd import SystemdService

Stub = Callable[..., Callable[[], list[str]]]
SHOWN = "LoadState=loaded\nActiveState={active}\nSubState={sub}\nMainPID={pid}\nResult=success\nNRestarts=0"


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Return a way to have `systemctl` answer; that returns a way to read how it was called."""
    program, calls = tmp_path / "bin" / "systemctl", tmp_path / "calls"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    def answer(*, other: str = "exit 0", **properties: str) -> Callable[[], list[str]]:
        """Answer `show` with these texts by property asked first; do `other` for what is no `show`."""
        cases = []
        for name, text in properties.items():
            (tmp_path / name).write_text(f"{text}\n" if text else "\n")
            cases.append(f"  *'{name.replace('_', '-')}'*) cat '{tmp_path / name}'; exit;;")
        program.write_text(
            f'#!/bin/sh\necho "$*" >>"{calls}"\ncase "$*" in\n' + "\n".join(cases) + f"\nesac\n{other}\n"
        )
        program.chmod(0o755)
        calls.write_text("")
        return lambda: [line.removeprefix("--user ") for line in calls.read_text().splitlines()]

    return answer


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    environment = {"A": "of the process", "NOTIFY_SOCKET": "/run/notify"}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, env=environment) as started:
        deadline = time.monotonic() + 20
        while b"A=of" not in Path(f"/proc/{started.pid}/environ").read_bytes():
            assert time.monotonic() < deadline
        yield started
        started.kill()


@pytest.mark.parametrize(
    ("shown", "running", "detail"),
    [
        (SHOWN.format(active="active", sub="running", pid=1), True, "active (running)"),
        (SHOWN.format(active="inactive", sub="dead", pid=0), False, "inactive (dead)"),
        (SHOWN.format(active="activating", sub="auto-restart", pid=0), False, "activating (auto-restart)"),
        (SHOWN.format(active="reloading", sub="reloading", pid=1), True, "reloading"),
        (
            SHOWN.format(active="active", sub="running", pid=1).replace("NRestarts=0", "NRestarts=3")
            + "\nStatusText=serving 127.0.0.1:4000\nStatusText=and more",
            True,
            "active (running): serving 127.0.0.1:4000\nand more, restarted 3 times",
        ),
        (
            SHOWN.format(active="failed", sub="failed", pid=0).replace("success", "exit-code"),
            False,
            "failed, exit-code; see `journalctl -n 30 -u a.service`",
        ),
    ],
)
def test_what_a_unit_does(stub: Stub, shown: str, running: bool, detail: str) -> None:
    calls = stub(LoadState=f"{shown}\nSomethingElse=x\nno property")
    seen = SystemdService("a", user=False).state()
    assert (seen.running, seen.pid, seen.detail) == (running, 1 if running else None, detail)
    (call,) = calls()
    assert call.endswith("-- a.service")


@pytest.mark.parametrize(
    ("load", "user", "said"),
    [
        (
            "not-found",
            True,
            "this user's systemd knows no a.service; install it in ~/.config/systemd/user and",
        ),
        (
            "not-found",
            False,
            "systemd knows no a.service; install it in /etc/systemd/system and run `systemctl",
        ),
        ("masked", True, "a.service is masked; `systemctl --user unmask a.service`"),
        ("bad-setting", False, "systemd cannot read a.service; see `systemd-analyze verify a.service`"),
    ],
)
def test_a_unit_that_cannot_be_used(stub: Stub, load: str, user: bool, said: str) -> None:
    stub(LoadState=f"LoadState={load}\nActiveState=inactive")
    service = SystemdService("a", user=user)
    with pytest.raises(ServiceError) as refused:
        service.state()
    assert str(refused.value).startswith(said)
    assert service.environment() is None


def test_a_reload_is_asked_for_again_where_the_unit_was_starting(stub: Stub) -> None:
    calls = stub(ActiveState="ActiveState=active")
    SystemdService("a", user=True).reload()
    assert [call.split()[2] for call in calls()] == ["show", "reload"]
    calls = stub(ActiveState="ActiveState=activating")
    SystemdService("a", user=True).reload()
    assert [call.split()[2] for call in calls()] == ["show", "reload", "reload"]


def test_a_reload_that_waits_for_another_is_sent_past_it(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "RELOAD_S", 0.3)
    calls = stub(ActiveState="ActiveState=reloading", other='case "$*" in *reload*) exec sleep 60;; esac')
    SystemdService("a", user=False).reload()
    assert calls()[-1].endswith("kill --kill-who=main --signal=HUP -- a.service")


def test_a_restart_is_one_and_a_failed_one_is_told(stub: Stub) -> None:
    calls = stub()
    SystemdService("a", user=False).restart()
    assert [call.split()[2] for call in calls()] == ["restart"]
    stub(other="echo 'Job for a.service failed. See \"systemctl status a.service\" for details.' >&2; exit 1")
    with pytest.raises(ServiceError) as refused:
        SystemdService("a", user=False).restart()
    assert str(refused.value) == (
        "`systemctl restart a.service` failed: Job for a.service failed; see `journalctl -n 30 -u a.service`"
    )


def test_the_environment_is_that_of_the_process_while_it_runs(
    stub: Stub, process: subprocess.Popen[bytes]
) -> None:
    stub(LoadState=SHOWN.format(active="active", sub="running", pid=process.pid))
    environment = SystemdService("a", user=True).environment()
    assert environment is not None
    assert environment["A"] == "of the process"
    assert "NOTIFY_SOCKET" not in environment


def test_the_environment_of_a_unit_that_does_not_run_is_what_it_would_get(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "one.env").write_text("KEY=of a file\nA=of a file\n")
    (tmp_path / "two.env").write_text("A=of the last file\n")
    properties = {
        "LoadState": SHOWN.format(active="inactive", sub="dead", pid=0),
        # Before Environment, which is a part of their names.
        "show_environment": "HOME=/home/a\nQUOTED=$'a\\tb\\x41\\101'\nINVOCATION_ID=1\nnothing",
        "EnvironmentFiles": f"{tmp_path}/absent.env (ignore_errors=yes)\n{tmp_path}/*.env (ignore_errors=no)",
        "Environment": 'A=1 "B=a b" C=\\x41',
    }
    stub(**properties)
    ours = {
        "A": "of the last file",
        "B": "a b",
        "C": "\\x41",
        "KEY": "of a file",
    }
    assert SystemdService("a", user=False).environment() == ours
    of_the_manager = {"HOME": "/home/a", "QUOTED": "a\tbAA"}
    assert SystemdService("a", user=True).environment() == of_the_manager | ours
    for needed in (f"{tmp_path}/absent.env (ignore_errors=no)", f"{tmp_path}/*.no (ignore_errors=no)", "?"):
        stub(**{**properties, "EnvironmentFiles": needed})
        assert SystemdService("a", user=False).environment() is None, "better nothing than half of it"


def test_systemctl_that_may_not_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="systemctl may not be run by this user"):
        SystemdService("a", user=True).state()


def test_the_manager_of_a_user_is_looked_for_where_it_is_used_to_be(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(Path, "is_dir", lambda path: path == Path(f"/run/user/{os.getuid()}"))
    stub(other='echo "told $XDG_RUNTIME_DIR" >&2; exit 1')
    with pytest.raises(ServiceError, match=f"told /run/user/{os.getuid()}"):
        SystemdService("a", user=True).restart()
    with pytest.raises(ServiceError, match="told; see"):
        SystemdService("a", user=False).restart()
