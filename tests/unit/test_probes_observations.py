"""Observations cross process borders as JSON, and come back equal."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pytest_aibackend.probes import (
    EndpointAnswer,
    GatewayObservation,
    GroupsAnswer,
    KeyPrefix,
    Listener,
    NamespaceProbe,
    Observations,
    PortObservation,
    ProviderObservation,
    RedisClient,
    RedisObservation,
    State,
)
from pytest_aibackend.probes.serving import ServingObservation
from pytest_aibackend.serving.state import GatewayNote, VerifiedNote, WorkerNote, WorkerState

ANSWER = EndpointAnswer(endpoint="/x", state=State.OK, detail="fine", status_code=200, latency_s=1.0)
FULL = Observations(
    providers=(
        ProviderObservation(
            name="o",
            type="ollama",
            url="http://h",
            state=State.SLOW,
            detail="slow",
            models=("a", "b"),
            latency_s=2.5,
        ),
    ),
    gateways=(
        GatewayObservation(
            name="gateway",
            url="http://g",
            state=State.OK,
            detail="ok",
            liveness=ANSWER,
            readiness=ANSWER,
            models=ANSWER,
            answers=(GroupsAnswer(groups=("x",), count=2), GroupsAnswer(groups=(), count=1)),
        ),
    ),
    redis=(
        RedisObservation(
            name="redis",
            address="h:1/0",
            state=State.LOADING,
            detail="…",
            namespace_probe=NamespaceProbe(key="n:k"),
            foreign_prefixes=(KeyPrefix(prefix="p:", count=1, example="p:x"),),
            other_databases=((1, 7),),
            clients=(RedisClient(name="", address="h", db=0, library="", user="default", count=1),),
        ),
    ),
    ports=(
        PortObservation(
            name="p",
            port=1,
            protocol="tcp",
            state=State.DOWN,
            detail="",
            reachable=False,
            listeners=(Listener(address="::", pid=1),),
        ),
    ),
    serving=ServingObservation(
        file="litellm-unified.yaml",
        deployed_sha256="ab",
        verified=VerifiedNote(sha256="cd", at=1.5, by="reload"),
        gateway=GatewayNote(
            pid=1, start=2.0, master=None, workers=2, host="::1", port=4000, file="litellm-unified.yaml"
        ),
        workers=(
            WorkerNote(
                pid=3, start=4, started=5, master=1, state=WorkerState.LEAVING, sha256="cd", source="verified"
            ),
        ),
    ),
    duration_s=0.5,
    timeout_s=5.0,
)


def test_observations_survive_json() -> None:
    again = Observations.from_json(json.loads(json.dumps(FULL.to_json())))
    assert again == FULL
    assert again.providers[0].state is State.SLOW
    assert again.gateways[0].workers_disagree
    assert again.serving is not None
    assert again.serving.serving[0].state is WorkerState.LEAVING
    listeners = again.ports[0].listeners
    assert listeners is not None
    assert listeners[0].is_on_all_interfaces


def test_observations_are_found_by_name() -> None:
    assert FULL.provider("o") is FULL.providers[0]
    assert FULL.gateway() is FULL.gateways[0]
    assert FULL.cache() is FULL.redis[0]
    assert FULL.port("p") is FULL.ports[0]
    with pytest.raises(KeyError):
        FULL.provider("nobody")


def test_importing_the_probes_imports_no_network_library() -> None:
    code = (
        "import sys, pytest_aibackend.probes, pytest_aibackend.probes.run; "
        "print(*sorted({'httpx', 'redis', 'psutil', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
