"""One completion of one token for each model group: the only probe that makes a provider work."""

from __future__ import annotations

import asyncio

from pytest_aibackend.probes.http import Answer, Budget, HttpAsker, get_json
from pytest_aibackend.probes.observations import CompletionObservation, State
from pytest_aibackend.probes.redact import clean_text
from pytest_aibackend.probes.targets import GatewayTarget
from pytest_aibackend.probes.urls import BaseUrl

__all__ = ["complete_all"]

AT_ONCE = 8  # more would make a single local model answer its own queue


async def complete_all(
    asker: HttpAsker, base: BaseUrl, target: GatewayTarget, headers: dict[str, str], budget: Budget
) -> tuple[CompletionObservation, ...]:
    """Ask every group for one token. A wildcard is no name that can be asked for, and is left out."""
    groups = target.completion_groups
    if groups is None:
        groups = tuple(name for name in target.expected_groups or () if "*" not in name)
    places = asyncio.Semaphore(AT_ONCE)

    async def complete(group: str) -> CompletionObservation:
        async with places:
            answer = await asker.ask(
                f"{base.openai_root}/chat/completions",
                method="POST",
                headers=headers,
                json_body={
                    "model": group,
                    "messages": [{"role": "user", "content": "ping"}],
                    "max_tokens": 1,
                    "stream": False,
                    "cache": {"no-cache": True, "no-store": True},  # a cached answer proves nothing
                },
            )
        return _observe(group, answer, budget)

    return tuple(await asyncio.gather(*(complete(group) for group in groups)))


def _observe(group: str, answer: Answer, budget: Budget) -> CompletionObservation:
    plain = get_json(answer)
    state, detail = answer.state, answer.detail
    if answer.is_ok and not (isinstance(plain, dict) and plain.get("choices")):
        state, detail = State.BAD_RESPONSE, "its answer holds no choices"
    elif answer.is_ok and budget.is_slow(answer.latency_s):
        state, detail = State.SLOW, f"it took {answer.latency_s:.1f} s"
    elif not answer.is_ok and isinstance(plain, dict):
        error = plain.get("error")
        message = error.get("message") if isinstance(error, dict) else error
        if isinstance(message, str):
            detail = f"{answer.detail}: {clean_text(message, longest=240)}"
    model = plain.get("model") if isinstance(plain, dict) else None
    fallbacks = answer.headers.get("x-litellm-attempted-fallbacks", "0")
    return CompletionObservation(
        group=group,
        state=state,
        detail=detail,
        status_code=answer.status,
        latency_s=answer.latency_s if answer.status is not None else None,
        model=clean_text(model, longest=300) if isinstance(model, str) else None,
        fallbacks=int(fallbacks) if fallbacks.isdecimal() else 0,
    )
