"""Providers that say who they are, sources that use them, and the real gateway on what is generated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from pytest_aibackend.litellm.generate import render
from pytest_aibackend.litellm.plan import GatewayPlan, plan_gateway
from pytest_aibackend.sources.backend import load_backend
from tests.fakes.gateway import Gateway, litellm_gateway
from tests.fakes.openai_server import RecordingServer


@dataclass
class World:
    """A gateway, the plan that it carries out, and the servers behind it."""

    gateway: Gateway
    plan: GatewayPlan
    generated: str
    servers: dict[str, RecordingServer] = field(default_factory=dict)

    def __getitem__(self, name: str) -> RecordingServer:
        return self.servers[name]

    def reset(self) -> None:
        for server in self.servers.values():
            server.reset()

    def answer(self, model: str, **more: Any) -> str:
        """Return who answered a chat, or the status if nobody did."""
        return _content(self.gateway.chat(model, **more))

    def embed(self, model: str) -> httpx.Response:
        body = {"model": model, "input": "hello"}
        headers = self.gateway.headers
        return httpx.post(
            f"{self.gateway.url}/v1/embeddings", headers=headers, json=body, timeout=60, trust_env=False
        )


def _content(response: httpx.Response) -> str:
    if response.status_code != 200:
        return f"status {response.status_code}"
    content: str = response.json()["choices"][0]["message"]["content"]
    return content


def write_sources(folder: Path, **files: Any) -> Path:
    """Write source files, named as keyword arguments with _ for -."""
    for name in ("providers", "model_mappings", "ports", "gateway"):
        path = folder / f"{name.replace('_', '-')}.yaml"
        path.write_text(
            yaml.safe_dump(files.get(name, {}), sort_keys=False, allow_unicode=True), encoding="utf-8"
        )
    return folder


@contextmanager
def world(
    folder: Path, servers: Mapping[str, RecordingServer], env: Mapping[str, str], **files: Any
) -> Iterator[World]:
    """Generate from the sources and boot the gateway on it, with these servers already listening."""
    backend = load_backend(write_sources(folder, **files))
    for source in backend.sources.values():
        problems = source.checked.problems if source.checked else ()
        assert not [*source.problems, *problems], (source.role, source.problems, problems)
    plan = plan_gateway(backend)
    text = render(backend, plan)
    generated = folder / "litellm-unified.yaml"
    generated.write_text(text, encoding="utf-8")
    with litellm_gateway(generated, env) as gateway:
        yield World(gateway, plan, text, dict(servers))


@contextmanager
def listening(*names: str) -> Iterator[dict[str, RecordingServer]]:
    """Start a server for each name."""
    with ExitStack() as stack:
        servers = {}
        for name in names:
            server = RecordingServer(name).start()
            stack.callback(server.stop)
            servers[name] = server
        yield servers
