"""What systemd refuses, forgets or cannot say: our adapter tells it in plain words, or gets through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.stack.systemd import HOME, Manager, user_manager
from tests.stack.systemd_gateway import UNIT, Gateway
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """The manager of an unprivileged user."""
    with user_manager(tmp_path_factory.mktemp("systemd") / "user") as manager:
        yield manager


@pytest.fixture
def stand_in(manager: Manager, tmp_path: Path) -> Iterator[Gateway]:
    """A configuration whose unit each test writes itself."""
    name = f"stand-in-{tmp_path.name}"
    stand_in = Gateway(manager, manager.home / name, f"{HOME}/{name}")
    text = (stand_in.outside / "gateway.yaml").read_text().replace(UNIT, f"{name}.service")
    (stand_in.outside / "gateway.yaml").write_text(text)
    yield stand_in
    stand_in.provider.stop()


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


LISTENER: Final = """
import os, signal, socket, sys, time
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
def tell(text):
    told.sendto(text, os.environ["NOTIFY_SOCKET"])
def hup(*_):
    print("heard", flush=True)
    tell(b"RELOADING=1" if sys.argv[1] == "never-ends" else b"STATUS=heard")
signal.signal(signal.SIGHUP, hup)
print("up", flush=True)
if sys.argv[1] == "slow":
    time.sleep(2)
tell(b"READY=1")
while True:
    signal.pause()
"""


def install_listener(stand_in: Gateway, unit: str, manner: str) -> Callable[[], list[str]]:
    """Install a service that writes down the HUPs it gets; return what reads them."""
    (stand_in.outside / "program.py").write_text(LISTENER)
    stand_in.manager.own(stand_in.outside)
    stand_in.manager.install(
        unit,
        "[Service]\nType=notify\nNotifyAccess=main\nExecReload=/bin/kill -HUP $MAINPID\n"
        f"ExecStart=/usr/bin/env python3 {stand_in.inside}/program.py {manner}\n"
        f"StandardOutput=append:{stand_in.inside}/heard\n",
    )
    heard = stand_in.outside / "heard"
    return lambda: heard.read_text().split() if heard.exists() else []


def test_reload_gets_through_although_an_earlier_one_never_ended(stand_in: Gateway, tmp_path: Path) -> None:
    unit = f"stand-in-{tmp_path.name}.service"
    heard = install_listener(stand_in, unit, "never-ends")
    stand_in.manager.systemctl("start", unit)
    assert stand_in.ask("reload", reload_s=1.0) is None
    wait_until(lambda: stand_in.manager.show(unit, "ActiveState") == "reloading")
    so_far = len(heard())
    assert so_far > 1
    assert stand_in.ask("reload", reload_s=1.0) is None
    wait_until(lambda: len(heard()) > so_far)


def test_reload_of_a_unit_that_is_starting_reaches_it(stand_in: Gateway, tmp_path: Path) -> None:
    unit = f"stand-in-{tmp_path.name}.service"
    heard = install_listener(stand_in, unit, "slow")
    stand_in.manager.systemctl("start", "--no-block", unit)
    wait_until(lambda: heard() == ["up"])
    assert stand_in.ask("reload") is None
    wait_until(lambda: heard() == ["up", "heard"])


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
