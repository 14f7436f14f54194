"""The units of deploy/systemd run the real LiteLLM, hardened, under real systemd; our adapter drives them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.fakes.gateway import free_port
from tests.fakes.openai_server import RecordingServer
from tests.stack.embedded import wait_until
from tests.stack.systemd import HOME, ROOT, USER, Manager, system_manager, user_manager

UNITS: Final = ROOT / "deploy" / "systemd"
KEY: Final = "sk-units-0123456789abcdef"
UNIT: Final = "litellm.service"
# Asks our adapter inside, where the unit's processes are to be seen: configuration, method, time limit.
ASK: Final = """
import json, sys
from pathlib import Path
from pytest_aibackend.deploy.service import ServiceError, service_of, systemd
from pytest_aibackend.serving.state import StateDir
from pytest_aibackend.sources.backend import load_backend
folder, method, reload_s = sys.argv[1:]
systemd.RELOAD_S = float(reload_s)
backend = load_backend(Path(folder))
service = service_of(backend, StateDir(backend.resolve(backend.gateway.deploy.state_dir)))
try:
    value = getattr(service, method)()
except ServiceError as error:
    value = {"error": str(error)}
if method == "state" and not isinstance(value, dict):
    value = {name: getattr(value, name) for name in ("running", "pid", "detail")}
print(json.dumps(value))
"""
APPROVE: Final = """
import sys
from pathlib import Path
from pytest_aibackend.serving.state import StateDir, sha256
folder = Path(sys.argv[1])
StateDir(folder / ".aibackend" / "deploy").approve(sha256((folder / "litellm-unified.yaml").read_bytes()))
"""


class Gateway:
    """A gateway that a unit runs."""

    def __init__(self, manager: Manager, outside: Path, inside: str) -> None:
        self.manager = manager
        self.provider = RecordingServer("provider").start()
        self.outside = outside  # its configuration, as we see it
        self.inside = inside  # and as it does
        self.port = free_port()
        outside.mkdir(parents=True)
        kind = "systemd-user" if manager.user else "systemd"
        deploy = {
            "url": f"http://127.0.0.1:{self.port}",
            "service": {"kind": kind, "name": UNIT},
            "workers": 1,
        }
        (outside / "gateway.yaml").write_text(yaml.safe_dump({"deploy": deploy}))
        self.deploy("alpha")

    def deploy(self, *models: str) -> None:
        """Write the deployed file."""
        parameters = {"api_base": f"{self.provider.url}/v1", "api_key": "none"}
        listed = [
            {"model_name": model, "litellm_params": {"model": f"openai/{model}", **parameters}}
            for model in models
        ]
        settings = {"master_key": "os.environ/LITELLM_MASTER_KEY"}
        text = yaml.safe_dump({"model_list": listed, "general_settings": settings})
        (self.outside / "litellm-unified.yaml").write_text(text)
        self.manager.own(self.outside)

    def approve(self) -> None:
        self.manager.python(APPROVE, self.inside)
        self.manager.own(self.outside)

    def served(self) -> list[str]:
        """Return the model groups that the gateway serves, none where it refuses connections."""
        try:
            return sorted(model["id"] for model in self._call("models")["data"])
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                return []
            raise

    def complete(self, model: str) -> Any:
        """Return what the gateway answers to a chat completion."""
        return self._call(
            "chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        )

    def _call(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/{path}",
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def ask(
        self, method: str, *, reload_s: float = 30.0, environment: Mapping[str, str] | None = None
    ) -> Any:
        """Ask our adapter; what it refuses comes as {"error": text}."""
        command = [sys.executable, "-c", ASK, self.inside, method, str(reload_s)]
        done = self.manager.run(*command, timeout=120, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def status(self, name: str) -> str:
        """Return a field of /proc/PID/status of the main process."""
        text = self.manager.run("cat", f"/proc/{self.manager.show(UNIT, 'MainPID')}/status").stdout
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)[name]


def write_environment(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'# keys\nLITELLM_MASTER_KEY="{KEY}"\nPATH={ROOT}/.venv/bin:/usr/bin:/bin\n')
    path.chmod(0o600)


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """The manager of an unprivileged user."""
    with user_manager(tmp_path_factory.mktemp("systemd") / "user") as manager:
        yield manager


@pytest.fixture(scope="module")
def gateway(manager: Manager) -> Iterator[Gateway]:
    """The real gateway, started by the user's unit as it is shipped."""
    gateway = Gateway(manager, manager.home / ".config/litellm/config", f"{HOME}/.config/litellm/config")
    write_environment(manager.home / ".config/litellm/litellm.env")
    manager.own(manager.home)
    for path in (UNITS / "user").rglob("*.*"):
        if path.is_file():
            manager.install(str(path.relative_to(UNITS / "user")), path.read_text())
    manager.install(
        f"{UNIT}.d/log.conf", f"[Service]\nStandardOutput=append:{HOME}/log\nStandardError=inherit\n"
    )
    assert gateway.ask("restart") is None  # which also starts what does not run
    yield gateway
    gateway.provider.stop()


