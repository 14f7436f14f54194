"""A small server that says who it is in every answer and keeps what it was asked.

It speaks as much of the protocols of OpenAI, Anthropic and Ollama as LiteLLM needs, so that a test
can see which deployment answered and exactly what reached it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Asked", "RecordingServer"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]

    @property
    def model(self) -> Any:
        """Return the model that was asked for."""
        return self.body.get("model")


@dataclass
class RecordingServer:
    """A named server on a loopback port; `stop` and `start` again keep the port."""

    name: str
    status: int = 200  # what it answers with; anything else than 200 comes with an error body
    headers: dict[str, str] = field(default_factory=dict)  # added to every answer
    delay: float = 0.0  # seconds before each answer
    most_at_once: Counter[str] = field(default_factory=Counter)  # by model: requests at the same time
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    at_once: Counter[str] = field(default_factory=Counter)
    _server: ThreadingHTTPServer | None = None

    @property
    def models(self) -> list[str]:
        """Return the models that were asked for, in order."""
        return [asked.model for asked in self.asked]

    @property
    def url(self) -> str:
        """Return the root of the server, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> RecordingServer:
        """Listen, on the same port as before if there was one."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler_of(self))
        server.daemon_threads = True
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Stop listening: connections are refused from now on."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def reset(self) -> None:
        """Be up and well, and forget everything."""
        self.status = 200
        self.headers = {}
        self.delay = 0.0
        self.most_at_once.clear()
        self.asked.clear()
        if self._server is None:
            self.start()


def _handler_of(owner: RecordingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            owner.asked.append(Asked(path=self.path, headers=headers, body=body))
            model = str(body.get("model"))
            owner.at_once[model] += 1
            owner.most_at_once[model] = max(owner.most_at_once[model], owner.at_once[model])
            time.sleep(owner.delay)
            owner.at_once[model] -= 1
            if owner.status != 200:
                self._send(
                    owner.status, {"error": {"message": f"{owner.name} says {owner.status}", "type": "x"}}
                )
            else:
                self._send(200, _answer(owner.name, self.path, body))

        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": []})

        def _send(self, status: int, document: dict[str, Any]) -> None:
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.send_header("connection", "close")
            self.close_connection = True
            for name, value in owner.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
            """Say nothing."""

    return Handler


def _answer(name: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    model = body.get("model")
    if path.endswith("/embeddings"):
        data = [{"object": "embedding", "index": 0, "embedding": [0.0, 1.0]}]
        return {
            "object": "list",
            "model": model,
            "data": data,
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }
    if path.endswith("/api/embed"):
        return {"model": model, "embeddings": [[0.0, 1.0]], "prompt_eval_count": 1}
    if path.endswith("/api/chat"):
        message = {"role": "assistant", "content": name}
        return {"model": model, "created_at": "2025-01-01T00:00:00Z", "message": message, "done": True,
                "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 1}  # fmt: skip
    if path.endswith("/api/generate"):
        return {"model": model, "created_at": "2025-01-01T00:00:00Z", "response": name, "done": True,
                "prompt_eval_count": 1, "eval_count": 1}  # fmt: skip
    if path.endswith("/messages"):
        content = [{"type": "text", "text": name}]
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
                "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip
    if path.endswith("/v1/completions"):
        choices: list[dict[str, Any]] = [{"index": 0, "text": name, "finish_reason": "stop"}]
        return {"id": "1", "object": "text_completion", "created": 1, "model": model, "choices": choices}
    choices = [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": name}}]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": choices,
        "usage": usage,
    }
