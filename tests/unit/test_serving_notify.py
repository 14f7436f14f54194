"""The notifications to a service manager, received on a real socket."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_aibackend.serving.notify import Notifier


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as received:
        received.bind(address)
        received.settimeout(10)
        yield received


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_each_message_arrives_in_the_words_of_sd_notify(tmp_path: Path, kind: str) -> None:
    name = str(tmp_path / "notify") if kind == "path" else f"@aibackend-{secrets.token_hex(8)}"
    with manager(name.replace("@", "\0")) as received:
        notifier = Notifier({"NOTIFY_SOCKET": name})
        before = time.monotonic_ns() // 1000
        notifier.ready("serving 127.0.0.1:4000")
        notifier.reloading()
        notifier.status("a \0 b")
        notifier.stopping()
        notifier.alive()  # nobody watches: not sent
        notifier.status("last")
        assert received.recv(4096) == b"READY=1\nSTATUS=serving 127.0.0.1:4000"
        reloading, _, moment = received.recv(4096).partition(b"\nMONOTONIC_USEC=")
        assert reloading == b"RELOADING=1"
        assert before <= int(moment) <= time.monotonic_ns() // 1000
        assert [received.recv(4096) for _ in range(3)] == [b"STATUS=a   b", b"STOPPING=1", b"STATUS=last"]


def test_the_watchdog_is_fed_twice_in_its_time_and_no_more(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with manager(name) as received:
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"})
        began = time.monotonic()
        while time.monotonic() - began < 1.0:
            notifier.alive()
            time.sleep(0.01)
        lasted = time.monotonic() - began
        notifier.status("end")
        fed = 0
        while received.recv(4096) == b"WATCHDOG=1":
            fed += 1
    assert 2 <= fed <= lasted / 0.2 + 1


@pytest.mark.parametrize("name", ["", "/nobody/listens", "@nobody-listens-here", "/" + 200 * "long"])
def test_a_manager_that_cannot_be_told_harms_nobody(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "often"})
    notifier.ready("serving")
    notifier.alive()
    notifier.stopping()
