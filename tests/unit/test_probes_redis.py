"""The Redis probe, against a real Valkey."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pytest_aibackend.probes import ProbeTargets, RedisObservation, RedisTarget, State, run_probes
from pytest_aibackend.probes.redis_names import escape_glob, in_namespace, is_litellm_name, namespace_pattern
from tests.fakes import hostile
from tests.fakes.real import ValkeyServer, valkey_server

NAMESPACE = "litellm:unified"
PASSWORD = "valkey-secret-4711"


def probe(port: int, *, timeout_s: float = 3.0, **more: object) -> RedisObservation:
    settings = {"namespace": NAMESPACE, **more}
    target = RedisTarget(port=port, **settings)  # type: ignore[arg-type]  # test sugar
    return run_probes(ProbeTargets(redis=(target,)), timeout_s=timeout_s).cache()


@pytest.fixture(scope="module")
def open_server() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def server(open_server: ValkeyServer) -> ValkeyServer:
    with open_server.client() as client:
        client.flushall()
    return open_server


def test_a_healthy_server(server: ValkeyServer) -> None:
    with server.client() as client:
        client.client_setname("somebody")
        client.config_set("maxmemory", "64mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        seen = probe(server.port)
        client.config_set("maxmemory", "0")
        client.config_set("maxmemory-policy", "noeviction")
    assert (seen.state, seen.server, seen.role) == (State.OK, "valkey", "master")
    assert seen.version is not None
    assert seen.version.startswith("9.")
    assert (seen.maxmemory, seen.maxmemory_policy) == (64 * 1024 * 1024, "allkeys-lru")
    assert seen.used_memory
    assert seen.evicted_keys == 0
    assert seen.password_required is False
    assert seen.clients is not None
    assert [each.name for each in seen.clients] == ["somebody"]


def test_the_namespace_probe_leaves_nothing(server: ValkeyServer) -> None:
    with server.client() as client:
        client.set("session:1", "theirs")
        seen = probe(server.port).namespace_probe
        assert seen is not None
        assert seen.key.startswith("litellm:unified:aibackend-probe:")
        steps = (seen.written, seen.read_back, seen.expires, seen.expired, seen.removed)
        assert (steps, seen.detail) == ((True,) * 5, "")
        assert client.keys("*") == [b"session:1"]


def test_whose_keys_are_whose(server: ValkeyServer) -> None:
    with server.client() as client:
        client.set(f"{NAMESPACE}:{'a' * 64}", 1)
        client.set(f"{NAMESPACE}:deployment:x:cooldown", 1)
        client.set(f"{NAMESPACE}ish:{'a' * 64}", 1)
        client.set("b" * 64, 1)
        client.set("deployment:abc:cooldown", 1)
        client.set("{api_key:88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b}:requests", 1)
        for number in range(2_500):
            client.set(f"session:{number:040}", 1)
        client.set("lonely", 1)
        with server.client(db=3) as elsewhere:
            elsewhere.set("x", 1)
        seen = probe(server.port)
    assert (seen.total_keys, seen.keys_scanned, seen.scan_complete) == (2_507, 2_507, True)
    assert seen.keys_in_namespace == 2
    assert seen.own_keys_outside == 3
    assert "bbbbbbbb…" in seen.own_keys_outside_examples
    prefixes = {each.prefix: each.count for each in seen.foreign_prefixes}
    assert prefixes == {"session:": 2_500, "litellm:": 1, "(no prefix)": 1}
    assert seen.foreign_prefixes[0].example == "session:00000000…"
    assert seen.other_databases == ((3, 1),)


def test_the_census_is_bounded(server: ValkeyServer) -> None:
    with server.client() as client:
        client.eval("for i=1,30000 do redis.call('set','k:'..i,1) end", 0)
        seen = probe(server.port, scan_limit=5_000)
    assert not seen.scan_complete
    assert 5_000 <= seen.keys_scanned < 8_000


def test_passwords() -> None:
    with valkey_server(password=PASSWORD) as guarded, valkey_server() as unguarded:
        seen = probe(guarded.port, password=PASSWORD)
        assert (seen.state, seen.password_required) == (State.OK, True)
        told = {
            "none": probe(guarded.port),
            "wrong": probe(guarded.port, password="not-the-password"),
            "needless": probe(unguarded.port, password=PASSWORD),
        }
    assert {name: (each.state, each.detail) for name, each in told.items()} == {
        "none": (State.UNAUTHORISED, "it wants a password"),
        "wrong": (State.UNAUTHORISED, "it refuses the user name or the password"),
        "needless": (State.UNAUTHORISED, "a password is configured here, but the server has none"),
    }


def test_a_user_who_may_do_little_is_no_failure(server: ValkeyServer) -> None:
    with server.client() as client:
        client.execute_command(
            "ACL", "SETUSER", "little", "on", ">little-secret", f"~{NAMESPACE}:*", "+@read"
        )
        client.execute_command("ACL", "SETUSER", "little", "+ping")
        seen = probe(server.port, username="little", password="little-secret")
    assert seen.state is State.OK
    assert (seen.version, seen.clients) == (None, None)
    assert seen.namespace_probe is not None
    assert not seen.namespace_probe.written
    assert "may not" in seen.namespace_probe.detail


def test_loading() -> None:
    with valkey_server() as server:
        with server.client() as client:
            client.eval("for i=1,4000 do redis.call('set','k:'..i,string.rep('x',400)) end", 0)
            client.save()
        dump = (server.folder / "dump.rdb").read_bytes()
        slow = server.folder / "slow"
        slow.mkdir()
        (slow / "dump.rdb").write_bytes(dump)
        settings = ["--dir", str(slow), "--key-load-delay", "1000"]
        settings += ["--loading-process-events-interval-bytes", "1024"]
        with valkey_server(settings=settings) as loading:
            seen = probe(loading.port)
    assert (seen.state, seen.detail) == (State.LOADING, "it is loading its data into memory")
    assert seen.version is not None  # INFO works meanwhile


def test_a_server_that_is_busy_is_slow_or_silent(server: ValkeyServer) -> None:
    with server.client() as client:
        connection = client.connection_pool.get_connection()
        connection.send_command("DEBUG", "SLEEP", "1.2")
        time.sleep(0.05)
        begin = time.perf_counter()
        seen = probe(server.port, timeout_s=0.5)
        assert time.perf_counter() - begin < 5.0
        connection.read_response()
        client.connection_pool.release(connection)
    assert seen.state is State.TIMEOUT


def test_strangers_and_silence() -> None:
    greeting = hostile.speaks(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with greeting, hostile.never_answers() as silent, hostile.tls()[0] as guarded, valkey_server() as plain:
        told = {
            "http": probe(greeting.port),
            "silent": probe(silent.port, timeout_s=0.5),
            "closed": probe(9),
            "tls-asked-plainly": probe(guarded.port),
            "plain-asked-with-tls": probe(plain.port, ssl=True),
        }
    assert {name: (each.state, each.detail) for name, each in told.items()} == {
        "http": (State.WRONG_SERVICE, "it does not answer as Redis: it seems to be an HTTP server"),
        "silent": (State.TIMEOUT, "no complete answer within 0.5 s"),
        "closed": (State.DOWN, "nothing listens there: the connection is refused"),
        "tls-asked-plainly": (State.TLS_ERROR, "it speaks TLS, and is asked without"),
        "plain-asked-with-tls": (
            State.TLS_ERROR,
            "it speaks Redis's protocol without TLS, and is asked with TLS",
        ),
    }


def test_without_a_namespace_nothing_is_written(server: ValkeyServer) -> None:
    with server.client() as client:
        for namespace in (None, ""):
            seen = probe(server.port, namespace=namespace)
            assert (seen.state, seen.namespace_probe, seen.keys_in_namespace) == (State.OK, None, None)
        assert probe(server.port, write_probe=False).namespace_probe is None
        assert client.dbsize() == 0


def test_names_as_litellm_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # no download
    from litellm.caching.caching import Cache
    from litellm.caching.redis_cache import RedisCache

    joined = RedisCache.check_and_fix_namespace(type("R", (), {"namespace": "a"})(), "key")
    assert joined == "a:key"
    assert in_namespace(b"a:key", "a")
    assert not in_namespace(b"ab:key", "a")
    assert is_litellm_name(Cache._get_hashed_cache_key("anything").encode())
    from litellm.router_utils.cooldown_cache import CooldownCache

    assert is_litellm_name(CooldownCache.get_cooldown_cache_key("model-id").encode())
    assert is_litellm_name(b"global_router:id:model:tpm:12-30")
    assert not is_litellm_name(b"sessions:1")


@pytest.mark.parametrize("namespace", ["a*", "a?", "[ab]", "a\\", "a^-b", "*", "ä:ö", "a b"])
def test_a_pattern_matches_only_its_namespace(server: ValkeyServer, namespace: str) -> None:
    names = [f"{each}:x" for each in (namespace, "a", "ab", "aa", "b", "axx", "a-b", "a\\\\", "")]
    with server.client() as client:
        for name in names:
            client.set(name, 1)
        assert client.keys(namespace_pattern(namespace)) == [f"{namespace}:x".encode()]
        assert client.keys(escape_glob(f"{namespace}:x")) == [f"{namespace}:x".encode()]


def test_an_empty_namespace_is_no_pattern() -> None:
    for empty in ("", "  "):
        with pytest.raises(ValueError, match="every key"):
            namespace_pattern(empty)
