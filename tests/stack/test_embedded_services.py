"""What the embedded stack serves while it runs: real answers, a real cache, on loopback, behind a key."""

from __future__ import annotations

import json
import stat
from uuid import uuid4

import httpx
import psutil
import pytest
import redis

from pytest_aibackend.stack.state import StateDir
from tests.stack.embedded import EmbeddedStack, files_in, processes_of, run_stack


def ask(stack: EmbeddedStack, model: str, question: str) -> httpx.Response:
    return httpx.post(
        f"{stack.gateway_url}/v1/chat/completions",
        headers=stack.headers,
        json={"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": question}]},
        timeout=30,
    )


@pytest.mark.parametrize(("model", "server"), [("tiny-python", "python"), ("tiny-native", "native")])
def test_a_chat_reaches_the_server_of_its_model(
    embedded_stack: EmbeddedStack, model: str, server: str
) -> None:
    answer = ask(embedded_stack, model, f"which server? {uuid4()}")

    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"].strip()
    url = embedded_stack.python_url if server == "python" else embedded_stack.native_url
    assert answer.headers["x-litellm-model-api-base"] == f"{url}/v1"
    assert answer.json()["model"] == model


def test_every_group_of_the_example_answers(embedded_stack: EmbeddedStack) -> None:
    listed = httpx.get(f"{embedded_stack.gateway_url}/v1/models", headers=embedded_stack.headers)

    groups = {model["id"] for model in listed.json()["data"]}
    assert groups == {"tiny-python", "tiny-native", "tiny-balanced", "chat"}
    for group in sorted(groups):
        assert ask(embedded_stack, group, f"hello {uuid4()}").status_code == 200


def test_an_answer_is_cached_in_the_namespace(embedded_stack: EmbeddedStack) -> None:
    question = f"remember this {uuid4()}"
    first, second = (ask(embedded_stack, "tiny-python", question) for _ in range(2))

    assert second.json()["id"] == first.json()["id"]
    with redis.Redis(port=embedded_stack.redis_port, decode_responses=True) as cache:
        keys = list(cache.scan_iter(count=1000))
        assert keys
        assert [key for key in keys if not key.startswith("litellm:unified")] == []
        assert any(first.json()["id"] in str(cache.get(key)) for key in keys if cache.type(key) == "string")


def test_a_wrong_key_is_refused(embedded_stack: EmbeddedStack) -> None:
    answer = httpx.get(
        f"{embedded_stack.gateway_url}/v1/models", headers={"Authorization": "Bearer sk-something-else"}
    )

    assert answer.status_code >= 400


def test_everything_listens_on_loopback_alone(embedded_stack: EmbeddedStack) -> None:
    addresses = {
        connection.laddr[0]
        for process in processes_of(embedded_stack.config_dir)
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses == {"127.0.0.1"}


def test_state_is_private_and_the_key_is_in_one_file_only(embedded_stack: EmbeddedStack) -> None:
    directory = StateDir(embedded_stack.config_dir)

    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.key_file.stat().st_mode) == 0o600
    key = embedded_stack.key.encode()
    holders = [path.name for path, raw in files_in(directory.path).items() if key in raw]
    assert holders == [directory.key_file.name]
    for process in processes_of(embedded_stack.config_dir):
        assert embedded_stack.key not in " ".join(process.cmdline())


def test_status_says_what_runs_and_where_the_key_is(embedded_stack: EmbeddedStack) -> None:
    shown = run_stack("status", embedded_stack.config_dir)
    plain = run_stack("status", embedded_stack.config_dir, "--json")

    assert shown.returncode == plain.returncode == 0
    assert embedded_stack.key not in shown.stdout + plain.stdout
    document = json.loads(plain.stdout)
    assert document["running"] is True
    assert {service["name"]: service["state"] for service in document["services"]} == {
        "valkey": "ready",
        "llama_cpp_python": "ready",
        "llama_cpp_native": "ready",
        "litellm": "ready",
    }
    assert document["master_key_file"] in shown.stdout
    gateway = document["gateway"]
    assert (gateway["running"], gateway["sources"], gateway["troubles"]) == (True, "current", [])
    assert {worker["sha256"] for worker in gateway["workers"]} == {gateway["deployed_sha256"]}
    assert "2 of 2 workers serve" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_a_second_up_is_refused_and_harms_nothing(embedded_stack: EmbeddedStack) -> None:
    second = run_stack("up", embedded_stack.config_dir, "--detach")

    assert second.returncode == 1
    assert "already running" in second.stderr
    assert "aibackend down" in second.stderr
    assert run_stack("status", embedded_stack.config_dir).returncode == 0
