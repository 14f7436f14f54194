"""The gateway's port from outside: refused, served, busy, taken, free."""

from __future__ import annotations

import socket

from pytest_aibackend.serving.knock import is_refused, listening_trouble


def test_a_port_that_is_served_is_neither_refused_nor_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_refused("127.0.0.1", port)
        assert not is_refused("0.0.0.0", port)
        assert listening_trouble("127.0.0.1", port) == "Address already in use"
    assert is_refused("127.0.0.1", port)
    assert listening_trouble("127.0.0.1", port) is None


def test_a_busy_port_is_not_refused() -> None:
    """Its queue is full: nobody is let in, and nobody is sent away."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        assert not is_refused("127.0.0.1", port)
        for client in waiting:
            client.close()


def test_an_address_of_another_machine() -> None:
    assert listening_trouble("192.0.2.1", 4000) == "Cannot assign requested address"
