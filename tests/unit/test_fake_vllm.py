"""The stand-in for vLLM answers as vLLM's OpenAI-like server is documented to."""

from __future__ import annotations

import json

import httpx
import openai
import pytest

from tests.fakes.vllm import VllmServer


def test_the_official_openai_client_gets_on_with_it() -> None:
    with (
        VllmServer(models=["q"], api_key="sk-right", name="v") as server,
        httpx.Client(trust_env=False) as direct,
        openai.OpenAI(
            base_url=f"{server.url}/v1", api_key="sk-right", max_retries=0, http_client=direct
        ) as client,
    ):
        assert [each.id for each in client.models.list()] == ["q"]
        messages: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
        answer = client.chat.completions.create(model="q", messages=messages)
        assert answer.choices[0].message.content == "v q hears: hi"
        parts = client.chat.completions.create(model="q", messages=messages, stream=True)
        assert "".join(part.choices[0].delta.content or "" for part in parts) == "v q hears: hi"
        with pytest.raises(openai.NotFoundError, match="The model `x` does not exist"):
            client.chat.completions.create(model="x", messages=messages)
        assert client.completions.create(model="q", prompt="a").choices[0].text == "v q hears: a"
        server.engine_dead = True
        with pytest.raises(openai.InternalServerError, match="EngineCore"):
            client.chat.completions.create(model="q", messages=messages)
        server.engine_dead = False
        server.fail("429")
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="q", messages=messages)


def test_health_version_and_key() -> None:
    with (
        VllmServer(api_key="sk-right") as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        health = client.get("/health")
        assert (health.status_code, health.content) == (200, b"")
        assert client.get("/version").json() == {"version": "0.11.0"}
        refused = client.get("/v1/models")
        assert (refused.status_code, refused.json()) == (401, {"error": "Unauthorized"})
        card = client.get("/v1/models", headers={"Authorization": "Bearer sk-right"}).json()["data"][0]
        assert card["owned_by"] == "vllm"
        assert card["permission"][0]["object"] == "model_permission"
        assert client.get("/api/tags").json() == {"detail": "Not Found"}
        server.engine_dead = True
        assert client.get("/health").status_code == 503
        assert client.get("/version").status_code == 200


def test_a_stream_ends_with_usage_when_asked_for() -> None:
    with VllmServer(models=["q"]) as server:
        body = {
            "model": "q",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        text = httpx.post(f"{server.url}/v1/chat/completions", json=body, trust_env=False).text
        events = [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")]
        assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert events[-1]["choices"] == []
        assert events[-1]["usage"]["completion_tokens"] == 4
