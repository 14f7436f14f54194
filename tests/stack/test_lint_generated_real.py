"""The real LiteLLM on configs made from the schema: it takes them, and serves what they name.

A few in each run, hundreds with `make soak`. The host of the oracle imports LiteLLM once for all of them.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from hypothesis import given, note, settings

from pytest_aibackend.litellm.schema import load_schema
from tests.fakes.real import valkey_server
from tests.generated.configs import Generated, configs
from tests.oracle.gateway import Host

BOOT_S: Final = 60.0
PASSED_ON: Final = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
QUIET: Final = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
# What a cache of another type asks for is no part of a test: a bucket, an account.
CONFIGS: Final = configs(load_schema("1.106"), caches=("local", "redis"))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with Host() as host:
        yield host


@pytest.fixture(scope="module")
def redis_port() -> Iterator[int]:
    with valkey_server() as server:
        yield server.port


def served(host: Host, config: Generated) -> list[str]:
    """Return the model group of each deployment that the real gateway has, without those of aliases."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        port = keeper.getsockname()[1]
        file, log = Path(folder, "config.yaml"), Path(folder, "log")
        file.write_text(config.text, encoding="utf-8")
        environment = PASSED_ON | QUIET | dict(config.environment)
        host.ask(do="boot", config=str(file), port=port, log=str(log), environment=environment)
        try:
            return asked(host, f"http://127.0.0.1:{port}", config)
        finally:
            host.ask(do="stop")
            note(log.read_text(encoding="utf-8", errors="replace")[-3000:])


def asked(host: Host, url: str, config: Generated) -> list[str]:
    """Ask a gateway that is booting for its deployments; fails when it ends, or takes too long."""
    deadline = time.monotonic() + BOOT_S
    headers = {"Authorization": f"Bearer {config.environment['LITELLM_MASTER_KEY']}"}
    aliases = config.data.get("router_settings", {}).get("model_group_alias", {})
    with httpx.Client(base_url=url, trust_env=False, timeout=BOOT_S, headers=headers) as client:
        while time.monotonic() < deadline:
            assert host.ask(do="status")["status"] is None, "LiteLLM refuses it"
            try:
                answer = client.get("/model/info")
            except httpx.TransportError:
                time.sleep(0.03)
                continue
            assert answer.status_code == 200, answer.text
            names = [deployment["model_name"] for deployment in answer.json()["data"]]
            return sorted(name for name in names if name not in aliases)
    pytest.fail(f"not ready after {BOOT_S:.0f} s")


@settings(max_examples=settings().max_examples // 10)  # of the profile: each takes a second
@given(config=CONFIGS)
def test_litellm_takes_what_the_schema_allows(host: Host, redis_port: int, config: Generated) -> None:
    cache = config.data.get("litellm_settings", {}).get("cache_params", {})
    if cache.get("type") == "redis":
        cache["port"] = redis_port
    assert served(host, config) == sorted(
        deployment["model_name"] for deployment in config.data["model_list"]
    )
