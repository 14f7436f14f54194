"""The stand-in for Ollama is proven with the official client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import ollama
import pytest

from tests.fakes.ollama import OllamaServer

HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer(models=["llama3.1:8b", "all-minilm"], name="left") as running:
        yield running


@pytest.fixture
def client(server: OllamaServer) -> Iterator[ollama.Client]:
    with ollama.Client(host=server.url, trust_env=False) as made:
        yield made


def test_list_show_and_ps(client: ollama.Client) -> None:
    assert [each.model for each in client.list().models] == ["llama3.1:8b", "all-minilm:latest"]
    assert client.list().models[0].details is not None
    shown = client.show("llama3.1:8b")
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.context_length"] == 8192
    assert shown.capabilities == ["completion"]
    assert client.ps().models == []
    client.chat("llama3.1:8b", messages=HELLO)
    assert [each.model for each in client.ps().models] == ["llama3.1:8b"]


def test_chat_and_generate(client: ollama.Client, server: OllamaServer) -> None:
    answer = client.chat("llama3.1:8b", messages=HELLO)
    assert answer.message.content == "left llama3.1:8b hears: hello there"
    assert answer.done_reason == "stop"
    assert answer.eval_count == 5
    short = client.generate("llama3.1:8b", prompt="hello", options={"num_predict": 1})
    assert short.response == "left "
    assert short.done_reason == "length"
    assert server.models_asked() == ["llama3.1:8b", "llama3.1:8b"]


def test_streams(client: ollama.Client) -> None:
    parts = list(client.chat("llama3.1:8b", messages=HELLO, stream=True))
    assert "".join(part.message.content or "" for part in parts) == "left llama3.1:8b hears: hello there"
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    pieces = list(client.generate("llama3.1:8b", prompt="hi", stream=True))
    assert "".join(piece.response or "" for piece in pieces) == "left llama3.1:8b hears: hi"


def test_load_and_unload(client: ollama.Client) -> None:
    assert client.chat("all-minilm", messages=[]).done_reason == "load"
    assert [each.model for each in client.ps().models] == ["all-minilm:latest"]
    assert client.generate("all-minilm", keep_alive=0).done_reason == "unload"
    assert client.ps().models == []


def test_embed(client: ollama.Client) -> None:
    answer = client.embed("all-minilm", input=["one", "two"])
    assert len(answer.embeddings) == 2
    assert answer.embeddings[0] != answer.embeddings[1]
    assert len(client.embeddings("all-minilm", prompt="one").embedding) == 10


def test_errors(client: ollama.Client, server: OllamaServer) -> None:
    with pytest.raises(ollama.ResponseError, match="model 'nobody' not found") as caught:
        client.chat("nobody", messages=HELLO)
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="not found"):
        list(client.chat("nobody", messages=HELLO, stream=True))
    server.fail("500", times=1)
    with pytest.raises(ollama.ResponseError, match="injected fault 500 of left"):
        client.chat("llama3.1:8b", messages=HELLO)
    client.chat("llama3.1:8b", messages=HELLO)
    server.fail("close")
    with pytest.raises(httpx.RemoteProtocolError):
        client.chat("llama3.1:8b", messages=HELLO)
    server.heal()


def test_what_is_said_outside_the_api(server: OllamaServer) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.head("/").status_code == 200
        assert client.get("/").text == "Ollama is running"
        assert client.get("/health").text == "404 page not found"
        assert client.get("/api/chat").status_code == 405
        assert client.post("/api/chat", json={}).json() == {"error": "model is required"}
        assert client.get("/api/tags", headers={"Host": "example.com"}).status_code == 403


def test_openai_part(server: OllamaServer) -> None:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        listed = client.get("/v1/models").json()
        assert [each["id"] for each in listed["data"]] == ["llama3.1:8b", "all-minilm:latest"]
        body = {"model": "llama3.1:8b", "messages": HELLO}
        answer = client.post("/v1/chat/completions", json=body).json()
        assert answer["choices"][0]["message"]["content"].startswith("left llama3.1:8b")
        assert answer["usage"]["total_tokens"] == sum(
            answer["usage"][name] for name in ("prompt_tokens", "completion_tokens")
        )
        streamed = client.post("/v1/chat/completions", json={**body, "stream": True}).text
        assert streamed.endswith("data: [DONE]\n\n")
        unknown = client.post("/v1/chat/completions", json={**body, "model": "x"})
        assert unknown.status_code == 404
        assert unknown.json()["error"]["type"] == "not_found_error"
