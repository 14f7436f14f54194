"""The gateway probe, against the real LiteLLM with two workers, and against what is no LiteLLM."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_aibackend.probes import GatewayObservation, GatewayTarget, ProbeTargets, State, run_probes
from tests.fakes import hostile
from tests.fakes.gateway import Gateway, litellm_gateway
from tests.fakes.ollama import OllamaServer
from tests.fakes.server import FakeServer, Received, Reply, as_json
from tests.fakes.vllm import VllmServer

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {model: "ollama_chat/llama3.1:8b", api_base: os.environ/OLLAMA_URL}
  - model_name: coder
    litellm_params: {model: hosted_vllm/q, api_base: os.environ/VLLM_URL}
  - model_name: broken
    litellm_params: {model: hosted_vllm/not-there, api_base: os.environ/VLLM_URL}
  - model_name: dropped
    litellm_params: {model: no-such-provider/x}
  - model_name: "local/*"
    litellm_params: {model: "openai/*", api_base: os.environ/VLLM_URL, api_key: none}
router_settings:
  model_group_alias: {nick: chat}
  num_retries: 0
"""
EXPECTED = ("chat", "coder", "broken", "local/*", "nick")


@dataclass(frozen=True)
class Real:
    gateway: Gateway
    ollama: OllamaServer
    vllm: VllmServer


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    config = tmp_path_factory.mktemp("gateway") / "config.yaml"
    config.write_text(CONFIG)
    with OllamaServer() as ollama, VllmServer(models=["q"]) as vllm:
        variables = {"OLLAMA_URL": ollama.url, "VLLM_URL": f"{vllm.url}/v1"}
        with litellm_gateway(config, variables, workers=2) as gateway:
            yield Real(gateway, ollama, vllm)


def probe(url: str, *, timeout_s: float = 5.0, **more: object) -> GatewayObservation:
    target = GatewayTarget(url=url, **more)  # type: ignore[arg-type]  # test sugar
    return run_probes(ProbeTargets(gateways=(target,)), timeout_s=timeout_s).gateway()


def test_real_litellm(real: Real) -> None:
    real.ollama.requests.clear()
    real.vllm.requests.clear()
    for url in (real.gateway.url, f"{real.gateway.url}/", f"{real.gateway.url}/v1"):
        seen = probe(url, api_key=real.gateway.key, expected_groups=(*EXPECTED, "dropped", "gone"))
        assert seen.state.is_healthy, seen  # slow, where the machine is busy
        assert (seen.liveness.state, seen.readiness.state) == (State.OK, State.OK)
        assert (seen.version or "").startswith("1.")
        assert seen.database == "Not connected"
        assert (seen.asks, seen.answered, seen.workers_disagree) == (12, 12, False)
        assert set(EXPECTED) <= set(seen.served_groups or ())
        assert seen.missing_groups == ("dropped", "gone")
        assert seen.ghost_groups == ()
        assert (seen.key_given, seen.key_accepted) == (True, True)
        assert (seen.wrong_key_refused, seen.no_key_refused) == (True, True)
    # For its list of models LiteLLM itself asks a vLLM server for its list; nothing is asked to be generated.
    asked = [each.method for each in (*real.ollama.requests, *real.vllm.requests)]
    assert "POST" not in asked, "a probe made a provider work"


def test_real_litellm_ghosts(real: Real) -> None:
    seen = probe(real.gateway.url, api_key=real.gateway.key, expected_groups=("chat", "local/*"))
    assert seen.ghost_groups == ("broken", "coder", "nick")
    assert probe(real.gateway.url, api_key=real.gateway.key).ghost_groups == ()  # nothing to compare with


