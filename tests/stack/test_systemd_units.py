"""The units of deploy/systemd run the real LiteLLM, hardened, under real systemd; our adapter drives them."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.stack.systemd import HOME, ROOT, USER, Manager, system_manager, user_manager
from tests.stack.systemd_gateway import KEY, UNIT, Gateway, write_environment
from tests.waiting import wait_until

UNITS: Final = ROOT / "deploy" / "systemd"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """The manager of an unprivileged user."""
    with user_manager(tmp_path_factory.mktemp("systemd") / "user") as manager:
        yield manager


# PrivateTmp= hides a checkout below /tmp, and the Python in it.
IS_HIDDEN = any(ROOT.is_relative_to(place) for place in ("/tmp", "/var/tmp"))
CHECKOUT = f"BindReadOnlyPaths={ROOT}\n" if IS_HIDDEN else ""


@pytest.fixture(scope="module")
def gateway(manager: Manager) -> Iterator[Gateway]:
    """The real gateway, started by the user's unit as it is shipped."""
    gateway = Gateway(manager, manager.home / ".config/litellm/config", f"{HOME}/.config/litellm/config")
    write_environment(manager.home / ".config/litellm/litellm.env")
    manager.own(manager.home)
    for path in (UNITS / "user").rglob("*.*"):
        if path.is_file():
            manager.install(str(path.relative_to(UNITS / "user")), path.read_text())
    log = f"[Service]\nStandardOutput=append:{HOME}/log\nStandardError=inherit\n"
    manager.install(f"{UNIT}.d/log.conf", log + CHECKOUT)
    refused = gateway.ask("restart")  # which also starts what does not run
    assert refused is None, (manager.home / "log").read_text()
    yield gateway
    gateway.provider.stop()


@pytest.mark.parametrize("kind", ["user", "system"])
def test_units_are_clean_and_closed(kind: str, tmp_path: Path) -> None:
    unit = str(UNITS / kind / UNIT)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    for arguments in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=25"]):
        done = subprocess.run(
            ["systemd-analyze", f"--{kind}", *arguments, unit],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""


def test_gateway_answers_when_restart_returns(gateway: Gateway) -> None:
    assert gateway.served() == ["alpha"]
    state = gateway.ask("state")
    assert state["running"]
    assert state["detail"] == f"active (running): serving 127.0.0.1:{gateway.port}"
    assert str(state["pid"]) == gateway.manager.show(UNIT, "MainPID")


def test_hardening_is_in_effect(gateway: Gateway) -> None:
    gateway.complete("alpha")
    assert gateway.provider.models == ["alpha"]
    assert gateway.status("NoNewPrivs") == "1"
    assert gateway.status("Seccomp") == "2"
    assert gateway.status("CapBnd") == gateway.status("CapEff") == "0" * 16
    seen = gateway.manager.run("cat", f"/proc/{gateway.manager.show(UNIT, 'MainPID')}/mounts").stdout
    options = {line.split()[1]: line.split()[3].split(",") for line in seen.splitlines()}
    assert "ro" in options["/"]
    assert "rw" in options[f"{HOME}/.config/litellm"]


def test_environment_is_that_of_the_process(gateway: Gateway) -> None:
    environment = gateway.ask("environment")
    assert environment["LITELLM_MASTER_KEY"] == KEY
    assert environment["PATH"].startswith(str(ROOT))
    assert not environment.keys() & {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "INVOCATION_ID"}


def test_reload_takes_up_what_was_approved_and_nothing_else(gateway: Gateway) -> None:
    gateway.deploy("beta", "gamma")
    gateway.approve()
    before = gateway.manager.show(UNIT, "MainPID")
    assert gateway.ask("reload") is None
    wait_until(lambda: gateway.served() == ["beta", "gamma"], 60)

    gateway.deploy("unapproved")
    gateway.manager.systemctl("reload", UNIT)
    wait_until(lambda: "reload refused" in gateway.ask("state")["detail"], 30)
    assert gateway.served() == ["beta", "gamma"]
    assert gateway.manager.show(UNIT, "MainPID") == before
    gateway.deploy("beta", "gamma")


def test_killed_main_process_is_started_again(gateway: Gateway) -> None:
    served = gateway.served()
    before = gateway.manager.show(UNIT, "MainPID")
    gateway.manager.systemctl("kill", "--kill-who=main", "--signal=KILL", UNIT)
    wait_until(lambda: gateway.manager.show(UNIT, "NRestarts") == "1", 30)
    wait_until(lambda: gateway.ask("state")["detail"].startswith("active"), 180)
    assert gateway.manager.show(UNIT, "MainPID") != before
    assert gateway.served() == served


def test_stop_leaves_nothing(gateway: Gateway) -> None:
    running = gateway.ask("environment")
    gateway.manager.systemctl("stop", UNIT)
    assert gateway.served() == []
    assert "pytest_aibackend" not in gateway.manager.run("ps", "-eo", "args").stdout
    assert gateway.ask("state")["running"] is False
    assert "it does not run: `systemctl --user start litellm.service`" in gateway.ask("reload")["error"]
    # What the unit would give is what the process had.
    by_unit = gateway.ask("environment")
    assert {name: by_unit.get(name) for name in running} == running


def test_system_unit_runs_the_real_gateway(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with system_manager(tmp_path / "system") as manager:
        gateway = Gateway(manager, manager.var_lib / "litellm" / "config", "/var/lib/litellm/config")
        manager.own(manager.var_lib / "litellm")
        write_environment(tmp_path / "litellm.env")
        manager.install(UNIT, (UNITS / "system" / UNIT).read_text())
        # The user litellm is not here; nor may the Python that runs the tests lie in a home directory.
        changes = f"[Service]\nUser={USER}\nGroup={USER}\nProtectHome=read-only\n"
        changes += f"EnvironmentFile=\nEnvironmentFile={tmp_path}/litellm.env\n"
        changes += "StandardOutput=append:/var/lib/log\nStandardError=inherit\n"
        manager.install(f"{UNIT}.d/test.conf", changes + CHECKOUT)
        began = time.monotonic()
        started = manager.run("systemctl", "start", UNIT, timeout=240)
        assert started.returncode == 0, started.stderr + (manager.var_lib / "log").read_text()
        assert gateway.served() == ["alpha"], f"after {time.monotonic() - began:.1f} s"
        gateway.complete("alpha")
        assert gateway.provider.models == ["alpha"]
        assert gateway.status("CapBnd") == "0" * 16
        assert gateway.status("Seccomp") == "2"
        assert re.fullmatch(r"(\d+\t){3}\d+", gateway.status("Uid"))
        assert not gateway.status("Uid").startswith("0\t")
        assert gateway.ask("environment")["LITELLM_MASTER_KEY"] == KEY
        gateway.deploy("beta")
        gateway.approve()
        assert gateway.ask("reload") is None
        wait_until(lambda: gateway.served() == ["beta"], 60)
    assert gateway.served() == []  # it ended with its manager
    gateway.provider.stop()
