"""The real gateway treated badly, past `aibackend reload`: it goes on serving what was verified last.

One gateway for most of it, under a light load all the time, because LiteLLM takes seconds to boot. Each test
leaves it as it found it: `good` deployed, verified and served.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from itertools import product

import pytest

from pytest_aibackend.serving.state import WorkerNote, process_start, sha256
from pytest_aibackend.stack.load import LoadPlan, under_load
from tests.fakes.slow_provider import slow_provider
from tests.stack.serving import WORKERS, Served, configuration, served_gateway

UNVERIFIED = configuration("past the reload")
BROKEN = {
    "garbage": b"\x00\xff: [}",
    "empty": b"",
    "missing": None,
    "unverified": UNVERIFIED,
}
NO_PARAMS = (
    b"model_list:\n  - model_name: chat\ngeneral_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n"
)
NO_KEY = configuration("no key", general_settings={"master_key": "os.environ/NOBODY_HAS_SET_THIS"})
WAYS = ("the master is killed", "SIGUSR1")
# Each takes LiteLLM seconds to boot; how the bytes are chosen is tested in tests/unit/test_serving_choice.py.
RESTARTS = list(product(WAYS, BROKEN)) if os.environ.get("AIBACKEND_SOAK") else [(WAYS[0], "empty")]
UNSTARTABLE = {"no litellm_params": NO_PARAMS, "unset master key": NO_KEY}


class Good:
    """Configurations that may be served, a new one each time."""

    def __init__(self, provider: str) -> None:
        self.number = 0
        self._provider = provider

    @property
    def answer(self) -> str:
        return f"good {self.number}"

    @property
    def raw(self) -> bytes:
        return configuration(self.answer, provider=self._provider)

    def following(self) -> bytes:
        self.number += 1
        return self.raw


@pytest.fixture(scope="module")
def good() -> Iterator[Good]:
    with slow_provider() as provider:
        yield Good(provider.url)


@pytest.fixture(scope="module", autouse=True)
def first_on_broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway whose first file is broken; it ends while the others run."""
    with served_gateway(tmp_path_factory.mktemp("broken"), NO_PARAMS) as served:
        served.start()
        yield served


