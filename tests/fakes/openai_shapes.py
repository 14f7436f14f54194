"""Streams of server-sent events, and words for tokens: what both OpenAI-like stand-ins need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any


def sse(events: Iterable[dict[str, Any]]) -> tuple[bytes, ...]:
    """Events as both Ollama and vLLM send them, with the [DONE] at the end."""
    packed = [f"data: {json.dumps(event, separators=(',', ':'))}\n\n".encode() for event in events]
    return (*packed, b"data: [DONE]\n\n")


def words(text: str, limit: int | None) -> tuple[list[str], bool]:
    """Cut a text into "tokens", at most `limit`; and whether it was cut short."""
    tokens = re.findall(r"\S+\s*", text)
    if limit is not None and 0 <= limit < len(tokens):
        return tokens[:limit], True
    return tokens, False


def last_text(messages: Any) -> str:
    """What the user said last, as plain text."""
    for message in reversed(messages if isinstance(messages, list) else []):
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            content = " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
        if content:
            return str(content)
    return ""


def count_tokens(messages: Any) -> int:
    return max(1, sum(len(str(each).split()) for each in messages or []))
