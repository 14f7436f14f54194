"""What is taken for served: the notes of the workers first, then what the gateway answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_aibackend.deploy.verify import Verification, cache_trouble, verify
from pytest_aibackend.probes import run
from pytest_aibackend.probes.observations import (
    EndpointAnswer,
    GatewayObservation,
    Observations,
    RedisObservation,
    State,
)
from pytest_aibackend.probes.targets import ProbeTargets
from pytest_aibackend.serving.state import StateDir, WorkerState, sha256
from tests.fakes.notes import Sleepers, sleepers

RAW = b"model_list:\n  - model_name: a\n    litellm_params: {model: openai/a}\n"
CACHE = b"litellm_settings: {cache: true, cache_params: {type: redis, host: 127.0.0.1, port: 9}}\n"
URL = "http://127.0.0.1:9"
READY, LEAVING, FAILED = WorkerState.READY, WorkerState.LEAVING, WorkerState.FAILED


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sleepers]:
    folder = tmp_path_factory.mktemp("gateway")
    with sleepers(folder / "state", folder / "litellm.yaml") as started:
        yield started


@pytest.fixture
def gateway(processes: Sleepers) -> Sleepers:
    """A gateway whose workers have said nothing yet."""
    for note in processes.state.workers.iterdir():
        note.unlink()
    return processes


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ProbeTargets]:
    """Have a gateway answer well, and a Redis not; return what is asked."""
    targets: list[ProbeTargets] = []

    def answer(asked: ProbeTargets, *, timeout_s: float) -> Observations:
        assert timeout_s > 0
        targets.append(asked)
        good = EndpointAnswer(endpoint="/", state=State.OK, detail="")
        return Observations(
            gateways=tuple(
                GatewayObservation(
                    name=each.name,
                    url=each.url,
                    state=State.OK,
                    detail="",
                    liveness=good,
                    readiness=good,
                    models=good,
                )
                for each in asked.gateways
            ),
            redis=tuple(
                RedisObservation(
                    name="redis", address="127.0.0.1:9", state=State.DOWN, detail="refuses connections"
                )
                for _ in asked.redis
            ),
        )

    monkeypatch.setattr(run, "run_probes", answer)
    return targets


def look(state: StateDir, **more: Any) -> tuple[Verification, list[str]]:
    told: list[str] = []
    asked: dict[str, Any] = {"raw": RAW, "within_s": 0.2, "completion": False, "api_key": None, **more}
    return verify(url=URL, state=state, tell=told.append, **asked), told


def test_workers_that_say_so_are_asked_once(gateway: Sleepers, asked: list[ProbeTargets]) -> None:
    gateway.say((READY, RAW), (READY, RAW))
    seen, told = look(gateway.state)
    assert (seen.ok, seen.reasons, seen.workers, told) == (True, (), 2, [])
    assert [target.gateways[0].asks for target in asked] == [4]


def test_another_gateway_is_asked_until_every_worker_has_been_met(
    tmp_path: Path, asked: list[ProbeTargets]
) -> None:
    seen, told = look(StateDir(tmp_path))
    assert (seen.ok, seen.workers, told) == (True, 0, [])
    assert [target.gateways[0].asks for target in asked] == [12, 12, 12]


@pytest.mark.parametrize(
    ("workers", "reason"),
    [
        ([(READY, RAW), (READY, b"old")], "1 of 2 workers serve it"),
        ([(READY, RAW), (READY, RAW), (LEAVING, b"old")], "1 old worker still answers"),
    ],
)
def test_workers_that_are_not_so_far_are_waited_for(
    gateway: Sleepers, asked: list[ProbeTargets], workers: list[tuple[WorkerState, bytes]], reason: str
) -> None:
    gateway.say(*workers)
    seen, told = look(gateway.state)
    assert (seen.ok, seen.reasons) == (False, (reason,))
    assert set(told) == {reason}
    assert asked == []


def test_a_worker_that_could_not_start_ends_the_waiting(gateway: Sleepers, asked: list[ProbeTargets]) -> None:
    gateway.say((READY, b"old"), (FAILED, RAW))
    seen, told = look(gateway.state, within_s=600)
    assert (seen.ok, told, asked) == (False, [], [])
    (reason,) = seen.reasons
    assert reason.startswith("a worker could not start on it: LiteLLM refuses the candidate: ")
    assert "sk-0123456789abcdef" not in reason


def test_a_gateway_that_refused_the_file_ends_the_waiting(
    gateway: Sleepers, asked: list[ProbeTargets]
) -> None:
    gateway.say((READY, b"old"), refused_sha256=sha256(RAW), refused_reason="nobody has verified it")
    seen, _ = look(gateway.state, within_s=600)
    assert (seen.ok, asked) == (False, [])
    assert seen.reasons == ("the gateway refused the file: nobody has verified it",)


def test_the_cache_has_to_answer_where_there_is_one(gateway: Sleepers, asked: list[ProbeTargets]) -> None:
    trouble = "the gateway's cache, redis at 127.0.0.1:9: refuses connections"
    gateway.say((READY, CACHE), (READY, CACHE))
    assert look(gateway.state, raw=CACHE, environment={})[0].reasons == (trouble,)
    assert look(gateway.state, raw=CACHE)[0].ok, "on the way back it has not"
    assert not asked[1].redis[0].write_probe
    gateway.say((READY, RAW), (READY, RAW))
    assert look(gateway.state, environment={})[0].ok


def test_a_cache_that_answers_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, asked: list[ProbeTargets]
) -> None:
    assert cache_trouble(CACHE, {}) == "the gateway's cache, redis at 127.0.0.1:9: refuses connections"
    well = RedisObservation(name="redis", address="127.0.0.1:9", state=State.OK, detail="")
    monkeypatch.setattr(run, "run_probes", lambda _targets, **_more: Observations(redis=(well,)))
    assert cache_trouble(CACHE, {}) is None
    assert len(asked) == 1