@pytest.fixture
def stand_in(manager: Manager, tmp_path: Path) -> Iterator[Gateway]:
    """A configuration whose unit each test writes itself."""
    name = f"stand-in-{tmp_path.name}"
    stand_in = Gateway(manager, manager.home / name, f"{HOME}/{name}")
    text = (stand_in.outside / "gateway.yaml").read_text().replace(UNIT, f"{name}.service")
    (stand_in.outside / "gateway.yaml").write_text(text)
    yield stand_in
    stand_in.provider.stop()


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
    wait_until(lambda: gateway.ask("state")["detail"].startswith("active"), 90)
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


def test_unit_that_is_not_there(stand_in: Gateway) -> None:
    for method in ("state", "reload", "restart"):
        text = stand_in.ask(method)["error"]
        assert "~/.config/systemd/user" in text
        assert "systemctl --user daemon-reload" in text
    assert stand_in.ask("environment") is None


@pytest.mark.parametrize(
    ("service", "method", "said"),
    [
        ("ExecStart=/bin/sleep 60", "reload", "has no ExecReload="),
        ("ExecStart=/bin/sleep 60\nExecReload=/bin/false", "reload", "see `journalctl --user -n 30 -u"),
        ("Type=notify\nExecStart=/bin/false", "restart", "see `journalctl --user -n 30 -u"),
        ("Type=notify\nExecStart=/bin/nothing", "restart", "see `journalctl --user -n 30 -u"),
    ],
    ids=["no-exec-reload", "reload-fails", "start-fails", "no-program"],
)
def test_refusals_of_systemd(stand_in: Gateway, service: str, method: str, said: str, tmp_path: Path) -> None:
    unit = f"stand-in-{tmp_path.name}.service"
    stand_in.manager.install(unit, f"[Service]\n{service}\n")
    if "sleep" in service:
        stand_in.manager.systemctl("start", unit)
    assert said in stand_in.ask(method)["error"]


def test_reload_gets_through_although_an_earlier_one_never_ended(stand_in: Gateway, tmp_path: Path) -> None:
    unit = f"stand-in-{tmp_path.name}.service"
    heard = stand_in.outside / "heard"
    heard.touch(mode=0o666)
    heard.chmod(0o666)
    program = stand_in.outside / "program.py"
    program.write_text(
        "import os, signal, socket\n"
        "told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "def tell(text): told.sendto(text, os.environ['NOTIFY_SOCKET'])\n"
        "def hup(*_):\n"
        f"    print('heard', file=open({stand_in.inside + '/heard'!r}, 'a'))\n"
        "    tell(b'RELOADING=1')\n"  # and never READY=1
        "signal.signal(signal.SIGHUP, hup)\n"
        "tell(b'READY=1')\n"
        "while True: signal.pause()\n"
    )
    start = f"ExecStart=/usr/bin/env python3 {stand_in.inside}/program.py"
    reload = "ExecReload=/bin/kill -HUP $MAINPID"
    stand_in.manager.install(unit, f"[Service]\nType=notify\nNotifyAccess=main\n{start}\n{reload}\n")
    stand_in.manager.systemctl("start", unit)
    assert stand_in.ask("reload", reload_s=1.0) is None
    wait_until(lambda: stand_in.manager.show(unit, "ActiveState") == "reloading")
    so_far = len(heard.read_text().split())
    assert so_far > 0
    assert stand_in.ask("reload", reload_s=1.0) is None
    wait_until(lambda: len(heard.read_text().split()) > so_far)


def test_manager_is_found_without_a_session_and_else_missed_in_plain_words(stand_in: Gateway) -> None:
    text = stand_in.ask("state", environment={"XDG_RUNTIME_DIR": ""})["error"]
    assert "knows no stand-in-" in text  # so it was asked
    text = stand_in.ask("state", environment={"XDG_RUNTIME_DIR": "/run/nowhere"})["error"]
    assert "`loginctl enable-linger USER`" in text
    assert stand_in.ask("environment", environment={"XDG_RUNTIME_DIR": "/run/nowhere"}) is None

    settings = stand_in.outside / "gateway.yaml"
    settings.write_text(settings.read_text().replace("systemd-user", "systemd"))
    text = stand_in.ask("state")["error"]
    assert "this machine was not started with systemd" in text
    assert "deploy.service.kind in gateway.yaml to pidfile or none" in text


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
        manager.install(f"{UNIT}.d/test.conf", changes)
        began = time.monotonic()
        manager.systemctl("start", UNIT, timeout=120)
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
