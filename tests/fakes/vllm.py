"""A stand-in for vLLM, which wants a GPU: its OpenAI-like server, without a model.

Written after vllm/entrypoints/openai (engine/protocol.py and models/serving.py for shapes and error bodies,
the health router for `/health`: 200 with an empty body, 503 once the engine is dead) and
entrypoints/serve/utils (`--api-key` guards the paths below /v1 and answers 401 `{"error": "Unauthorized"}`).
What FastAPI answers by itself ({"detail": "Not Found"}) is as FastAPI does.

The reply is "<server name> <model> hears: <what the user said>".
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from tests.fakes.openai_shapes import count_tokens, last_text, sse, words
from tests.fakes.server import FakeServer, Received, Reply, as_json


class VllmServer(FakeServer):
    """`vllm serve` with these names (`--served-model-name`), and a key if one is given."""

    banner = "uvicorn"

    def __init__(
        self,
        *,
        models: Sequence[str] = ("Qwen/Qwen2.5-Coder-7B-Instruct-AWQ",),
        api_key: str | None = None,
        version: str = "0.11.0",
        port: int = 0,
        name: str = "vllm",
        host: str = "127.0.0.1",
        piece_pause_s: float = 0.0,
    ) -> None:
        super().__init__(port=port, host=host, name=name)
        self.models = list(models)
        self.api_key = api_key
        self.version = version
        self.engine_dead = False
        self.piece_pause_s = piece_pause_s

    def reply(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        given = request.headers.get("authorization")
        if self.api_key and path.startswith("/v1") and given != f"Bearer {self.api_key}":
            return as_json({"error": "Unauthorized"}, 401)
        routes: dict[str, tuple[str, Any]] = {
            "/health": ("GET", self._health),
            "/ping": ("GET", self._health),
            "/version": ("GET", lambda _: as_json({"version": self.version})),
            "/v1/models": ("GET", self._models),
            "/v1/chat/completions": ("POST", self._chat),
            "/v1/completions": ("POST", self._complete),
        }
        if path not in routes:
            return as_json({"detail": "Not Found"}, 404)
        method, work = routes[path]
        if request.method != method:
            return as_json({"detail": "Method Not Allowed"}, 405)
        answer: Reply = work(request)
        return answer

    def fault_reply(self, status: int) -> Reply:
        kind = "TooManyRequests" if status == 429 else "InternalServerError"
        return _error(f"injected fault {status} of {self.name}", kind, status)

    def _health(self, _request: Received) -> Reply:
        return Reply(status=503 if self.engine_dead else 200, content_type="")

    def _models(self, _request: Received) -> Reply:
        now = int(time.time())
        return as_json({"object": "list", "data": [_card(model, now) for model in self.models]})

    def _trouble(self, request: Received, wanted: str) -> Reply | None:
        body = request.body
        if not isinstance(body, dict) or wanted not in body:
            text = f"[{{'type': 'missing', 'loc': ('body', '{wanted}'), 'msg': 'Field required'}}]"
            return _error(text, "Bad Request", 400)
        model = body.get("model")
        if model and model not in self.models:
            return _error(f"The model `{model}` does not exist.", "NotFoundError", 404, "model")
        if self.engine_dead:
            text = "EngineCore encountered an issue. See stack trace (above) for the root cause."
            return _error(text, "InternalServerError", 500)
        return None

    def _chat(self, request: Received) -> Reply:
        if trouble := self._trouble(request, "messages"):
            return trouble
        body = request.body
        model = body.get("model") or self.models[0]
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        tokens, cut = words(f"{self.name} {model} hears: {last_text(body['messages'])}", limit)
        head: dict[str, Any] = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
        }
        reason = "length" if cut else "stop"
        usage = _usage(count_tokens(body["messages"]), len(tokens))
        if not body.get("stream"):
            message: dict[str, Any] = {
                "role": "assistant",
                "content": "".join(tokens),
                "refusal": None,
                "annotations": None,
                "audio": None,
                "function_call": None,
                "tool_calls": [],
                "reasoning_content": None,
            }
            choice = _choice(reason, message=message)
            return as_json(
                {
                    **head,
                    "choices": [choice],
                    "service_tier": None,
                    "system_fingerprint": None,
                    "usage": usage,
                    "prompt_logprobs": None,
                    "prompt_token_ids": None,
                    "kv_transfer_params": None,
                }
            )
        head["object"] = "chat.completion.chunk"
        deltas = [{"role": "assistant", "content": ""}, *({"content": token} for token in tokens)]
        events = [{**head, "choices": [_delta(delta, None)]} for delta in deltas]
        events.append({**head, "choices": [_delta({"content": ""}, reason)]})
        return self._stream(body, head, events, usage)

    def _complete(self, request: Received) -> Reply:
        if trouble := self._trouble(request, "prompt"):
            return trouble
        body = request.body
        model = body.get("model") or self.models[0]
        tokens, cut = words(f"{self.name} {model} hears: {body['prompt']}", body.get("max_tokens", 16))
        head: dict[str, Any] = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        reason = "length" if cut else "stop"
        usage = _usage(count_tokens([body["prompt"]]), len(tokens))
        if not body.get("stream"):
            choice = _choice(reason, text="".join(tokens), prompt_logprobs=None)
            return as_json({**head, "choices": [choice], "usage": usage, "kv_transfer_params": None})
        events = [{**head, "choices": [_choice(None, text=token)]} for token in tokens]
        events.append({**head, "choices": [_choice(reason, text="")]})
        return self._stream(body, head, events, usage)

    def _stream(
        self, body: dict[str, Any], head: dict[str, Any], events: list[dict[str, Any]], usage: dict[str, Any]
    ) -> Reply:
        if (body.get("stream_options") or {}).get("include_usage"):
            events.append({**head, "choices": [], "usage": usage})
        return Reply(
            content_type="text/event-stream; charset=utf-8", pieces=sse(events), pause_s=self.piece_pause_s
        )


def _card(model: str, now: int) -> dict[str, Any]:
    permission = {
        "id": f"modelperm-{uuid.uuid4().hex}",
        "object": "model_permission",
        "created": now,
        "allow_create_engine": False,
        "allow_sampling": True,
        "allow_logprobs": True,
        "allow_search_indices": False,
        "allow_view": True,
        "allow_fine_tuning": False,
        "organization": "*",
        "group": None,
        "is_blocking": False,
    }
    return {
        "id": model,
        "object": "model",
        "created": now,
        "owned_by": "vllm",
        "root": model,
        "parent": None,
        "max_model_len": 4096,
        "permission": [permission],
    }


def _choice(reason: str | None, **more: Any) -> dict[str, Any]:
    return {"index": 0, **more, "logprobs": None, "finish_reason": reason, "stop_reason": None}


def _delta(delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def _usage(asked: int, said: int) -> dict[str, Any]:
    return {
        "prompt_tokens": asked,
        "total_tokens": asked + said,
        "completion_tokens": said,
        "prompt_tokens_details": None,
    }


def _error(message: str, kind: str, status: int, param: str | None = None) -> Reply:
    return as_json({"error": {"message": message, "type": kind, "param": param, "code": status}}, status)
