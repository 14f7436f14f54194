"""Servers that nobody would run on purpose, and that a probe meets all the same."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[socket.socket, threading.Event], None]


class HostileServer:
    """Accept connections and treat each with one behaviour, in a thread. `url` says where."""

    def __init__(self, behave: Behaviour, *, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self._behave = behave
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._closing = threading.Event()
        self._open: list[socket.socket] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with socket.socket() as knock:  # wakes accept(), which close() alone does not
            knock.connect_ex(("127.0.0.1", self.port))
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._closing.is_set():
                connection.close()
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._treat, args=(connection,), daemon=True).start()

    def _treat(self, connection: socket.socket) -> None:
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._behave(connection, self._closing)
        except OSError:
            pass  # the client has gone
        finally:
            connection.close()


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionResetError
        data += more
    return data


def _answers(reply: bytes) -> Behaviour:
    def behave(connection: socket.socket, closing: threading.Event) -> None:
        while not closing.is_set():
            _read_request(connection)
            connection.sendall(reply)

    return behave


def _with_body(body: bytes, *, status: str = "200 OK", content_type: str = "text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


PAGE = b"<!DOCTYPE html>\n<html><head><title>Welcome to nginx!</title></head><body>hello</body></html>"


def html_page() -> HostileServer:
    """Status 200 and a web page, whatever is asked for."""
    return HostileServer(_answers(_with_body(PAGE)))


def replies(body: bytes, *, status: str = "200 OK", content_type: str = "application/json") -> HostileServer:
    """The same answer, whatever is asked for."""
    return HostileServer(_answers(_with_body(body, status=status, content_type=content_type)))


def redirect(location: str, *, status: str = "307 Temporary Redirect") -> HostileServer:
    """A redirect, whatever is asked for."""
    return HostileServer(
        _answers(f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
    )


def endless_body() -> HostileServer:
    """An answer that never ends, as fast as it goes."""

    def behave(connection: socket.socket, closing: threading.Event) -> None:
        _read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not closing.is_set():
            connection.sendall(b" " * 65536)

    return HostileServer(behave)


def zip_bomb(size: int = 256 * 1024 * 1024) -> HostileServer:
    """A small answer that unpacks to a large one."""
    import zlib

    packer = zlib.compressobj(9, wbits=31)
    packed = (
        b"".join(packer.compress(b" " * 1024 * 1024) for _ in range(size // 1024 // 1024)) + packer.flush()
    )
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    return HostileServer(_answers(head.encode() + packed))


def slow_drip(pause_s: float = 0.05) -> HostileServer:
    """One byte after the other: never silent for long, and never done."""

    def behave(connection: socket.socket, closing: threading.Event) -> None:
        _read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not closing.wait(pause_s):
            connection.sendall(b" ")

    return HostileServer(behave)


def never_answers() -> HostileServer:
    """Accepts, and says nothing."""
    return HostileServer(_wait)


def _wait(_connection: socket.socket, closing: threading.Event) -> None:
    closing.wait()


def closes_at_once() -> HostileServer:
    """Accepts, and hangs up."""
    return HostileServer(lambda _connection, _closing: None)


def speaks(greeting: bytes) -> HostileServer:
    """Another protocol: says this after whatever comes in."""

    def behave(connection: socket.socket, closing: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(greeting)
        connection.shutdown(socket.SHUT_WR)

    return HostileServer(behave)


def tls(
    body: bytes = PAGE, *, host: str = "127.0.0.1", days: tuple[int, int] = (-1, 30), issue: bool = False
) -> tuple[HostileServer, bytes]:
    """A TLS server with a self-signed certificate for `host`, valid from day to day; and that certificate.

    Trusting the certificate (SSL_CERT_FILE) makes it a good one, unless its days or its host are wrong.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hostile {secrets.token_hex(4)}")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(pem + private)
        context.load_cert_chain(path)
    return HostileServer(_answers(_with_body(body)), context=context), pem
