"""What `aibackend status` tells of a gateway that is just starting, stopping, or not what it seems."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pytest_aibackend.cli import main
from pytest_aibackend.deploy.lock import exclusive
from pytest_aibackend.deploy.status.facts import GatewayStatus, collect
from pytest_aibackend.probes import run
from pytest_aibackend.probes.observations import EndpointAnswer, State
from pytest_aibackend.serving.state import WorkerState
from tests.fakes.notes import Sleepers, sleepers


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose gateway answers."""
    folder = tmp_path / "config"
    folder.mkdir()
    deploy = {"service": {"kind": "pidfile", "pidfile": "run/gateway.pid"}, "url": "http://127.0.0.1:9"}
    (folder / "gateway.yaml").write_text(yaml.safe_dump({"deploy": deploy}))
    well = EndpointAnswer(endpoint="/health/liveliness", state=State.OK, detail="")
    monkeypatch.setattr(run, "ask_liveness", lambda _url, **_more: well)
    return folder


@pytest.fixture
def gateway(config: Path) -> Iterator[Sleepers]:
    with sleepers(config / ".aibackend" / "deploy", config / "litellm-unified.yaml") as started:
        yield started


def troubles(status: GatewayStatus) -> list[tuple[str, str]]:
    assert all(each.hint for each in status.troubles)
    return [(str(each.severity), each.message) for each in status.troubles]


def test_something_else_answers(config: Path) -> None:
    seen = collect(config)
    assert seen.is_running
    assert not seen.is_well
    severity, message = troubles(seen)[0]
    assert severity == "error"
    assert message.startswith(f"something answers as the gateway, but there is no {config}/run/gateway.pid")
    assert seen.troubles[0].hint.startswith("end it, and start its service, or run `aibackend serve --config")


def test_a_gateway_that_is_being_stopped(config: Path, gateway: Sleepers) -> None:
    gateway.say(stopping=True)
    assert ("warning", "the gateway is being stopped") in troubles(collect(config))


@pytest.mark.parametrize(
    ("trouble", "told"), [("", ""), ("it was killed by SIGKILL", ": it was killed by SIGKILL")]
)
def test_a_gateway_whose_litellm_is_down(config: Path, gateway: Sleepers, trouble: str, told: str) -> None:
    gateway.say(master=None, last_trouble=trouble)
    assert ("error", f"LiteLLM is down and is being started again{told}") in troubles(collect(config))


def test_a_state_directory_of_somebody_else(
    config: Path, gateway: Sleepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.say((WorkerState.READY, b""), wanted=1)
    monkeypatch.setattr(os, "access", lambda path, _mode: path != gateway.state.path)
    said = f"the state directory {gateway.state.path} cannot be read, so what is served cannot be said"
    assert ("error", said) in troubles(collect(config))


def test_a_deployed_file_that_is_none(config: Path) -> None:
    (config / "litellm-unified.yaml").mkdir()
    seen = collect(config)
    assert seen.sources == "unknown"
    severity, message = troubles(seen)[-1]
    assert severity == "error"
    assert "litellm-unified.yaml" in message


@pytest.mark.parametrize("place", ["~nobody-here/x.yaml", '"a\\0b"', "loop", "loop/x.yaml"])
def test_a_deployed_file_in_a_place_that_is_none(
    config: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (config / "loop").symlink_to("loop")
    (config / "gateway.yaml").write_text(f"deploy: {{path: {place}}}\n")
    assert main(["status", "--config", str(config)]) == 1
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    if place.startswith("loop"):
        assert "Too many levels of symbolic links" in captured.out


def test_a_reload_that_is_under_way_is_told(
    config: Path, gateway: Sleepers, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.say()
    with exclusive(gateway.state.path / "lock", "reload"):
        assert main(["status", "--config", str(config)]) == 1
    out = capsys.readouterr().out
    assert f"under way: aibackend reload, pid {os.getpid()} of " in out
