"""Check 11 against a real Valkey, brought into every state that the check tells apart."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from pytest_aibackend.rules.registry import LiveBackend
from tests.fakes import hostile
from tests.fakes.ports import free_port
from tests.fakes.real import ValkeyServer, valkey_server
from tests.fakes.vllm import VllmServer
from tests.stack.live_config import Judged, judge, judge_seen, redis_gateway, run_checks, write_config
from tests.waiting import wait_until

NAMESPACE = "litellm:unified"
PASSWORD = "cache-password-2f9b6c"
WRONG_PASSWORD = "wrong-password-77d0e1"


@pytest.fixture(autouse=True)
def without_redis_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def shared() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def server(shared: ValkeyServer) -> Iterator[ValkeyServer]:
    """The one Valkey of these tests, empty and as it was configured at first."""
    yield shared
    with shared.client() as client:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
        client.replicaof("NO", "ONE")
        client.flushall()


def judge_redis(folder: Path, port: int, *, timeout_s: float = 2.0, **params: Any) -> Judged:
    return judge(
        write_config(folder / "config", gateway=redis_gateway(port, **params)), 11, timeout_s=timeout_s
    )


def named(judged: Judged) -> list[tuple[str, str]]:
    return [(each.rule, str(each.severity)) for each in judged.findings]


def snapshot(client: redis.Redis) -> dict[str, Any]:
    """Return all that a probe must not change: every key's value and life time, and the settings."""
    keys = sorted(client.scan_iter(count=1000))
    values = {key: (client.dump(key), client.expiretime(key)) for key in keys}
    return {"keys": values, "config": client.config_get("*"), "users": client.acl_list()}


