"""Who listens on a port."""

from __future__ import annotations

import os
import socket

import psutil

from pytest_aibackend.probes import PortTarget, ProbeTargets, State, run_probes
from tests.fakes.ports import free_port


def test_listeners_are_named_and_silence_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as everywhere:
        silent = free_port()
        ports = (
            PortTarget(name="one", port=one.getsockname()[1], protocol="http", required=True),
            PortTarget(name="everywhere", port=everywhere.getsockname()[1]),
            PortTarget(name="silent", port=silent),
        )
        seen = run_probes(ProbeTargets(ports=ports), timeout_s=2)
    (listener,) = seen.port("one").listeners or ()
    assert (listener.address, listener.pid) == ("127.0.0.1", os.getpid())
    assert listener.process == psutil.Process().name()
    assert listener.is_loopback
    assert not listener.is_on_all_interfaces
    assert seen.port("one").reachable
    assert seen.port("one").protocol == "http"
    (listener,) = seen.port("everywhere").listeners or ()
    assert listener.is_on_all_interfaces
    assert (seen.port("silent").state, seen.port("silent").listeners) == (State.DOWN, ())


def test_a_listener_on_another_address_is_told() -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        target = PortTarget(name="p", port=other.getsockname()[1])
        seen = run_probes(ProbeTargets(ports=(target,)), timeout_s=2).port("p")
    assert (seen.state, seen.reachable) == (State.DOWN, False)
    assert seen.detail == "nothing listens on 127.0.0.1, only on 127.0.0.2"


def test_a_port_that_cannot_be_is_an_observation() -> None:
    seen = run_probes(ProbeTargets(ports=(PortTarget(name="p", port=70000),)), timeout_s=2).port("p")
    assert not seen.reachable
