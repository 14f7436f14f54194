"""Cache care touches the namespace's keys, and nothing else on the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import redis

from pytest_aibackend.cache import CacheError, cache_command, clear, report, stats
from pytest_aibackend.probes import RedisTarget
from tests.fakes.real import ValkeyServer, valkey_server

PASSWORD = "cache-secret-0815"
Everything = dict[tuple[int, bytes], tuple[bytes, int]]


@pytest.fixture(scope="module")
def one_server() -> Iterator[ValkeyServer]:
    with valkey_server(password=PASSWORD) as server:
        yield server


@pytest.fixture
def server(one_server: ValkeyServer) -> ValkeyServer:
    with one_server.client() as client:
        client.flushall()
    return one_server


def target(server: ValkeyServer, namespace: str | None = "litellm:unified", **more: object) -> RedisTarget:
    settings = {"password": PASSWORD, **more}
    return RedisTarget(port=server.port, namespace=namespace, **settings)  # type: ignore[arg-type]  # sugar


def fill(client: redis.Redis, namespace: str, number: int = 1_200) -> None:
    """A cache as LiteLLM leaves it, and a second tenant with one key of each kind and names close to ours."""
    with client.pipeline() as pipe:
        for each in range(number):
            pipe.set(f"{namespace}:{each:064x}", "{}", ex=600 if each % 2 else None)
        pipe.hset(f"{namespace}:hash", "a", "1")
        for theirs in (namespace, f"{namespace}ish:1", f"x{namespace}:1", f"{namespace[:-1]}:1"):
            pipe.set(theirs, "theirs")
        pipe.set("session:1", "theirs", ex=9_999)
        pipe.rpush("queue", "a", "b")
        pipe.hset("user:1", mapping={"name": "x"})
        pipe.sadd("set:1", "a")
        pipe.zadd("sorted", {"a": 1})
        pipe.xadd("stream", {"a": "1"})
        pipe.set(b"\xff\xfe:binary", b"\x00")
        pipe.execute()


def dump_others(server: ValkeyServer, namespace: str) -> Everything:
    """DUMP and expiry of every key of every database outside the namespace."""
    everything: Everything = {}
    for number in range(16):
        with server.client(db=number) as client:
            for key in client.scan_iter(count=1000):
                if number != 0 or not key.startswith(f"{namespace}:".encode()):
                    everything[number, key] = (client.dump(key), client.expiretime(key))
    return everything


@pytest.mark.parametrize("namespace", ["litellm:unified", "a", "a*", "[ab]?", "back\\slash", "sp ace", "ü:1"])
def test_clear_removes_the_namespace_and_changes_nothing_else(server: ValkeyServer, namespace: str) -> None:
    with server.client() as client, server.client(db=5) as elsewhere:
        fill(client, namespace)
        elsewhere.set(f"{namespace}:same-name-in-another-database", 1)
        others = dump_others(server, namespace)
        assert len(others) == 12

        rehearsed = clear(target(server, namespace), dry_run=True)
        assert (rehearsed.found, rehearsed.removed) == (1_201, 0)
        assert client.dbsize() == 1_201 + 11

        done = clear(target(server, namespace), dry_run=False)
        assert (done.found, done.removed, done.keys_of_others) == (1_201, 1_201, 11)
        assert dump_others(server, namespace) == others
        assert client.dbsize() == 11


def test_clear_uses_no_blocking_command(server: ValkeyServer) -> None:
    with server.client() as client:
        fill(client, "n")
        client.config_resetstat()
        clear(target(server, "n"), dry_run=False)
        stats(target(server, "n"))
        used = set(client.info("commandstats"))
    assert {"cmdstat_scan", "cmdstat_unlink"} <= used
    assert not used & {"cmdstat_keys", "cmdstat_flushdb", "cmdstat_flushall", "cmdstat_del"}


def test_stats(server: ValkeyServer) -> None:
    with server.client() as client:
        fill(client, "litellm:unified", 100)
    seen = stats(target(server))
    assert (seen.keys, seen.with_expiry, seen.without_expiry) == (101, 50, 51)
    assert seen.keys_of_others == 11
    assert seen.bytes_used is not None
    assert seen.bytes_used > 1_000
    assert seen.latest_expiry_s is not None
    assert 500 < seen.latest_expiry_s <= 600
    text = report(seen)
    assert text.startswith(f"namespace 'litellm:unified' on 127.0.0.1:{server.port}/0: 101 keys\n")
    assert "50 expire, 51 never do" in text
    assert "11 keys of others in the same database, not touched" in text
    assert report(stats(target(server, "empty"))).startswith("namespace 'empty'")


@pytest.mark.parametrize("namespace", [None, "", "   "])
def test_an_empty_namespace_is_refused(server: ValkeyServer, namespace: str | None) -> None:
    with server.client() as client:
        client.set("theirs", 1)
        for act in (stats, lambda it: clear(it, dry_run=False)):
            with pytest.raises(CacheError, match="no cache namespace"):
                act(target(server, namespace))
        assert client.dbsize() == 1


def test_command_line(server: ValkeyServer, capsys: pytest.CaptureFixture[str]) -> None:
    with server.client() as client:
        fill(client, "litellm:unified", 10)
        assert cache_command("clear", target(server), dry_run=True, as_json=False) == 0
        assert "would remove 11 keys" in capsys.readouterr().out
        assert cache_command("stats", target(server), dry_run=False, as_json=True) == 0
        assert json.loads(capsys.readouterr().out)["keys"] == 11
        assert cache_command("clear", target(server), dry_run=False, as_json=True) == 0
        assert json.loads(capsys.readouterr().out)["removed"] == 11
        assert cache_command("clear", target(server), dry_run=False, as_json=False) == 0
        assert "removed 0 keys" in capsys.readouterr().out
        assert cache_command("explode", target(server), dry_run=False, as_json=False) == 2
        assert cache_command("clear", target(server, ""), dry_run=False, as_json=False) == 2
        assert "nothing was touched" in capsys.readouterr().err


def test_trouble_is_told_in_words_without_the_password(
    server: ValkeyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "wrong-secret-123"
    assert cache_command("stats", target(server, password=wrong), dry_run=False, as_json=False) == 1
    assert cache_command("clear", RedisTarget(port=9, namespace="n"), dry_run=False, as_json=False) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "it refuses the user name or the password" in told.err
    assert "nothing listens there: the connection is refused" in told.err
    assert not re.search(f"{wrong}|{PASSWORD}|Traceback", told.err)