def test_a_healthy_server_passes_and_is_left_as_it_was(server: ValkeyServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.set("sessions:alice", "secret", ex=1000)
        client.rpush("queue:jobs", "a", "b")
        client.set(f"{NAMESPACE}:{'0' * 64}", "an answer", ex=600)
        before = snapshot(client)
        judged = judge_redis(tmp_path, server.port)
        after = snapshot(client)

    assert judged.findings == ()
    assert judged.subjects["redis-endpoint"] == (f"127.0.0.1:{server.port}",)
    assert judged.subjects["redis-namespace"] == (NAMESPACE,)
    assert after == before
    (seen,) = judged.observations.redis
    probe = seen.namespace_probe
    assert probe is not None
    assert (probe.written, probe.read_back, probe.expires, probe.expired, probe.removed) == (True,) * 5
    assert probe.key.startswith(f"{NAMESPACE}:")
    assert (seen.keys_in_namespace, seen.total_keys) == (1, 3)


def test_down(tmp_path: Path) -> None:
    judged = judge_redis(tmp_path, free_port())

    assert named(judged) == [("redis-down", "error")]
    assert "nothing listens there" in judged.message("redis-down")


def test_hanging(tmp_path: Path) -> None:
    with hostile.never_answers() as server:
        judged = judge_redis(tmp_path, server.port, timeout_s=0.5)

    assert named(judged) == [("redis-down", "error")]
    assert "0.5 s" in judged.message("redis-down")


def test_a_web_page_is_not_redis(tmp_path: Path) -> None:
    with hostile.html_page() as page:
        judged = judge_redis(tmp_path, page.port)

    assert named(judged) == [("redis-wrong-service", "error")]
    assert "HTTP" in judged.message("redis-wrong-service")


def test_a_model_server_is_not_redis(tmp_path: Path) -> None:
    with VllmServer() as vllm:
        judged = judge_redis(tmp_path, vllm.port)

    assert named(judged) == [("redis-wrong-service", "error")]
    assert "HTTP" in judged.message("redis-wrong-service")


def test_tls_where_there_is_none(server: ValkeyServer, tmp_path: Path) -> None:
    judged = judge_redis(tmp_path, server.port, ssl=True)

    assert named(judged) == [("redis-tls", "error")]
    assert "without TLS" in judged.message("redis-tls")


@pytest.mark.parametrize(("ssl", "words"), [(False, "it speaks TLS"), (True, "self-signed")])
def test_tls_that_does_not_fit(ssl: bool, words: str, tmp_path: Path) -> None:
    with hostile.tls()[0] as secure:
        judged = judge_redis(tmp_path, secure.port, ssl=ssl)

    assert named(judged) == [("redis-tls", "error")]
    assert words in judged.message("redis-tls")


class TestPassword:
    @pytest.fixture(scope="module")
    @staticmethod
    def guarded() -> Iterator[ValkeyServer]:
        with valkey_server(password=PASSWORD) as server:
            yield server

    def test_missing(self, guarded: ValkeyServer, tmp_path: Path) -> None:
        judged = judge_redis(tmp_path, guarded.port)

        assert named(judged) == [("redis-unauthorised", "error")]
        assert judged.message("redis-unauthorised").endswith("it wants a password")

    def test_variable_unset(self, guarded: ValkeyServer, tmp_path: Path) -> None:
        judged = judge_redis(tmp_path, guarded.port, password="os.environ/REDIS_PASSWORD")

        assert named(judged) == [("redis-unauthorised", "error")]

    def test_wrong(self, guarded: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_PASSWORD", WRONG_PASSWORD)
        judged = judge_redis(tmp_path, guarded.port, password="os.environ/REDIS_PASSWORD")

        assert named(judged) == [("redis-unauthorised", "error")]
        assert "refuses the user name or the password" in judged.message("redis-unauthorised")
        assert WRONG_PASSWORD not in repr(judged.observations) + repr(judged.findings)

    def test_right(self, guarded: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_PASSWORD", PASSWORD)
        judged = judge_redis(tmp_path, guarded.port, password="os.environ/REDIS_PASSWORD")

        assert judged.findings == ()
        assert judged.observations.redis[0].password_required is True

    def test_written_into_the_file_it_is_not_shown(self, guarded: ValkeyServer, tmp_path: Path) -> None:
        wrong = write_config(
            tmp_path / "config", gateway=redis_gateway(guarded.port, password=WRONG_PASSWORD)
        )
        run = run_checks(wrong, "-vv", "--showlocals", checks=(11,))

        assert run.returncode == 1
        assert run.rules(11) == ["redis-unauthorised"]
        assert WRONG_PASSWORD not in run.output + run.report

    def test_for_a_server_without_one(self, server: ValkeyServer, tmp_path: Path) -> None:
        judged = judge_redis(tmp_path, server.port, password=PASSWORD)

        assert named(judged) == [("redis-unauthorised", "error")]
        assert "the server has none" in judged.message("redis-unauthorised")


def test_loading(server: ValkeyServer, tmp_path: Path) -> None:
    with server.client() as client, server.client() as other:
        for number in range(200):
            client.set(f"data:{number}", "x" * 4096)
        client.config_set("loading-process-events-interval-bytes", 1024)
        client.config_set("key-load-delay", 25_000)  # microseconds: five seconds in all
        reload = threading.Thread(target=other.execute_command, args=("DEBUG", "RELOAD"))
        reload.start()
        try:
            wait_until(lambda: client.info("persistence")["loading"] == 1)
            judged = judge_redis(tmp_path, server.port)
        finally:
            wait_until(lambda: allows(client, "key-load-delay", 0))
            reload.join()

    assert named(judged) == [("redis-loading", "error")]
    assert "loading its data" in judged.message("redis-loading")
    assert judged.observations.redis[0].namespace_probe is None


def allows(client: redis.Redis, name: str, value: int) -> bool:
    try:
        client.config_set(name, value)
    except redis.BusyLoadingError:
        return False
    return True


def test_slow(server: ValkeyServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.client_pause(3000, all=True)
        judged = judge_redis(tmp_path, server.port, timeout_s=4.0)

    assert named(judged) == [("redis-slow", "warning")]
    assert "4 s" in judged.message("redis-slow")


@contextmanager
def of_version(server: ValkeyServer, version: bytes) -> Iterator[int]:
    """The same server, but it says that it is of another version; gives its port."""
    with server.client() as client:
        true = client.info("server")["valkey_version"].encode()
    assert len(true) == len(version)

    def relay(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data.replace(b"valkey_version:" + true, b"valkey_version:" + version))
        except OSError:
            pass  # one of the two has hung up
        finally:
            target.close()

    def behave(connection: socket.socket, _closing: threading.Event) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as onward:
            back = threading.Thread(target=relay, args=(onward, connection), daemon=True)
            back.start()
            relay(connection, onward)
            back.join()

    with hostile.HostileServer(behave) as between:
        yield between.port


@pytest.mark.parametrize(("version", "found"), [(b"5.0.9", [("redis-too-old", "warning")]), (b"6.2.0", [])])
def test_version(server: ValkeyServer, version: bytes, found: list[tuple[str, str]], tmp_path: Path) -> None:
    with of_version(server, version) as port:
        judged = judge_redis(tmp_path, port)

    assert named(judged) == found
    assert judged.observations.redis[0].version == version.decode()


def test_a_replica_takes_no_writes(server: ValkeyServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", free_port())
        judged = judge_redis(tmp_path, server.port)

    # That the namespace cannot be written follows from it, and is said as well.
    assert named(judged) == [("redis-read-only", "error"), ("namespace-unusable", "error")]
    assert "read only replica" in judged.message("namespace-unusable")


def test_no_namespace(server: ValkeyServer, tmp_path: Path) -> None:
    judged = judge_redis(tmp_path, server.port, namespace=None)

    assert named(judged) == [("namespace-missing", "error")]
    assert judged.subjects["redis-namespace"] == ("(no namespace)",)


def test_no_parameters_at_all(server: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", str(server.port))
    folder = write_config(tmp_path / "config", gateway={"litellm_settings": {"cache": True}})
    judged = judge(folder, 11)

    assert named(judged) == [("namespace-missing", "error")]
    assert judged.observations.redis[0].address == f"127.0.0.1:{server.port}/0"


def test_no_cache_is_nothing_to_check(tmp_path: Path) -> None:
    judged = judge(write_config(tmp_path / "config", gateway={"litellm_settings": {"cache": False}}), 11)

    assert judged.subjects == {"redis-endpoint": (), "redis-namespace": ()}
    assert judged.observations.redis == ()


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        (f"~{NAMESPACE}:*", []),
        ("~others:*", [("namespace-unusable", "error")]),
        (f"%R~{NAMESPACE}:*", [("namespace-unusable", "error")]),
    ],
)
def test_what_an_acl_allows(
    server: ValkeyServer,
    keys: str,
    found: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CACHE_PASSWORD", PASSWORD)
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "gateway", "reset", "on", f">{PASSWORD}", keys, "+@all", "-@dangerous", "+scan"
        )
        judged = judge_redis(tmp_path, server.port, username="gateway", password="os.environ/CACHE_PASSWORD")
        client.acl_deluser("gateway")

    assert named(judged) == found
    if found:
        assert "this user may not do that" in judged.message("namespace-unusable")
    assert PASSWORD not in repr(judged.observations) + repr(judged.findings)


def test_keys_of_a_gateway_outside_the_namespace(server: ValkeyServer, tmp_path: Path) -> None:
    with server.client() as client:
        client.set("9f" * 32, "an answer of a gateway without a namespace")
        client.set("deployment:abc:cooldown", "1")
        client.set("sessions:alice", "not ours")
        judged = judge_redis(tmp_path, server.port)

    assert named(judged) == [("keys-outside-namespace", "warning")]
    message = judged.message("keys-outside-namespace")
    assert message.startswith("2 keys of a gateway lie outside 'litellm:unified', such as ")
    assert "alice" not in message
    assert "9f" * 32 not in message


class TestMemory:
    def test_a_policy_that_drops_what_belongs_to_others(self, server: ValkeyServer, tmp_path: Path) -> None:
        with server.client() as client:
            client.config_set("maxmemory", 100_000_000)
            client.config_set("maxmemory-policy", "allkeys-lru")
            assert judge_redis(tmp_path / "alone", server.port).findings == ()
            client.mset({f"sessions:{number}": "x" for number in range(3)})
            judged = judge_redis(tmp_path / "with others", server.port)
            client.config_set("maxmemory-policy", "volatile-lru")
            assert judge_redis(tmp_path / "mended", server.port).findings == ()

        assert named(judged) == [("redis-memory", "warning")]
        assert judged.message("redis-memory") == (
            "maxmemory-policy allkeys-lru drops keys of everybody, and 3 keys here belong to others"
        )

    def test_nearly_full(self, server: ValkeyServer, tmp_path: Path) -> None:
        with server.client() as client:
            client.set("ballast:1", b"x" * 40_000_000)
            used = client.info("memory")["used_memory"]
            client.config_set("maxmemory", int(used / 0.95))
            judged = judge_redis(tmp_path / "nearly", server.port)
            client.config_set("maxmemory", used * 2)
            assert judge_redis(tmp_path / "roomy", server.port).findings == ()

        assert named(judged) == [("redis-memory", "warning")]
        assert "noeviction refuses writes" in judged.message("redis-memory")

    def test_full(self, server: ValkeyServer, tmp_path: Path) -> None:
        with server.client() as client:
            client.set("ballast:1", b"x" * 40_000_000)
            client.config_set("maxmemory", 20_000_000)
            judged = judge_redis(tmp_path, server.port)

        assert named(judged) == [("redis-memory", "warning"), ("namespace-unusable", "error")]
        assert "full" in judged.message("redis-memory")
        assert "maxmemory" in judged.message("namespace-unusable")


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("127.0.0.1", []),
        ("127.0.0.53", []),
        ("localhost", []),
        ("::1", []),
        ("10.1.2.3", [("redis-without-password", "warning")]),
        ("cache.internal", [("redis-without-password", "warning")]),
    ],
)
def test_open_to_the_network(
    server: ValkeyServer, host: str, found: list[tuple[str, str]], tmp_path: Path
) -> None:
    judged = judge_redis(tmp_path, server.port)
    (seen,) = judged.observations.redis
    assert seen.password_required is False

    # As the same server would be seen from elsewhere: a test has no other machine to ask from.
    moved = replace(judged.observations, redis=(replace(seen, address=f"{host}:{server.port}/0"),))
    live = LiveBackend(backend=judged.backend, observations=as_seen(moved))
    assert named(judge_seen(judged.backend, live, (11,))) == found


def as_seen(observations: Any) -> Any:
    from pytest_aibackend.live import Seen

    return Seen(observations=observations, unset_variables=frozenset())
