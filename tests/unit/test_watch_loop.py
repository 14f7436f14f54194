"""The loop of a watch, with reloads that end as the test says; and the canary that it keeps.

With real reloads it is tried in tests/stack/test_watch.py.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.deploy import site as sites
from pytest_aibackend.deploy.canary import warm
from pytest_aibackend.deploy.canary.warm import WarmCanary
from pytest_aibackend.deploy.report import Outcome
from pytest_aibackend.deploy.request import Request
from pytest_aibackend.deploy.service import ServiceError
from pytest_aibackend.deploy.site import Site
from pytest_aibackend.deploy.watch import loop
from pytest_aibackend.deploy.watch.console import WatchConsole
from pytest_aibackend.deploy.watch.sources import SOURCES
from pytest_aibackend.sources.backend import load_backend

QUICK = loop.WatchOptions(quiet_s=0.02)
Watch = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Watch:
    """Watch tmp_path: each reload ends like this, the last one with a SIGTERM; return status and lines."""

    def run(*outcomes: Outcome, options: loop.WatchOptions = QUICK) -> tuple[int, list[str]]:
        left = [*outcomes]

        def reload(request: Request, *, canary: object, show: WatchConsole) -> None:
            assert (request.config_dir, request.assume_yes, canary) == (tmp_path, True, None)
            show.report.end(left.pop(0), "a reason")
            show.finish()
            if not left:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(loop, "run", reload)
        status = loop.watch(tmp_path, options)
        assert not left
        return status, capsys.readouterr().out.splitlines()

    return run


def configure(folder: Path, **deploy: Any) -> None:
    text = yaml.safe_dump({"deploy": {"python": "/nowhere/python", **deploy}})
    (folder / "gateway.yaml").write_text(text)


def test_what_was_locked_is_tried_again(watch: Watch, tmp_path: Path) -> None:
    configure(tmp_path)
    status, lines = watch(Outcome.LOCKED, Outcome.LOCKED, Outcome.DEPLOYED)
    assert status == 0
    assert lines[0] == f"watching {tmp_path}: {', '.join(SOURCES)}; Ctrl-C ends it"
    assert lines[1:3] == [
        "gateway: no service: no service is configured",
        "canary: none, LiteLLM is not installed here; the gate alone judges what is deployed",
    ]
    assert [line.split(" ", 1)[1] for line in lines[3:]] == [
        "looking at the sources",
        "locked after 0.0 s",
        "looking at the sources",
        "locked after 0.0 s",
        "looking at the sources",
        "deployed after 0.0 s",
        "ended by SIGTERM",
    ]


def test_a_gateway_that_was_left_unwell_is_status_4(watch: Watch, tmp_path: Path) -> None:
    configure(tmp_path, service={"kind": "systemd"})
    status, lines = watch(Outcome.UNHEALTHY)
    assert status == 4
    assert lines[1].startswith("gateway: ")
    assert "has no 'name'; add `name: litellm.service`" in lines[1]


def test_a_broken_gateway_yaml_is_the_gates_to_refuse(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("deploy: [\n")
    status, lines = watch(Outcome.REFUSED)
    assert status == 0
    assert lines[1].endswith("looking at the sources"), "of gateway and canary nothing is known"


def test_with_json_there_is_nothing_but_documents(watch: Watch, tmp_path: Path) -> None:
    configure(tmp_path)
    options = loop.WatchOptions(quiet_s=0.02, as_json=True)
    _, lines = watch(Outcome.LOCKED, Outcome.UNCHANGED, options=options)
    documents = [json.loads(line) for line in lines if line.startswith("{")]
    assert [document["outcome"] for document in documents] == ["locked", "unchanged"]
    assert len(lines) == 2


def test_a_signal_that_was_to_be_ignored_ends_nothing(watch: Watch, tmp_path: Path) -> None:
    """Nohup has its children ignore SIGHUP."""
    configure(tmp_path)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert watch(Outcome.UNCHANGED)[1][-1].endswith("ended by SIGTERM")
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# -- the canary that is kept


class Service:
    """A gateway's service whose environment the test says."""

    def __init__(self) -> None:
        self.known: dict[str, str] | None = {"A": "1"}
        self.trouble = ""

    def environment(self) -> dict[str, str] | None:
        if self.trouble:
            raise ServiceError(self.trouble)
        return self.known


class Canary:
    """Stands for a LiteLLM that takes ten seconds to load."""

    made: list[Canary]

    def __init__(self, python: str, environment: Mapping[str, str], *, directory: Path) -> None:
        self.given = (python, dict(environment), directory)
        self.started = 0
        self.is_closed = False
        self.made.append(self)

    def start(self) -> None:
        self.started += 1

    def close(self) -> None:
        self.is_closed = True


def test_a_canary_is_kept_until_its_surroundings_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pythons: dict[str | None, str | None] = {"/a/python": "/a/python", "/b/python": "/b/python"}
    service = Service()
    monkeypatch.setattr(Canary, "made", [], raising=False)
    monkeypatch.setattr(warm, "Canary", Canary)
    monkeypatch.setattr(warm, "find_litellm", pythons.get)
    monkeypatch.setattr(sites, "service_of", lambda *_: service)

    def of(python: str) -> Canary:
        configure(tmp_path, python=python)
        given = kept.of(Site.of(load_backend(tmp_path), verify_within_s=1, verify_completion=False))
        assert isinstance(given, Canary)
        return given

    with WarmCanary() as kept:
        first = of("/a/python")
        assert first.given == ("/a/python", {"A": "1"}, tmp_path)
        service.known = None  # it does not run just now
        assert of("/a/python") is first
        service.trouble = "systemd is away"
        assert of("/a/python") is first
        assert (first.started, first.is_closed) == (3, False)

        service.trouble, service.known = "", {"A": "2"}
        second = of("/a/python")
        assert second is not first
        assert (first.is_closed, second.given[1]) == (True, {"A": "2"})
        third = of("/b/python")
        assert (second.is_closed, third.given[0]) == (True, "/b/python")

        configure(tmp_path, python="/c/python")
        site = Site.of(load_backend(tmp_path), verify_within_s=1, verify_completion=False)
        assert kept.of(site) is None
        assert third.is_closed
        pythons["/c/python"] = "/c/python"  # it is installed meanwhile
        last = kept.of(site)
        assert isinstance(last, Canary)
    assert [each.is_closed for each in Canary.made] == [True] * 4
