"""How each type of provider shows that it is one, by requests that only list things.

Ollama: `/api/version` and `/api/tags` (its API documentation, docs/api.md). llama.cpp: `/health`, then
`/v1/models` (tools/server/README.md); llama-cpp-python has the second only. vLLM: `/health` with an empty
body, `/version`, `/v1/models` (vllm/entrypoints). OpenAI, Anthropic and their like: the list of models.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from pytest_aibackend.probes.http import Answer, HttpAsker, get_json
from pytest_aibackend.probes.identify import (
    LITELLM,
    LIVELINESS,
    LLAMA_CPP,
    LLAMA_CPP_PYTHON,
    OLLAMA,
    SURE,
    VLLM,
    guess_service,
    model_ids,
)
from pytest_aibackend.probes.models import is_ollama_cloud
from pytest_aibackend.probes.observations import State
from pytest_aibackend.probes.redact import clean_text
from pytest_aibackend.probes.urls import BaseUrl
from pytest_aibackend.probes.verdict import NOT_FOUND, SILENT, Verdict, judge_failure, judge_stranger

__all__ = ["PROTOCOLS", "ask_openai_like", "rule_out_litellm"]


async def ask_ollama(asker: HttpAsker, base: BaseUrl) -> Verdict:
    """Ask Ollama. Its `/` says that it runs even while generation hangs, so the lists decide."""
    answers: list[Answer] = []

    async def ask(path: str) -> Answer:
        answers.append(await asker.ask(base.root + path))
        return answers[-1]

    is_cloud = is_ollama_cloud(base.host)
    version = None
    if not is_cloud:  # the cloud's front page is a web page
        root = await ask("/")
        if root.state in SILENT or root.status is None:
            return judge_failure(answers, root, OLLAMA)
        about = await ask("/api/version")
        if about.status == 403:
            return judge_failure(
                answers,
                replace(about, detail=about.detail + "; Ollama refuses foreign Host headers on loopback"),
                OLLAMA,
            )
        if not about.is_ok:
            return judge_failure(answers, about, OLLAMA)
        plain = get_json(about)
        if not isinstance(plain, dict) or not isinstance(plain.get("version"), str):
            return judge_stranger(answers, about, OLLAMA, "gives no version in JSON")
        version = clean_text(plain["version"], longest=60)
    tags = await ask("/api/tags")
    if not tags.is_ok:
        return judge_failure(answers, tags, OLLAMA, version=version)
    models = _ollama_models(get_json(tags))
    if models is None:
        return judge_stranger(answers, tags, OLLAMA, "gives no list of models in JSON")
    loaded = None
    if not is_cloud:
        running = await ask("/api/ps")  # since 0.1.38; older ones answer 404, which does not matter
        loaded = _ollama_models(get_json(running)) if running.is_ok else None
        if running.state in SILENT:
            return judge_failure(answers, running, OLLAMA, version=version, models=models)
    return Verdict(
        state=State.OK,
        detail="it answers as Ollama",
        answers=tuple(answers),
        decisive=tags,
        version=version,
        models=models,
        loaded_models=loaded,
        wanted=OLLAMA,
    )


def _ollama_models(plain: Any) -> tuple[str, ...] | None:
    if not isinstance(plain, dict):
        return None
    models = plain.get("models")
    if models is None and "models" in plain:
        return ()  # Go's nil list
    if not isinstance(models, list):
        return None
    names = [card.get("name") or card.get("model") if isinstance(card, dict) else None for card in models]
    texts = [clean_text(name, longest=300) for name in names if isinstance(name, str)]
    return tuple(texts) if len(texts) == len(models) else None


async def _ask_models(
    asker: HttpAsker, base: BaseUrl, answers: list[Answer], wanted: str, query: str = "", **more: Any
) -> Verdict:
    """Ask the OpenAI-like list of models, which decides."""
    answer = await asker.ask(f"{base.openai_root}/models{query}")
    answers.append(answer)
    if not answer.is_ok:
        if answer.status == 503 and "loading" in answer.text[:1000].lower():
            return Verdict(
                state=State.LOADING,
                detail="it is loading its model",
                answers=tuple(answers),
                decisive=answer,
                wanted=wanted,
                **more,
            )
        return judge_failure(answers, answer, wanted, **more)
    ids = model_ids(get_json(answer))
    if ids is None:
        return judge_stranger(answers, answer, wanted, "gives no list of models in JSON")
    return Verdict(
        state=State.OK,
        detail=f"it answers as {wanted}",
        answers=tuple(answers),
        decisive=answer,
        models=tuple(clean_text(each, longest=300) for each in ids),
        wanted=wanted,
        **more,
    )


async def ask_llama_cpp(asker: HttpAsker, base: BaseUrl) -> Verdict:
    """Ask llama.cpp's own server, or llama-cpp-python, which has no /health."""
    verdict = await rule_out_litellm(await _ask_models(asker, base, [], LLAMA_CPP), asker, base)
    guess = guess_service(list(verdict.answers))
    if verdict.is_unreachable or guess == LITELLM:
        return verdict
    health = await asker.ask(f"{base.root}/health")
    verdict = replace(verdict, answers=(*verdict.answers, health))
    if health.status == 503:
        loading = "loading" in health.text[:1000].lower()
        return replace(
            verdict,
            state=State.LOADING if loading else State.DOWN,
            detail="it is loading its model" if loading else "its /health says 503: it cannot work",
            decisive=health,
        )
    if verdict.state is not State.OK:
        return verdict
    if not health.is_ok and health.status not in (*NOT_FOUND, 401, 403):
        return _worse(verdict, health)
    if guess in (VLLM, OLLAMA, "SGLang", "LM Studio"):
        return verdict.as_seeming(guess)
    if guess == LLAMA_CPP_PYTHON:
        return replace(verdict, detail=f"it answers as {LLAMA_CPP_PYTHON}")
    return verdict


