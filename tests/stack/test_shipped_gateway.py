"""The shipped configuration in the real LiteLLM: booted, every model group served, cached in its namespace.

Ollama, vLLM and llama.cpp are stand-ins on free ports; the sources are copies with those ports in them, and
the gateway's file is generated from the copies.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from pytest_aibackend.litellm.generate import render
from pytest_aibackend.litellm.plan import Deployment, GatewayPlan, plan_gateway
from pytest_aibackend.litellm.plan.wildcards import matches
from pytest_aibackend.sources.backend import load_backend
from tests.fakes.gateway import Gateway, litellm_gateway
from tests.fakes.ollama import OllamaServer
from tests.fakes.openai_server import RecordingServer
from tests.fakes.real import ValkeyServer, valkey_server
from tests.fakes.vllm import VllmServer

CONFIG = Path(__file__).parents[2] / "config"
NAMESPACE = "litellm:unified:"
SHIPPED = load_backend(CONFIG)
PLAN = plan_gateway(SHIPPED)
OLLAMA, VLLM = SHIPPED.providers["ollama"], SHIPPED.providers["vllm"]
PORTS = {"ollama": 11434, "vllm": 8001, "llama_cpp_python": 8000, "llama_cpp_native": 8080}
REDIS_PORT = 6379


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """The gateway on the shipped configuration, and everything behind it."""

    gateway: Gateway
    plan: GatewayPlan
    ollama: OllamaServer
    vllm: VllmServer
    llama: dict[str, RecordingServer]
    redis: ValkeyServer

    def asked(self) -> list[tuple[str, str]]:
        """Return which models of which providers were asked for an answer, in order for each provider."""
        found = [("ollama", model) for model in self.ollama.models_asked()]
        found += [("vllm", model) for model in self.vllm.models_asked()]
        found += [(name, str(model)) for name, server in self.llama.items() for model in server.models]
        return found

    def ask(self, name: str, text: str) -> httpx.Response:
        """Ask a model group, in the way of its mode."""
        body: dict[str, object] = {"model": name, "messages": [{"role": "user", "content": text}]}
        path = "chat/completions"
        if any(found.model_info.get("mode") == "embedding" for found in first_deployments(self.plan, name)):
            body, path = {"model": name, "input": text}, "embeddings"
        url = f"{self.gateway.url}/v1/{path}"
        return httpx.post(url, headers=self.gateway.headers, json=body, timeout=60)

    def who_answers(self, name: str, text: str) -> list[tuple[str, str]]:
        """Ask a model group one question and return who was asked for it."""
        before = self.asked()
        response = self.ask(name, text)
        assert response.status_code == 200, f"{response.text}\n{self.gateway.tail()}"
        after = self.asked()
        for each in before:
            after.remove(each)
        return after


def first_deployments(plan: GatewayPlan, name: str) -> tuple[Deployment, ...]:
    """Return the deployments that a healthy gateway asks first for a name."""
    name = plan.router_settings.get("model_group_alias", {}).get(name, name)
    found = plan.model_groups.get(name) or next(
        deployments for wildcard, deployments in plan.wildcards.items() if matches(wildcard, name)
    )
    first = min(deployment.order or 0 for deployment in found)
    return tuple(deployment for deployment in found if (deployment.order or 0) == first)


def copy_config(target: Path, ports: dict[int, int]) -> Path:
    """Copy the sources with other ports in them, and generate the gateway's file from the copies."""
    target.mkdir()
    for name in ("providers.yaml", "model-mappings.yaml", "ports.yaml", "gateway.yaml"):
        text = (CONFIG / name).read_text(encoding="utf-8")
        for shipped, here in ports.items():
            text = re.sub(rf"(127\.0\.0\.1:|port: ){shipped}\b", rf"\g<1>{here}", text)
        (target / name).write_text(text, encoding="utf-8")
    generated = target / "litellm-unified.yaml"
    generated.write_text(render(load_backend(target)), encoding="utf-8")
    return generated


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    with ExitStack() as stack:
        ollama = stack.enter_context(OllamaServer(models=OLLAMA.model_names))
        vllm = stack.enter_context(VllmServer(models=VLLM.model_names))
        llama = {name: RecordingServer(name).start() for name in ("llama_cpp_python", "llama_cpp_native")}
        for server in llama.values():
            stack.callback(server.stop)
        redis = stack.enter_context(valkey_server())
        here = {"ollama": ollama.port, "vllm": vllm.port} | {name: each.port for name, each in llama.items()}
        ports = {PORTS[name]: port for name, port in here.items()} | {REDIS_PORT: redis.port}
        folder = tmp_path_factory.mktemp("shipped")
        generated = copy_config(folder / "config", ports)
        plan = plan_gateway(load_backend(generated.parent))
        stack.callback(shutil.rmtree, folder)
        gateway = stack.enter_context(litellm_gateway(generated))
        yield Shipped(gateway=gateway, plan=plan, ollama=ollama, vllm=vllm, llama=llama, redis=redis)


def test_the_copy_differs_in_ports_only(shipped: Shipped) -> None:
    assert shipped.plan.served_names == PLAN.served_names
    assert shipped.plan.router_settings == PLAN.router_settings
    assert shipped.plan.problems == ()


def test_every_name_of_the_mappings_is_served() -> None:
    mappings = SHIPPED.mappings
    names = {*mappings.exact_matches, *mappings.capabilities, *mappings.load_balancing}
    assert names <= set(PLAN.served_names)


def test_the_gateway_lists_what_the_plan_serves(shipped: Shipped) -> None:
    assert shipped.gateway.served() == list(PLAN.served_names)


@pytest.mark.parametrize("name", PLAN.served_names)
def test_a_request_reaches_the_right_deployment(shipped: Shipped, name: str) -> None:
    expected = {(found.provider, found.model) for found in first_deployments(shipped.plan, name)}
    asked = shipped.who_answers(name, f"who are you, {name}?")
    assert len(asked) == 1
    assert set(asked) <= expected


def test_a_pattern_passes_the_name_on(shipped: Shipped) -> None:
    assert list(PLAN.wildcards) == ["Qwen/*"]
    (name,) = VLLM.model_names
    assert shipped.who_answers(name, "who matches a pattern?") == [("vllm", name)]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer sk-wrong"}], ids=["none", "wrong"])
def test_another_key_than_the_one_in_the_environment_is_refused(
    shipped: Shipped, headers: dict[str, str]
) -> None:
    answer = httpx.get(f"{shipped.gateway.url}/v1/models", headers=headers, timeout=20)
    assert answer.is_error  # 401 with a database; 400 or 500 without one
    assert "llama3.1:8b" not in answer.text


def test_answers_are_cached_inside_the_namespace_only(shipped: Shipped) -> None:
    client = shipped.redis.client()
    client.flushall()
    assert len(shipped.who_answers("llama3.1:8b", "what is remembered?")) == 1
    deadline = time.monotonic() + 10
    while not client.dbsize() and time.monotonic() < deadline:
        time.sleep(0.05)  # LiteLLM writes after it has answered
    assert shipped.who_answers("llama3.1:8b", "what is remembered?") == []
    keys = [bytes(key).decode() for key in client.scan_iter()]
    client.close()
    assert keys
    assert [key for key in keys if not key.startswith(NAMESPACE)] == []