@pytest.fixture(scope="module", autouse=True)
def port_taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway whose port somebody else has; it waits some seconds for it, while the others run."""
    with (
        served_gateway(tmp_path_factory.mktemp("taken"), UNVERIFIED) as served,
        socket.create_server(("127.0.0.1", served.port)),
    ):
        served.start()
        yield served


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, good: Good) -> Iterator[Served]:
    """A gateway that has adopted its first file."""
    with served_gateway(tmp_path_factory.mktemp("bypass"), good.raw) as served:
        served.start()
        served.wait_serving(good.raw)
        served.wait(served.state.verified, "the first file is adopted")
        yield served


@pytest.fixture(autouse=True)
def as_it_was(gateway: Served, good: Good) -> None:
    """Whatever the test before left: the good file is deployed and served."""
    gateway.state.withdraw_approval()
    gateway.deploy(good.raw)
    gateway.wait_serving(good.raw, 120)


def light_load(served: Served) -> LoadPlan:
    return LoadPlan(url=served.url, key=served.key, model="chat", clients=3, pauses_s=(0.01, 0.1, 0.4))


def assert_served(served: Served, good: Good) -> None:
    assert served.serves(good.raw), served.tail()
    assert {served.answer() for _ in range(6)} == {good.answer}


def assert_said_why(served: Served, broken: bytes | None, since: int) -> None:
    """The log and the note say which file is not served, and why."""
    reason = "cannot be read" if broken is None else "was changed past `aibackend reload`"
    told = [line for line in served.logged(since).splitlines() if reason in line]
    assert told, served.logged(since)
    assert all("last verified configuration" in line for line in told)
    assert reason in served.note.refused_reason
    assert served.note.refused_sha256 == ("" if broken is None else sha256(broken))


def let_good_take_effect(served: Served, good: Good) -> None:
    """Deploy the next good file as a reload does; it is served by every worker."""
    raw = good.following()
    served.deploy_approved(raw)
    served.hup()
    served.wait_serving(raw)
    served.keep(raw)
    assert_served(served, good)
    assert served.note.refused_sha256 == served.note.refused_reason == ""


@pytest.mark.parametrize("kind", BROKEN)
def test_a_signal_with_a_broken_file_changes_nothing(gateway: Served, good: Good, kind: str) -> None:
    broken = BROKEN[kind]
    workers, master = gateway.workers(), gateway.master
    with under_load(light_load(gateway)) as load:
        since = gateway.mark()
        gateway.deploy(broken)
        gateway.hup()
        gateway.wait(lambda: gateway.note.refused_reason, "the refusal is noted")
        assert "reload REFUSED" in gateway.logged(since)
        assert_said_why(gateway, broken, since)
        assert gateway.workers() == workers

        since = gateway.mark()
        os.kill(master, signal.SIGHUP)
        gateway.wait(lambda: len(gateway.workers() - workers) == WORKERS, "the workers are new")
        gateway.wait_serving(good.raw)
        assert "serving the last verified configuration instead" in gateway.logged(since)
        new = [note for note in gateway.state.worker_notes() if note.pid not in workers]
        assert {note.source for note in new} == {"verified"}
        assert_served(gateway, good)
        let_good_take_effect(gateway, good)
    assert load.failed == []
    assert {each.answer for each in load.sent} == {f"good {good.number - 1}", good.answer}
    assert gateway.master == master


@pytest.mark.parametrize("kind", UNSTARTABLE)
def test_an_approved_file_that_litellm_refuses_leaves_the_old_workers(
    gateway: Served, good: Good, kind: str
) -> None:
    bad = UNSTARTABLE[kind]
    workers, master = gateway.workers(), gateway.master
    with under_load(light_load(gateway)) as load:
        gateway.deploy_approved(bad)
        gateway.hup()

        def failed() -> list[WorkerNote]:
            return [note for note in gateway.state.failed_notes() if note.sha256 == sha256(bad)]

        gateway.wait(failed, "a worker has failed on it")
        (reason,) = {note.reason for note in failed()}
        assert ("litellm_params" if kind == "no litellm_params" else "master key") in reason.replace(
            "_key", " key"
        )
        assert workers == {note.pid for note in gateway.state.worker_notes() if note.serves}
        gateway.state.withdraw_approval()
        gateway.deploy(good.raw)
        let_good_take_effect(gateway, good)
    assert load.failed == []
    assert gateway.master == master


def test_a_worker_that_is_killed_is_replaced(gateway: Served, good: Good) -> None:
    gateway.deploy(UNVERIFIED)
    for pid in gateway.workers():
        os.kill(pid, signal.SIGKILL)
    gateway.wait(lambda: not gateway.serves(good.raw), "the workers are gone")
    gateway.wait_serving(good.raw)
    let_good_take_effect(gateway, good)


@pytest.mark.parametrize(("way", "kind"), RESTARTS)
def test_a_restart_with_a_broken_file_serves_the_verified_one(
    gateway: Served, good: Good, way: str, kind: str
) -> None:
    broken = BROKEN[kind]
    gateway.deploy(broken)
    since, master, workers = gateway.mark(), gateway.master, gateway.workers()
    if way == "the master is killed":
        os.kill(master, signal.SIGKILL)
    else:
        os.kill(gateway.pid, signal.SIGUSR1)
    gateway.wait(lambda: gateway.note.master not in (master, None), "it is started again")
    reason = "was killed by SIGKILL" if way == "the master is killed" else "asked to by SIGUSR1"
    assert reason in gateway.note.last_trouble
    assert not any(process_start(pid) for pid in workers)  # none holds the port
    gateway.wait_serving(good.raw)
    assert_said_why(gateway, broken, since)
    assert_served(gateway, good)
    let_good_take_effect(gateway, good)


def test_a_port_that_refuses_is_mended_by_a_restart(gateway: Served, good: Good) -> None:
    """A master that was told to stop closes the port at once, and lives as long as the stream."""
    gateway.deploy(BROKEN["garbage"])
    since, master, restarts = gateway.mark(), gateway.master, gateway.note.restarts
    with gateway.stream("slow-8") as stream:
        os.kill(master, signal.SIGTERM)
        gateway.wait(lambda: gateway.note.restarts > restarts, "it is restarted")
        assert "starting it again" in gateway.logged(since)
        assert not stream.is_closed
    gateway.wait_serving(good.raw)
    assert "no worker of it serves any more" in gateway.note.last_trouble
    assert_said_why(gateway, BROKEN["garbage"], since)
    let_good_take_effect(gateway, good)


def test_a_restart_on_an_approved_file_that_litellm_refuses(gateway: Served, good: Good) -> None:
    gateway.deploy_approved(NO_PARAMS)
    os.kill(gateway.pid, signal.SIGUSR1)
    gateway.wait(lambda: "does not start on" in gateway.note.last_trouble, "it is tried")
    assert "litellm_params" in gateway.note.last_trouble
    gateway.wait_serving(good.raw)
    assert_served(gateway, good)
    assert "the gateway does not start on it" in gateway.note.refused_reason
    gateway.state.withdraw_approval()
    let_good_take_effect(gateway, good)


def test_a_second_gateway_is_refused(gateway: Served, good: Good) -> None:
    ended = subprocess.run(
        gateway.command(), env=gateway.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert f"this gateway runs already, as process {gateway.pid}" in ended.stderr
    assert f"kill -TERM {gateway.pid}" in ended.stderr
    assert int(gateway.pidfile.read_text()) == gateway.pid
    assert_served(gateway, good)


def test_a_stop_lets_streams_end_and_a_start_does_without_the_file(gateway: Served, good: Good) -> None:
    with gateway.stream("slow-4") as stream:
        gateway.process.terminate()
        lines = [line for line in stream.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert gateway.process.wait(60) == 0
    assert gateway.processes() == []
    assert not gateway.pidfile.exists()
    assert gateway.state.gateway_note() is None

    since = gateway.mark()
    gateway.deploy(None)
    gateway.start()
    gateway.wait_serving(good.raw)
    assert_said_why(gateway, None, since)
    assert_served(gateway, good)
    let_good_take_effect(gateway, good)


def test_litellm_ends_with_its_supervisor_and_a_start_adopts_what_was_approved(
    gateway: Served, good: Good
) -> None:
    gateway.process.kill()
    gateway.process.wait()
    gateway.wait(lambda: gateway.processes() == [], "LiteLLM has ended", 20)
    raw = good.following()
    gateway.deploy_approved(raw)
    gateway.start()
    gateway.wait_serving(raw)
    gateway.wait(lambda: gateway.verified_sha256() == sha256(raw), "it is adopted")
    assert_served(gateway, good)


def test_a_first_start_on_a_broken_file_says_why_and_ends(first_on_broken: Served) -> None:
    assert first_on_broken.process.wait(60) == 1
    (told,) = [line for line in first_on_broken.logged().splitlines() if "aibackend serve: error" in line]
    assert f"LiteLLM does not start on {first_on_broken.file}" in told
    assert "litellm_params" in told
    assert first_on_broken.state.verified() is None
    assert first_on_broken.processes() == []


def test_a_taken_port_is_said_and_ends(port_taken: Served) -> None:
    assert port_taken.process.wait(60) == 2
    assert f"127.0.0.1:{port_taken.port} cannot be listened on: Address already in use" in port_taken.logged()
    assert "hint: see who has it with `aibackend ports`" in port_taken.logged()
    assert not port_taken.pidfile.exists()
