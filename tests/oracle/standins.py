"""The providers behind the oracle's configs: a real llama.cpp server and Valkey, and protocol-true stand-ins.

`@OPENAI@` speaks for every other provider of OpenAI's or Anthropic's protocol. It answers at the paths of the
protocol alone, like OpenAI refuses what that does not know, and how it answers is in the name of the model:

    down-*      500, always            flaky-*     500, then well, in turn
    small-*     400, the context is too long        policy-*   400, the content policy
    *embed*     embeddings alone       others      well
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.fakes.ollama import OllamaServer
from tests.fakes.openai_server import _answer as answer_of
from tests.fakes.real import ValkeyServer, llama_server, valkey_server
from tests.fakes.server import FakeServer, Received, Reply, as_json
from tests.fakes.vllm import VllmServer

__all__ = ["StandIns", "stand_ins"]

OLLAMA_MODELS: Final = ("llama3.1:8b", "qwen2.5-coder:7b", "nomic-embed-text")
VLLM_MODELS: Final = ("Qwen/Qwen2.5-7B-Instruct", "meta-llama/Llama-3.1-8B-Instruct")
CHAT: Final = "/v1/chat/completions"
PATHS: Final = (CHAT, "/v1/messages", "/v1/completions", "/v1/embeddings", "/v1/rerank")
# What OpenAI's reference lists as the body of a request for chat.
ARGUMENTS: Final = frozenset(
    re.findall(
        r"\w+",
        """
        audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens
        messages metadata modalities model n parallel_tool_calls prediction presence_penalty prompt_cache_key
        prompt_cache_retention reasoning_effort response_format safety_identifier seed service_tier stop store
        stream stream_options temperature tool_choice tools top_logprobs top_p user
        verbosity web_search_options
        """,
    )
)
DATABASES: Final = (0, 1)
FAULTS: Final[dict[str, tuple[int, dict[str, Any]]]] = {
    "down": (500, {"message": "the engine is down", "type": "server_error"}),
    "small": (
        400,
        {
            "message": "This model's maximum context length is 16 tokens. You asked for 99.",
            "type": "invalid_request_error",
            "code": "context_length_exceeded",
        },
    ),
    "policy": (
        400,
        {
            "message": "Your request was rejected as a result of our safety system: content_policy_violation",
            "type": "invalid_request_error",
            "code": "content_policy_violation",
        },
    ),
}


class OpenAiServer(FakeServer):
    """A server of OpenAI's and Anthropic's protocols."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self._flaky: Counter[str] = Counter()

    def forget(self) -> None:
        """Begin again with the first answer of those that are flaky."""
        self._flaky.clear()

    def reply(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        model = request.model or ""
        if request.method != "POST" or path not in PATHS:
            if path == "/v1/models":
                return as_json({"object": "list", "data": []})
            return _error(404, {"message": f"Invalid URL ({request.method} {path})", "type": "x"})
        if not (request.headers.get("authorization") or request.headers.get("x-api-key")):
            return _error(401, {"message": "You didn't provide an API key.", "type": "x"})
        if path == CHAT and self.name == "openai" and (strange := sorted(set(request.body) - ARGUMENTS)):
            said = f"Unrecognized request argument supplied: {strange[0]}"
            return _error(400, {"message": said, "type": "invalid_request_error"})
        fault = model.rpartition("/")[2].partition("-")[0]
        if fault == "flaky":
            self._flaky[model] += 1
            fault = "down" if self._flaky[model] % 2 else ""
        if fault in FAULTS:
            return _error(*FAULTS[fault])
        if ("embed" in model) != (path == "/v1/embeddings"):
            return _error(400, {"message": f"The model {model} does not support {path}", "type": "x"})
        if path == "/v1/rerank":
            return as_json({"id": "r", "results": [{"index": 0, "relevance_score": 0.9}], "model": model})
        return as_json(answer_of(self.name, path, request.body))


def _error(status: int, error: dict[str, Any]) -> Reply:
    return as_json({"error": {"param": None, "code": None, **error}}, status)


@dataclass(frozen=True, kw_only=True)
class StandIns:
    """All of them, listening."""

    fakes: dict[str, FakeServer]
    valkey: ValkeyServer
    llama_port: int

    @property
    def ports(self) -> dict[str, int]:
        """Return the ports by the names that placeholders have."""
        others = {"REDIS": self.valkey.port, "LLAMACPP": self.llama_port}
        return {name: fake.port for name, fake in self.fakes.items()} | others

    @property
    def received(self) -> list[Received]:
        """Return all requests for answers that reached a stand-in since the last reset."""
        return [
            request
            for fake in self.fakes.values()
            for request in list(fake.requests)
            if request.method == "POST" and not request.path.startswith("/api/show")
        ]

    def stored(self) -> list[str]:
        """Return the names under which something is kept in Redis."""
        found: list[str] = []
        for db in DATABASES:
            with self.valkey.client(db) as client:
                found += [key.decode() for key in client.scan_iter()]
        return found

    def reset(self) -> None:
        """Forget what was asked, and what was stored."""
        with self.valkey.client() as client:
            client.flushall()
        for fake in self.fakes.values():
            fake.requests.clear()
            if isinstance(fake, OpenAiServer):
                fake.forget()


@contextlib.contextmanager
def stand_ins() -> Iterator[StandIns]:
    """Start them all, stop them at the end."""
    with contextlib.ExitStack() as stack:
        fakes: dict[str, FakeServer] = {
            "OPENAI": OpenAiServer("openai"),
            "ANTHROPIC": OpenAiServer("anthropic"),
            "OLLAMA": OllamaServer(models=OLLAMA_MODELS),
            "VLLM": VllmServer(models=VLLM_MODELS),
        }
        for fake in fakes.values():
            stack.enter_context(fake)
        llama = stack.enter_context(llama_server(alias="tiny"))
        yield StandIns(
            fakes=fakes,
            valkey=stack.enter_context(valkey_server()),
            llama_port=int(llama.rpartition(":")[2]),
        )