async def ask_vllm(asker: HttpAsker, base: BaseUrl) -> Verdict:
    """Ask vLLM. When its engine is dead, /health says 503 while all else goes on answering."""
    verdict = await rule_out_litellm(await _ask_models(asker, base, [], VLLM), asker, base)
    guess = guess_service(list(verdict.answers))
    if verdict.is_unreachable or guess == LITELLM:
        return verdict
    about = await asker.ask(f"{base.root}/version")
    health = await asker.ask(f"{base.root}/health")
    version = _vllm_version(about)
    verdict = replace(verdict, answers=(*verdict.answers, about, health), version=version)
    if health.status is not None and health.status >= 500:
        if "loading" in health.text[:1000].lower():
            return verdict.as_seeming(LLAMA_CPP)
        if version is None and guess != VLLM:
            return verdict if verdict.state is not State.OK else _worse(verdict, health)
        alive = f", though /version answers ({version})" if version else ""
        return replace(
            verdict,
            state=State.DOWN,
            detail=f"its /health says {health.status}: the engine is dead{alive}",
            decisive=health,
        )
    if verdict.state is not State.OK:
        return verdict
    if health.state in SILENT:
        return _worse(verdict, health)
    if guess not in (None, VLLM):
        return verdict.as_seeming(str(guess))
    if guess is None and version is None:
        return replace(
            verdict,
            state=State.WRONG_SERVICE,
            seems_to_be="another server with an OpenAI-like API",
            detail="it lists models as OpenAI does, but nothing in its answers is vLLM's",
        )
    return verdict


async def rule_out_litellm(verdict: Verdict, asker: HttpAsker, base: BaseUrl) -> Verdict:
    """Make sure, before /health is asked, that no LiteLLM proxy answers: there it would call every model."""
    guess = guess_service(list(verdict.answers))
    if verdict.is_unreachable or guess in SURE:
        return verdict
    if guess != LITELLM:
        alive = await asker.ask(base.root + LIVELINESS)
        verdict = replace(verdict, answers=(*verdict.answers, alive))
        guess = guess_service(list(verdict.answers))
    if guess != LITELLM:
        return verdict
    return verdict.as_seeming(LITELLM)


def _worse(verdict: Verdict, answer: Answer) -> Verdict:
    """Let a later, bad answer decide; what the earlier ones told is kept."""
    failed = judge_failure(list(verdict.answers), answer, verdict.wanted)
    return replace(verdict, state=failed.state, detail=failed.detail, decisive=answer)


def _vllm_version(answer: Answer) -> str | None:
    plain = get_json(answer) if answer.is_ok else None
    version = plain.get("version") if isinstance(plain, dict) else None
    return clean_text(version, longest=60) if isinstance(version, str) else None


async def ask_openai_like(asker: HttpAsker, base: BaseUrl) -> Verdict:
    """Ask anything that lists its models as OpenAI does."""
    return await _ask_models(asker, base, [], "an OpenAI-like API")


async def ask_anthropic(asker: HttpAsker, base: BaseUrl) -> Verdict:
    """Ask Anthropic's API, whose list comes in pages of at most 1,000."""
    return await _ask_models(asker, base, [], "Anthropic's API", query="?limit=1000")


Protocol = Callable[[HttpAsker, BaseUrl], Awaitable[Verdict]]

PROTOCOLS: Mapping[str, Protocol] = {
    "ollama": ask_ollama,
    "llama_cpp": ask_llama_cpp,
    "vllm": ask_vllm,
    "openai": ask_openai_like,
    "openai_compatible": ask_openai_like,
    "anthropic": ask_anthropic,
}
