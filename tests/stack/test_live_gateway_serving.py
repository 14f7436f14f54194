"""Check 8 and the notes of the gateway: which bytes its workers serve."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aibackend.live import Seen
from pytest_aibackend.probes.observations import Observations
from pytest_aibackend.probes.serving import look_at_serving
from pytest_aibackend.rules.gateway_serving import SERVING_RULES
from pytest_aibackend.rules.registry import RULES, LiveBackend
from pytest_aibackend.serving.state import WorkerState, sha256
from pytest_aibackend.sources.backend import load_backend
from tests.fakes.notes import Sleepers, sleepers
from tests.stack.live_config import Judged, judge_seen, write_config

READY, LEAVING = WorkerState.READY, WorkerState.LEAVING
OLD, NEW = b"old: 1\n", b"new: 1\n"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Sleepers]:
    folder = write_config(tmp_path / "config")
    target = folder / "litellm-unified.yaml"
    target.write_bytes(OLD)
    with sleepers(folder / ".aibackend" / "deploy", target) as running:
        running.state.keep_verified(OLD, by="reload")
        yield running


def judged(gateway: Sleepers, *, candidate: Path | None = None) -> Judged:
    """Judge the notes, after a journey through JSON as from one process of a run to another."""
    seen = Observations(serving=look_at_serving(gateway.state, gateway.file))
    again = Observations.from_json(json.loads(json.dumps(seen.to_json())))
    assert again == seen
    backend = load_backend(gateway.file.parent, generated=candidate)
    live = LiveBackend(backend=backend, observations=Seen(observations=again, unset_variables=frozenset()))
    return judge_seen(backend, live, [8])


def test_all_is_well(gateway: Sleepers) -> None:
    gateway.say((READY, OLD), (READY, OLD), restarts=3, last_trouble="long ago")
    assert judged(gateway).findings == ()


def test_a_file_that_was_changed_past_the_reload(gateway: Sleepers) -> None:
    gateway.file.write_bytes(NEW)
    gateway.say((READY, OLD), (READY, OLD))
    found = judged(gateway)
    assert found.of("workers") == [("gateway-serves-other-file", "error")]
    message = found.message("gateway-serves-other-file")
    assert f"the last verified configuration ({sha256(OLD)[:12]}" in message
    assert f"litellm-unified.yaml ({sha256(NEW)[:12]})" in message
    assert "changed past `aibackend reload`" in message
    assert found.findings[0].location.file == str(gateway.file)

    reason = "it is refused"
    gateway.say((READY, OLD), (READY, OLD), refused_sha256=sha256(NEW), refused_reason=reason)
    assert judged(gateway).message("gateway-serves-other-file").endswith(reason)
    # A reason that was given for other bytes says nothing of these.
    gateway.say((READY, OLD), (READY, OLD), refused_sha256=sha256(b""), refused_reason=reason)
    assert reason not in judged(gateway).message("gateway-serves-other-file")


def test_the_gate_of_the_reload_that_mends_it(gateway: Sleepers, tmp_path: Path) -> None:
    gateway.file.write_bytes(NEW)
    gateway.say((READY, OLD), (READY, OLD))
    candidate = tmp_path / "candidate.yaml"
    candidate.write_bytes(OLD)
    assert judged(gateway, candidate=candidate).of("workers") == [("gateway-serves-other-file", "warning")]


def test_a_file_that_is_gone(gateway: Sleepers) -> None:
    gateway.file.unlink()
    gateway.say((READY, OLD), (READY, OLD), refused_reason="it cannot be read: no such file")
    message = judged(gateway).message("gateway-serves-other-file")
    assert "litellm-unified.yaml, which cannot be read: it cannot be read: no such file" in message


def test_a_file_that_waits_to_be_loaded(gateway: Sleepers) -> None:
    gateway.file.write_bytes(NEW)
    gateway.state.approve(sha256(NEW))
    gateway.say((READY, OLD), (READY, OLD))
    assert judged(gateway).of("workers") == [("gateway-file-not-loaded", "warning")]


@pytest.mark.parametrize(("state", "severity"), [(LEAVING, "warning"), (READY, "error")])
def test_workers_that_serve_different_files(gateway: Sleepers, state: WorkerState, severity: str) -> None:
    gateway.state.approve(sha256(NEW))
    gateway.file.write_bytes(NEW)
    gateway.say((state, OLD), (READY, NEW), (READY, NEW))
    found = judged(gateway)
    assert found.of("workers") == [("gateway-workers-mixed", severity)]
    assert "of the gateway's 3 workers" in found.message("gateway-workers-mixed")
    assert f"2 serve the deployed file ({sha256(NEW)[:12]})" in found.message("gateway-workers-mixed")


def test_a_worker_that_could_not_start(gateway: Sleepers) -> None:
    gateway.say((READY, OLD), (READY, OLD), (WorkerState.FAILED, NEW), (WorkerState.FAILED, NEW))
    found = judged(gateway)
    assert found.of("workers") == [("gateway-worker-failed", "warning")]
    assert "sk-" not in found.message("gateway-worker-failed")
    gateway.state.clear_dead_workers(failed_too=True)


def test_workers_that_are_missing(gateway: Sleepers) -> None:
    gateway.say((READY, OLD), (WorkerState.STARTING, OLD))
    found = judged(gateway)
    assert found.of("workers") == [("gateway-workers-missing", "warning")]
    assert found.message("gateway-workers-missing") == "1 of the gateway's 2 workers serve, 1 more start"

    gateway.say((WorkerState.DRAINING, OLD), (WorkerState.STARTING, OLD), last_trouble="it died")
    assert judged(gateway).of("workers") == [("gateway-workers-missing", "error")]


def test_a_gateway_that_stops_or_is_not_ours_is_not_judged(gateway: Sleepers) -> None:
    gateway.file.write_bytes(NEW)
    assert judged(gateway).findings == ()
    gateway.say((READY, OLD), stopping=True)
    assert judged(gateway).findings == ()


def test_every_rule_is_run_for_the_status() -> None:
    ours = [
        name for name, each in RULES.items() if each.find and each.find.__module__.endswith("gateway_serving")
    ]
    assert sorted(ours) == sorted(SERVING_RULES)
