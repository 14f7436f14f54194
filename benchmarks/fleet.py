"""Write the configuration of a large fleet: many providers, ten models each, every model with a route."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

GATEWAY = """general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
deploy:
  path: litellm-unified.yaml
  url: http://127.0.0.1:{port}
"""
MODELS_EACH = 10


def write_fleet(folder: Path, providers: int) -> Path:
    """Write a correct configuration of `providers` providers; the generated file is not part of it."""
    folder.mkdir(parents=True)
    sources = ["providers:"]
    routes = ["exact_matches:"]
    chains = ["fallback_chains:"]
    for number in range(providers):
        name = f"node-{number:05}"
        sources += [
            f"  {name}:",
            "    type: vllm",
            f"    base_url: http://{name}.fleet.example:8000",
            "    status: active",
            f"    description: GPU node {number}",
            "    models:",
        ]
        for model in range(MODELS_EACH):
            group = f"model-{number:05}-{model}"
            sources += [f"      - name: {group}", "        context_length: 8192"]
            routes += [f"  {group}:", f"    provider: {name}"]
        following = f"model-{(number + 1) % providers:05}-1"
        chains += [f"  model-{number:05}-0:", f"    chain: [model-{number:05}-1, {following}]"]
    capabilities = ["capabilities:"]
    for number in range(0, providers, 10):
        members = ", ".join(f"model-{number + other:05}-2" for other in range(min(3, providers - number)))
        capabilities += [f"  purpose-{number:05}:", f"    preferred_models: [{members}]"]
    ports = ["litellm_gateway:", "  port: 4000", "  protocol: http", "  required: true"]
    _write(folder, sources, [*routes, *capabilities, *chains], ports, gateway_port=4000)
    return folder


def write_endpoints(folder: Path, ports: Sequence[int]) -> Path:
    """Write a configuration with one loopback provider for each port."""
    folder.mkdir(parents=True)
    sources = ["providers:"]
    routes = ["exact_matches:"]
    registry = ["litellm_gateway:", "  port: 4000", "  protocol: http", "  required: true"]
    for number, port in enumerate(ports):
        sources += [
            f"  node-{number:03}:",
            "    type: openai_compatible",
            f"    base_url: http://127.0.0.1:{port}/v1",
            f"    models: [tiny-{number:03}]",
        ]
        routes += [f"  tiny-{number:03}:", f"    provider: node-{number:03}"]
        registry += [f"node-{number:03}:", f"  port: {port}", "  protocol: http"]
    _write(folder, sources, routes, registry, gateway_port=4000)
    return folder


def _write(
    folder: Path,
    providers: Sequence[str],
    mappings: Sequence[str],
    ports: Sequence[str],
    *,
    gateway_port: int,
) -> None:
    for name, lines in (("providers", providers), ("model-mappings", mappings), ("ports", ports)):
        (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "gateway.yaml").write_text(GATEWAY.format(port=gateway_port), encoding="utf-8")


def models_body(number: int) -> bytes:
    """What an OpenAI-compatible server lists: its one model."""
    model = {"id": f"tiny-{number:03}", "object": "model", "created": 1, "owned_by": "benchmark"}
    return json.dumps({"object": "list", "data": [model]}).encode()
