"""A stand-in for Ollama, which cannot be installed here: its protocol, without a model.

Written after Ollama's docs/api.md (endpoints, shapes, durations in nanoseconds, NDJSON streams),
docs/openai.md and openai/openai.go (the /v1 part), and server/routes.go (error texts, HEAD /, the Host
check). `tests/unit/test_fake_ollama.py` proves it with the official `ollama` client.

The reply of a model is "<server name> <model> hears: <what the user said>", so that a test behind a gateway
can tell which server answered.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.openai_shapes import count_tokens, last_text, sse, words
from tests.fakes.server import FakeServer, Received, Reply, as_json

JSON = "application/json; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"
PULLED_AT = "2026-11-01T12:00:00.123456789Z"


class OllamaServer(FakeServer):
    """Ollama with these models pulled. A name without a tag means `:latest`."""

    def __init__(
        self,
        *,
        models: Sequence[str] = ("llama3.1:8b",),
        version: str = "0.12.6",
        port: int = 0,
        name: str = "ollama",
        host: str = "127.0.0.1",
        piece_pause_s: float = 0.0,
    ) -> None:
        super().__init__(port=port, host=host, name=name)
        self.models = [full_name(model) for model in models]
        self.version = version
        self.loaded: list[str] = []
        self.piece_pause_s = piece_pause_s

    def reply(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        if not _is_allowed_host(request.headers.get("host", "")):
            return Reply(status=403, content_type="")
        key = (request.method.replace("HEAD", "GET"), path)
        simple: dict[tuple[str, str], Any] = {
            ("GET", "/"): lambda: Reply(body=b"Ollama is running", content_type=PLAIN),
            ("GET", "/api/version"): lambda: _json({"version": self.version}),
            ("GET", "/api/tags"): lambda: _json({"models": [self._card(model) for model in self.models]}),
            ("GET", "/api/ps"): lambda: _json({"models": [self._running(model) for model in self.loaded]}),
            ("GET", "/v1/models"): self._openai_models,
        }
        with_model: dict[tuple[str, str], Any] = {
            ("POST", "/api/show"): self._show,
            ("POST", "/api/chat"): self._chat,
            ("POST", "/api/generate"): self._generate,
            ("POST", "/api/embed"): self._embed,
            ("POST", "/api/embeddings"): self._embeddings,
            ("POST", "/v1/chat/completions"): self._openai_chat,
        }
        if key in simple:
            answer: Reply = simple[key]()
            return answer
        if key in with_model:
            return self._with_model(request, path, with_model[key])
        if any(path == known for _, known in (*simple, *with_model)):
            return Reply(status=405, body=b"405 method not allowed", content_type="text/plain")
        return Reply(status=404, body=b"404 page not found", content_type="text/plain")

    def fault_reply(self, status: int) -> Reply:
        return _json({"error": f"injected fault {status} of {self.name}"}, status)

    def is_work(self, request: Received) -> bool:
        return request.method == "POST" and not request.path.startswith("/api/show")

    def _with_model(self, request: Received, path: str, work: Any) -> Reply:
        is_openai = path.startswith("/v1/")
        if request.body is None:
            return _error("missing request body", 400, is_openai)
        if not isinstance(request.body, dict):
            return _error("invalid character 'x' looking for beginning of value", 400, is_openai)
        model = request.body.get("model") or request.body.get("name")
        if not model:
            return _error("model is required", 400, is_openai)
        if full_name(model) not in self.models:
            return _error(f"model '{model}' not found", 404, is_openai)
        if path != "/api/show" and full_name(model) not in self.loaded:
            self.loaded.append(full_name(model))
        answer: Reply = work(request.body, model)
        return answer

    def _card(self, model: str) -> dict[str, Any]:
        return {
            "name": model,
            "model": model,
            "modified_at": PULLED_AT,
            "size": 4661224676,
            "digest": hashlib.sha256(model.encode()).hexdigest(),
            "details": _details(model),
        }

    def _running(self, model: str) -> dict[str, Any]:
        card = self._card(model)
        del card["modified_at"]
        expires = datetime.now(UTC) + timedelta(minutes=5)
        return {
            **card,
            "expires_at": expires.isoformat().replace("+00:00", "Z"),
            "size_vram": 0,
            "context_length": 4096,
        }

    def _show(self, _body: dict[str, Any], model: str) -> Reply:
        return _json(
            {
                "modelfile": f'# Modelfile generated by "ollama show"\nFROM {model}\n',
                "parameters": 'stop                           "<|eot_id|>"',
                "template": "{{ .Prompt }}",
                "details": _details(model),
                "model_info": {
                    "general.architecture": "llama",
                    "general.parameter_count": 8030261248,
                    "llama.context_length": 8192,
                    "llama.embedding_length": 4096,
                },
                "capabilities": ["completion"],
                "modified_at": PULLED_AT,
            }
        )

    def _text(self, model: str, said: str) -> str:
        return f"{self.name} {model} hears: {said}" if said else f"{self.name} {model} hears nothing"

    def _chat(self, body: dict[str, Any], model: str) -> Reply:
        messages = body.get("messages") or []
        if not messages:
            return _json(self._unsaid(body, model, {"message": {"role": "assistant", "content": ""}}))
        text = self._text(model, last_text(messages))
        return self._answer(body, model, text, lambda token: {"message": _message(token)}, messages)

    def _generate(self, body: dict[str, Any], model: str) -> Reply:
        prompt = body.get("prompt") or ""
        if not prompt:
            return _json(self._unsaid(body, model, {"response": ""}))
        text = self._text(model, prompt)
        return self._answer(body, model, text, lambda token: {"response": token}, [prompt])

    def _unsaid(self, body: dict[str, Any], model: str, nothing: dict[str, Any]) -> dict[str, Any]:
        """An empty chat loads the model, or with keep_alive 0 unloads it."""
        unload = body.get("keep_alive") in (0, "0", "0s")
        if unload:
            self.loaded.remove(full_name(model))
        reason = "unload" if unload else "load"
        return {"model": model, "created_at": _now(), **nothing, "done_reason": reason, "done": True}

    def _answer(self, body: dict[str, Any], model: str, text: str, shape: Any, asked: list[Any]) -> Reply:
        options = body.get("options") or {}
        tokens, cut = words(text, options.get("num_predict"))
        end = {
            "done_reason": "length" if cut else "stop",
            "done": True,
            "total_duration": 4883583458,
            "load_duration": 1334875,
            "prompt_eval_count": count_tokens(asked),
            "prompt_eval_duration": 342546000,
            "eval_count": len(tokens),
            "eval_duration": 4535599000,
        }
        if body.get("stream") is False:
            return _json({"model": model, "created_at": _now(), **shape("".join(tokens)), **end})
        lines = [{"model": model, "created_at": _now(), **shape(token), "done": False} for token in tokens]
        lines.append({"model": model, "created_at": _now(), **shape(""), **end})
        return Reply(
            content_type="application/x-ndjson",
            pieces=tuple(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines),
            pause_s=self.piece_pause_s,
        )

    def _embed(self, body: dict[str, Any], model: str) -> Reply:
        given = body.get("input")
        inputs = given if isinstance(given, list) else [given] if given else []
        return _json(
            {
                "model": model,
                "embeddings": [_vector(str(each)) for each in inputs],
                "total_duration": 14143917,
                "load_duration": 1019500,
                "prompt_eval_count": count_tokens(inputs),
            }
        )

    def _embeddings(self, body: dict[str, Any], _model: str) -> Reply:
        return _json({"embedding": _vector(str(body.get("prompt") or ""))})

    def _openai_models(self) -> Reply:
        return _json(
            {
                "object": "list",
                "data": [
                    {"id": model, "object": "model", "created": 1761998400, "owned_by": "library"}
                    for model in self.models
                ],
            }
        )

    def _openai_chat(self, body: dict[str, Any], model: str) -> Reply:
        messages = body.get("messages") or []
        limit = body.get("max_tokens") or body.get("max_completion_tokens")
        tokens, cut = words(self._text(model, last_text(messages)), limit)
        head = {"id": "chatcmpl-427", "created": int(time.time()), "model": model}
        head["system_fingerprint"] = "fp_ollama"
        reason = "length" if cut else "stop"
        asked = count_tokens(messages)
        usage = {
            "prompt_tokens": asked,
            "completion_tokens": len(tokens),
            "total_tokens": asked + len(tokens),
        }
        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(tokens)}
            choice = {"index": 0, "message": message, "finish_reason": reason}
            return _json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        head["object"] = "chat.completion.chunk"
        events = [{**head, "choices": [_delta(token, None)]} for token in tokens]
        events.append({**head, "choices": [_delta("", reason)]})
        if (body.get("stream_options") or {}).get("include_usage"):
            events.append({**head, "choices": [], "usage": usage})
        return Reply(content_type="text/event-stream", pieces=sse(events), pause_s=self.piece_pause_s)


def full_name(model: str) -> str:
    """A name without a tag means the tag `latest`."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _json(value: Any, status: int = 200) -> Reply:
    return as_json(value, status, JSON)


def _error(text: str, status: int, is_openai: bool) -> Reply:
    if not is_openai:
        return _json({"error": text}, status)
    kind = {400: "invalid_request_error", 404: "not_found_error"}.get(status, "api_error")
    return _json({"error": {"message": text, "type": kind, "param": None, "code": None}}, status)


def _is_allowed_host(header: str) -> bool:
    """Bound to loopback, Ollama answers only those who call it by a local name (server/routes.go)."""
    host = header.rpartition(":")[0] if ":" in header and not header.endswith("]") else header
    host = host.strip("[]")
    suffixes = (".localhost", ".local", ".internal")
    return host in ("", "localhost", "::1") or host.startswith("127.") or host.endswith(suffixes)


def _details(model: str) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "8.0B",
        "quantization_level": "Q4_K_M",
    }


def _message(token: str) -> dict[str, Any]:
    return {"role": "assistant", "content": token}


def _delta(token: str, reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": _message(token), "finish_reason": reason}


def _vector(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()
    return [round(byte / 255 - 0.5, 6) for byte in digest[:10]]


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