def test_real_litellm_keys(real: Real) -> None:
    seen = probe(real.gateway.url, api_key="sk-somebody-elses")
    assert (seen.state, seen.key_accepted) == (State.UNAUTHORISED, False)
    assert seen.detail.startswith("it refuses the key (")
    seen = probe(real.gateway.url)
    assert (seen.state, seen.key_given, seen.key_accepted) == (State.UNAUTHORISED, False, None)
    assert seen.detail.startswith("it wants a key, and none was given (")
    assert seen.liveness.state is State.OK


def test_real_litellm_completions(real: Real) -> None:
    real.ollama.requests.clear()
    real.vllm.requests.clear()
    seen = probe(
        real.gateway.url,
        api_key=real.gateway.key,
        expected_groups=EXPECTED,
        completions=True,
        timeout_s=10,
    )
    told = {each.group: each for each in seen.completions}
    assert set(told) == set(EXPECTED) - {"local/*"}
    for group in ("chat", "coder", "nick"):
        assert told[group].state.is_healthy, told[group]
    assert told["broken"].status_code == 404
    assert "not-there" in told["broken"].detail
    assert real.ollama.models_asked() == ["llama3.1:8b", "llama3.1:8b"]
    asked = [each.body for each in real.vllm.requests if each.path == "/v1/chat/completions"]
    assert {body["max_tokens"] for body in asked} == {1}


class TwoWorkers(FakeServer):
    """Two workers behind one port, one of them with another configuration; and no key is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = itertools.count()
        self.ready = 200

    def reply(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        if path == "/health/liveliness":
            return as_json("I'm alive!")
        if path == "/health/readiness":
            return as_json({"status": "healthy", "db": "disconnected"}, self.ready)
        if path == "/v1/models":
            names = ["old"] if next(self._turn) % 2 else ["new"]
            return as_json({"object": "list", "data": [{"id": name} for name in names]})
        return as_json({"detail": "Not Found"}, 404)


def test_workers_that_disagree_and_a_gateway_without_a_key() -> None:
    with TwoWorkers() as server:
        seen = probe(server.url, api_key="sk-any", expected_groups=("new",))
        assert seen.workers_disagree
        assert {each.groups for each in seen.answers} == {("new",), ("old",)}
        assert (seen.missing_groups, seen.ghost_groups) == (("new",), ("old",))
        assert (seen.wrong_key_refused, seen.no_key_refused) == (False, False)
        server.ready = 503
        seen = probe(server.url)
        assert (seen.state, seen.readiness.status_code) == (State.BAD_RESPONSE, 503)
        assert (seen.liveness.state, seen.database) == (State.OK, "disconnected")
        ports = {each.headers["host"] for each in server.requests}
        assert ports == {f"127.0.0.1:{server.port}"}
        assert "/health" not in [each.path for each in server.requests]


def test_what_is_no_gateway() -> None:
    with OllamaServer() as ollama, hostile.html_page() as page, hostile.never_answers() as silent:
        told = {
            "ollama": probe(ollama.url),
            "page": probe(page.url),
            "silent": probe(silent.url, timeout_s=0.5, completions=True, expected_groups=("a",)),
            "closed": probe("http://127.0.0.1:9"),
            "bad": probe("127.0.0.1:4000"),
            "key": probe(ollama.url, api_key="line\nbreak"),
        }
    assert {name: each.state for name, each in told.items()} == {
        "ollama": State.WRONG_SERVICE,
        "page": State.WRONG_SERVICE,
        "silent": State.TIMEOUT,
        "closed": State.DOWN,
        "bad": State.BAD_URL,
        "key": State.BAD_URL,
    }
    assert told["ollama"].detail == "it does not answer as a LiteLLM proxy: it seems to be Ollama"
    assert told["silent"].completions == ()
    assert told["closed"].served_groups is None


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")])
def test_a_timeout_that_is_none(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        run_probes(ProbeTargets(), timeout_s=timeout_s)


def test_nothing_to_probe(tmp_path: Path) -> None:
    seen = run_probes(ProbeTargets(), timeout_s=1)
    assert (seen.providers, seen.gateways, seen.redis, seen.ports) == ((), (), (), ())
