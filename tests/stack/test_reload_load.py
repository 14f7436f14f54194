"""Reloads of the real gateway under load: no request is lost, no stream cut, and none is answered too late.

Each reload is the real `aibackend reload`, between two configurations that answer the same route with
different models. `make soak` does a hundred.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pytest_aibackend.stack.load import Load, LoadPlan, Sent, under_load
from tests.fakes.slow_provider import SlowProvider, slow_provider
from tests.stack.odd_clients import OddClients
from tests.stack.serving import ROOT, Served, served_gateway

RELOADS = 100 if os.environ.get("AIBACKEND_SOAK") else 4
MODELS = ("alpha", "beta", "gamma")  # each answers with its name
ROUTES = {"short-stream": "slow-8", "long-stream": "slow-20", "flood": "flood"}  # and the provider's models


@dataclass(frozen=True, kw_only=True)
class Reload:
    """One reload, and which model answers from then on."""

    model: str
    began: float
    returned: float


class Site:
    """Sources in a directory, and the gateway that serves what is made of them."""

    def __init__(self, folder: Path, served: Served, provider: SlowProvider) -> None:
        self.dir = folder
        self.served = served
        self.provider = provider
        deploy = {"path": str(served.file), "state_dir": str(served.state.path), "url": served.url}
        deploy |= {"service": {"kind": "pidfile", "pidfile": str(served.pidfile)}}  # type: ignore[dict-item]
        settings = {"master_key": "os.environ/LITELLM_MASTER_KEY"}
        self._write("gateway", {"general_settings": settings, "deploy": deploy})
        self._write("ports", {"gateway": {"port": served.port}, "local": {"port": provider.port}})
        models = [*MODELS, *ROUTES.values()]
        local = {"type": "openai_compatible", "base_url": provider.url, "models": models}
        self._write("providers", {"providers": {"local": local}})
        self.answer_with(MODELS[0])

    def answer_with(self, model: str) -> None:
        """Change the sources: this model answers the route `chat`."""
        routes = {"chat": model, **ROUTES}
        mapped = {name: {"provider": "local", "backend_model": wanted} for name, wanted in routes.items()}
        self._write("model-mappings", {"exact_matches": mapped})

    def command(self, name: str, *options: str) -> None:
        environment = {**self.served.environment(), "COLUMNS": "200"}
        ended = subprocess.run(
            [sys.executable, "-m", "pytest_aibackend.cli", name, "--config", str(self.dir), *options],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}\n{self.served.tail()}"

    def _write(self, name: str, data: object) -> None:
        (self.dir / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that answers with the first model."""
    folder = tmp_path_factory.mktemp("load")
    with slow_provider() as provider, served_gateway(folder, grace_s=30) as served:
        site = Site(folder, served, provider)
        site.command("reload", "--no-canary", "--yes")  # nobody runs yet: it only deploys
        served.start()
        served.wait_serving(served.file.read_bytes())
        yield site


def test_reloads_under_load_lose_nothing_and_are_complete_when_they_return(site: Site) -> None:
    plan = LoadPlan(
        url=site.served.url, key=site.served.key, model="chat", stream_model="short-stream", streams=3
    )
    long = LoadPlan(
        url=site.served.url,
        key=site.served.key,
        model="chat",
        stream_model="long-stream",
        clients=0,
        streams=1,
    )
    odd = OddClients(site.served, flood="flood")
    reloads: list[Reload] = []
    with ExitStack() as stack:
        loads = [stack.enter_context(under_load(each)) for each in (plan, long)]
        stack.enter_context(odd)
        for number in range(1, RELOADS + 1):
            model = MODELS[number % len(MODELS)]
            site.answer_with(model)
            began = time.monotonic()
            site.command("reload", "--no-canary", "--yes")
            if number == RELOADS - 3:
                loads[1].stop()  # its last stream sees the last reloads
            reloads.append(Reload(model=model, began=began, returned=time.monotonic()))
            time.sleep(0.5)
    print(figures(loads, odd, reloads))
    assert [each for load in loads for each in load.failed] == []
    assert odd.failed == []
    assert site.provider.streams_cut == 0
    assert {kind for load in loads for kind in (each.kind for each in load.sent)} == {"request", "stream"}
    assert {each.kind for each in odd.sent} == set(odd.kinds)
    assert late_answers([*loads[0].sent, *odd.sent], reloads) == []


def late_answers(sent: list[Sent], reloads: list[Reload]) -> list[tuple[Sent, list[str]]]:
    """Return what was answered by a configuration that had been replaced before the request was sent."""
    late = []
    for each in sent:
        since = [n for n, reload in enumerate(reloads) if reload.returned < each.began]
        until = [n for n, reload in enumerate(reloads) if reload.began < each.ended]
        if since and each.answer in MODELS:
            right = [reload.model for reload in reloads[since[-1] : until[-1] + 1]]
            late += [(each, right)] if each.answer not in right else []
    return late


def figures(loads: list[Load], odd: OddClients, reloads: list[Reload]) -> str:
    """Say what the load went through."""
    sent = [each for load in loads for each in load.sent]
    short = sorted(each.ended - each.began for each in sent if each.kind == "request")
    streams = sum(each.kind == "stream" for each in sent)
    failed = sum(bool(each.trouble) for each in sent) + len(odd.failed)
    half, most = short[len(short) // 2], short[len(short) * 99 // 100]
    seconds = sorted(reload.returned - reload.began for reload in reloads)
    return "\n".join(
        [
            f"\n{len(reloads)} reloads, {len(short)} requests, {streams} streams",
            f"requests of odd clients: {len(odd.sent)}",
            f"failed: {failed}",
            f"request: p50 {half * 1000:.0f} ms, p99 {most * 1000:.0f} ms, longest {short[-1] * 1000:.0f} ms",
            f"reload: {seconds[0]:.1f} to {seconds[-1]:.1f} s, p50 {seconds[len(seconds) // 2]:.1f} s",
        ]
    )
