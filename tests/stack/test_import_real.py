"""The real LiteLLM serves the same from a hand-written configuration and from what its import generates."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pytest_aibackend.cli import main
from pytest_aibackend.sources.backend import FILES
from pytest_aibackend.sources.secrets import is_placeholder
from tests.fakes.gateway import Gateway, litellm_gateway
from tests.fakes.openai_server import Asked, RecordingServer
from tests.fakes.translation import listening
from tests.unit.litellm_reads import read, value_at

KEY = "sk-invented-key-of-the-cloud"
ASKED = (
    *("plain", "vllm", "beside", "cloud", "turns", "ollama", "stopped"),
    *("chat", "hidden", "wild/x", "any/y", "lost"),
)
ENVIRONMENT = {"AZURE_API_KEY": "invented", "OPENAI_API_KEY": "invented", "CLOUD_API_KEY": KEY}


def hand_written(urls: dict[str, str]) -> dict[str, Any]:
    one, two = f"{urls['one']}/v1", f"{urls['two']}/v1"

    def entry(name: str, info: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
        return {"model_name": name, "litellm_params": params} | ({"model_info": info} if info else {})

    return {
        "model_list": [
            entry("plain", model="openai/m", api_base=one, api_key="none", temperature=0.3, max_tokens=7),
            entry("vllm", model="hosted_vllm/Org/M", api_base=two, api_key="EMPTY", timeout=9),
            entry("beside", model="Org/M", custom_llm_provider="openai", api_base=two, api_key="none"),
            entry("cloud", {"id": "cloud-1", "mode": "chat"}, model="openai/big", api_base=two, api_key=KEY),
            entry("shared", {"id": "shared-1"}, model="openai/m", api_base=one, api_key="none", weight=3),
            entry("shared", {"id": "shared-2"}, model="openai/n", api_base=two, api_key="x", weight=1, rpm=5),
            entry("turns", model="openai/m", api_base=one, api_key="none", order=1),
            entry("turns", model="hosted_vllm/Org/M", api_base=two, order=2),
            entry("azure", model="azure/d", api_base="https://x.invalid", api_key="os.environ/AZURE_API_KEY"),
            entry("wild/*", model="wild/*", custom_llm_provider="openai", api_base=one, api_key="none"),
            entry("any/*", model="openai/*", api_base=two, api_key="none"),
            entry("ollama", model="ollama/llama3.1", api_base=urls["one"]),
            entry("vectors", {"mode": "embedding"}, model="openai/e", api_base=one, api_key="none"),
            entry("stopped", model="openai/m", api_base="http://127.0.0.1:9/v1", api_key="none"),
        ],
        "litellm_settings": {
            "drop_params": True,
            "fallbacks": [{"stopped": ["plain"]}, {"nobody": ["plain"]}],
            "default_fallbacks": ["vllm"],
        },
        "router_settings": {
            "num_retries": 0,
            "model_group_alias": {"chat": "plain", "hidden": {"model": "vllm", "hidden": True}},
            "my_note": "nothing reads this",
        },
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        "server_settings": {"port": 4000},
    }  # fmt: skip


def shown(gateway: Gateway) -> list[Any]:
    """Return what `/model/info` says, without the ids that LiteLLM makes of the parameters' text."""
    answer = httpx.get(f"{gateway.url}/model/info", headers=gateway.headers, timeout=20)
    answer.raise_for_status()
    models = answer.json()["data"]
    for model in models:
        if not model["model_info"]["id"].endswith(("-1", "-2")):
            del model["model_info"]["id"]
        # The import leaves out a placeholder where LiteLLM sends one of its own.
        model["litellm_params"].pop("api_key", None)
    return sorted(models, key=repr)


def key_of(request: Asked) -> str | None:
    """Return the key that came; one word in the place of a key is as good as another."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return "a placeholder" if is_placeholder(key) else key


def seen(path: Path, servers: dict[str, RecordingServer], env: dict[str, str]) -> dict[str, Any]:
    """Return what the gateway serves, and what it asked of whom for each model group."""
    asked: dict[str, Any] = {}
    with litellm_gateway(path, env) as gateway:
        for name in ASKED:
            for server in servers.values():
                server.reset()
            status = gateway.chat(name).status_code
            requests = [
                (where, request.path, key_of(request), request.body)
                for where, server in servers.items()
                for request in server.asked
            ]
            asked[name] = (status, requests)
        return {"models": gateway.served(), "info": shown(gateway), "asked": asked}


def test_the_examples_that_litellm_carries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is imported and says the same; one has no litellm_params, and LiteLLM does not start with it."""
    spec = find_spec("litellm")
    assert spec is not None
    assert spec.origin is not None
    found = [
        path
        for path in Path(spec.origin).parent.rglob("*.yaml")
        if b"\nmodel_list:" in b"\n" + path.read_bytes()
    ]
    refused = []
    for number, path in enumerate(found):
        output = tmp_path / str(number)
        if main(["import", str(path), "--output", str(output), "--json"]):
            refused.append(path.name)
            assert "has no litellm_params" in capsys.readouterr().err
            continue
        report, original = json.loads(capsys.readouterr().out), yaml.safe_load(path.read_bytes())
        moved = {each["variable"]: value_at(original, each["from"]) for each in report["secrets"]}
        assert read(output / FILES["generated"], moved) == read(path, {}), path.name
    assert len(found) > 20
    assert refused == ["langfuse_config.yaml"]


def test_the_same_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listening("one", "two") as servers:
        urls = {name: server.url for name, server in servers.items()}
        original = tmp_path / "config.yaml"
        original.write_text(yaml.safe_dump(hand_written(urls), sort_keys=False))
        assert main(["import", str(original), "--output", str(tmp_path / "sources")]) == 0
        said = capsys.readouterr().out
        variable = next(line.split()[0] for line in said.splitlines() if "('cloud')" in line)
        before = seen(original, servers, ENVIRONMENT)
        after = seen(tmp_path / "sources" / FILES["generated"], servers, ENVIRONMENT | {variable: KEY})
    assert before["models"] == after["models"]
    assert before["info"] == after["info"]
    assert before["asked"] == after["asked"]
    assert {status for status, _ in before["asked"].values()} == {200}
