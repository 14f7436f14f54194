"""A reload and the gateway's cache: a real Valkey that is there, is not there, or goes away in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.ports import free_port
from tests.fakes.real import valkey_server
from tests.stack.forked_reload import ForkedReloads
from tests.stack.reloading import Deployment, deployment

# The cache goes when the gateway is told to reload, and its port with it.
CACHE_DIES = """
from pytest_aibackend.deploy import transaction
import redis
signal = transaction._signal
def dies(*arguments, **more):
    try:
        redis.Redis(port={port}).shutdown(nosave=True)
    except redis.ConnectionError:
        pass
    return signal(*arguments, **more)
vars(transaction)["_signal"] = dies
"""


@pytest.fixture(scope="module")
def reloads() -> Iterator[ForkedReloads]:
    with ForkedReloads() as forked:
        yield forked


@pytest.fixture
def running(tmp_path: Path, reloads: ForkedReloads) -> Iterator[Deployment]:
    with deployment(tmp_path / "site") as site:
        assert reloads.reload(site).status == 0
        site.start()
        yield site


def cache_in(site: Deployment, port: int) -> None:
    settings = {"type": "redis", "host": "127.0.0.1", "port": port, "namespace": "litellm:unified"}
    caching = {"litellm_settings": {"cache": True, "cache_params": settings}}
    site.write("gateway.yaml", site.gateway_yaml() | caching)


def test_a_cache_that_answers_and_is_left_alone(running: Deployment, reloads: ForkedReloads) -> None:
    with valkey_server() as server:
        cache_in(running, server.port)
        done = reloads.reload(running)
        assert (done.status, done.document["outcome"]) == (0, "deployed"), done
        assert server.client().dbsize() == 0
    # Gone since: that is no reason not to deploy the next change, and it is said.
    running.serve("alpha", "gamma")
    done = reloads.reload(running)
    assert (done.status, done.document["outcome"]) == (0, "deployed"), done
    (note,) = done.document["notes"]
    assert f"redis at 127.0.0.1:{server.port}" in note
    assert "not this change" in note


def test_a_cache_that_does_not_answer_is_refused(running: Deployment, reloads: ForkedReloads) -> None:
    before, backups = running.deployed_sha256(), running.backups()
    port = free_port()
    cache_in(running, port)
    done = reloads.reload(running)
    assert (done.status, done.document["outcome"]) == (1, "refused"), done
    assert f"redis at 127.0.0.1:{port}" in done.document["reason"]
    assert (running.deployed_sha256(), running.backups()) == (before, backups)
    assert reloads.reload(running, validate_only=True).status == 0  # where nothing runs, nothing is asked


def test_a_cache_that_goes_away_in_between(running: Deployment, reloads: ForkedReloads) -> None:
    before = running.deployed_sha256()
    with valkey_server() as server:
        cache_in(running, server.port)
        done = reloads.reload(running, code=CACHE_DIES.format(port=server.port))
    assert (done.status, done.document["outcome"]) == (3, "rolled-back"), done
    assert f"redis at 127.0.0.1:{server.port}" in done.document["reason"]
    assert running.deployed_sha256() == running.served_sha256() == before
    assert running.leftovers() == []
