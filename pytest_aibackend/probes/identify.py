"""Guess what a server is from how it answers: for the sentence "it seems to be vLLM"."""

from __future__ import annotations

import re
from typing import Any

from pytest_aibackend.probes.http import Answer, get_json
from pytest_aibackend.probes.redact import clean_text

__all__ = ["LIVELINESS", "SURE", "guess_service", "model_ids"]

LLAMA_CPP = "a llama.cpp server"
LLAMA_CPP_PYTHON = "llama-cpp-python"
OLLAMA = "Ollama"
VLLM = "vLLM"
LITELLM = "a LiteLLM proxy"

# Only LiteLLM has this path; it needs no key and calls nothing (litellm 1.106, proxy/health_endpoints). Its
# list of models bears no sign of it.
LIVELINESS = "/health/liveliness"

# What servers write into `owned_by` of their /v1/models.
_OWNERS = {
    "vllm": VLLM,
    "llamacpp": LLAMA_CPP,
    "me": LLAMA_CPP_PYTHON,
    "library": OLLAMA,
    "sglang": "SGLang",
    "organization_owner": "LM Studio",
}

SURE = frozenset({*_OWNERS.values()})  # by an answer that no LiteLLM gives


def guess_service(answers: list[Answer]) -> str | None:
    """Return what the answers look like, the surest sign first; None when there is no sign."""
    for sign in (_from_headers, _from_body, _from_page):
        for answer in answers:
            if answer.status is not None and (guess := sign(answer)):
                return guess
    return None


def _from_headers(answer: Answer) -> str | None:
    server = answer.headers.get("server", "").lower()
    if any(name.startswith("x-litellm-") for name in answer.headers):
        return LITELLM
    if "llama.cpp" in server:
        return LLAMA_CPP
    return None


def _from_body(answer: Answer) -> str | None:
    if answer.is_ok and answer.body[:64].startswith(b"Ollama is running"):
        return OLLAMA
    plain = get_json(answer)
    if isinstance(plain, dict):
        return _from_json(answer, plain)
    if answer.is_ok and answer.path.endswith(LIVELINESS) and b"alive" in answer.body[:200]:
        return LITELLM
    return None


def _from_page(answer: Answer) -> str | None:
    if answer.is_ok and re.match(rb"\s*(?:<!doctype html|<html|<head)", answer.body[:512], re.IGNORECASE):
        title = re.search(r"<title[^>]*>(.{1,200}?)</title>", answer.text[:65536], re.IGNORECASE | re.DOTALL)
        return f"a web page, {clean_text(title[1], longest=60)!r}" if title else "a web page"
    return None


def _from_json(answer: Answer, plain: dict[str, Any]) -> str | None:
    path = answer.path.partition("?")[0]
    if path.endswith("/models") and isinstance(plain.get("data"), list):
        for card in plain["data"]:
            owner = card.get("owned_by") if isinstance(card, dict) else None
            if isinstance(owner, str) and owner in _OWNERS:
                return _OWNERS[owner]
    if answer.is_ok and isinstance(plain.get("version"), str):
        if path.endswith("/api/version"):
            return OLLAMA
        if path.endswith("/version"):
            return VLLM
    if "cluster_name" in plain and "tagline" in plain:
        return "Elasticsearch or OpenSearch"
    return None


def model_ids(plain: Any) -> list[str] | None:
    """Return the ids, and the aliases, of an OpenAI-like list of models; None when it is no such list."""
    if not isinstance(plain, dict) or not isinstance(plain.get("data"), list):
        return None
    ids: list[str] = []
    for card in plain["data"]:
        if not isinstance(card, dict) or not isinstance(card.get("id"), str):
            return None
        ids.append(card["id"])
        aliases = card.get("aliases")  # llama.cpp: other names of the same model
        if isinstance(aliases, list):
            ids += [alias for alias in aliases if isinstance(alias, str)]
    return ids
