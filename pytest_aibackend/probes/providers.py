"""Ask one provider whether it is what it is said to be, and which models it has.

Only GET requests that list things: none makes a provider load, run or bill a model. A provider is healthy
if it answers as its own protocol does; the protocols themselves are in `protocols`.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from pytest_aibackend.probes.http import Budget, HttpAsker
from pytest_aibackend.probes.identify import LITELLM, LIVELINESS, SURE, guess_service
from pytest_aibackend.probes.models import compare_models
from pytest_aibackend.probes.observations import ProviderObservation, State
from pytest_aibackend.probes.protocols import PROTOCOLS, ask_openai_like, rule_out_litellm
from pytest_aibackend.probes.redact import redact_url
from pytest_aibackend.probes.sniff import HTTP, TLS, sniff
from pytest_aibackend.probes.targets import ProviderTarget
from pytest_aibackend.probes.urls import BadUrlError, BaseUrl, parse_base_url
from pytest_aibackend.probes.verdict import Verdict

__all__ = ["probe_provider"]

ANTHROPIC_VERSION = "2023-06-01"


async def probe_provider(target: ProviderTarget, budget: Budget) -> ProviderObservation:
    """Probe one provider within the budget. Every network trouble is an observation, none is raised."""
    try:
        base = parse_base_url(target.base_url)
        headers = _auth_headers(target, base)
    except BadUrlError as error:
        return ProviderObservation(
            name=target.name,
            type=target.type,
            url=redact_url(target.base_url),
            state=State.BAD_URL,
            detail=str(error),
        )
    protocol = PROTOCOLS.get(target.type, ask_openai_like)
    async with HttpAsker(base, budget, headers=headers) as asker:
        verdict = await protocol(asker, base)
        if verdict.state in (State.WRONG_SERVICE, State.BAD_RESPONSE) and verdict.seems_to_be is None:
            verdict = await _identify(verdict, asker, base)
        elif verdict.state is State.DOWN and verdict.is_hung_up:
            verdict = await _listen_closer(verdict, base, budget)
        health = await _ask_health_endpoint(target, base, asker, verdict)
    return _observe(target, base, budget, verdict, health)


def _observe(
    target: ProviderTarget,
    base: BaseUrl,
    budget: Budget,
    verdict: Verdict,
    health: tuple[int | None, str | None],
) -> ProviderObservation:
    state, detail = verdict.state, verdict.detail
    latency = max((answer.latency_s for answer in verdict.answers), default=None)
    if state is State.OK and latency is not None and budget.is_slow(latency):
        state = State.SLOW
        detail = f"it answers, but took {latency:.1f} s of the {budget.timeout_s:g} s allowed"
    compared = compare_models(target.type, base.host, target.models, verdict.models)
    decisive = verdict.decisive
    return ProviderObservation(
        name=target.name,
        type=target.type,
        url=base.shown,
        state=state,
        detail=detail,
        endpoint=decisive.path if decisive else None,
        status_code=decisive.status if decisive else None,
        latency_s=latency,
        version=verdict.version,
        seems_to_be=verdict.seems_to_be,
        redirect_to=decisive.location if decisive else None,
        models=compared.listed,
        missing_models=compared.missing,
        unlisted_cloud_models=compared.unlisted_cloud,
        loaded_models=verdict.loaded_models,
        health_endpoint_status=health[0],
        health_endpoint_detail=health[1],
    )


def _auth_headers(target: ProviderTarget, base: BaseUrl) -> dict[str, str]:
    key = target.api_key
    if key and not (key.isascii() and key.isprintable() and key == key.strip()):
        raise BadUrlError("its API key holds characters that cannot be sent in a header")
    if target.type == "anthropic":
        headers = {"anthropic-version": ANTHROPIC_VERSION}
        if key:
            headers["x-api-key"] = key
        elif base.basic_auth:
            headers["Authorization"] = base.basic_auth
        return headers
    if key:
        return {"Authorization": f"Bearer {key}"}
    return {"Authorization": base.basic_auth} if base.basic_auth else {}


async def _identify(verdict: Verdict, asker: HttpAsker, base: BaseUrl) -> Verdict:
    """Ask a stranger a little more, to be able to say what it seems to be."""
    answers = list(verdict.answers)
    if guess_service(answers) not in SURE:
        asked = {answer.path for answer in answers}
        urls = (base.root + LIVELINESS, f"{base.root}/", f"{base.openai_root}/models", f"{base.root}/version")
        answers += [await asker.ask(url) for url in urls if (url.removeprefix(base.origin)) not in asked]
    guess = guess_service(answers)
    if guess is None:
        return verdict
    if verdict.state is State.WRONG_SERVICE:
        return verdict.as_seeming(guess)
    more = f"; it seems to be {guess}" if guess != verdict.wanted else ""
    return replace(verdict, seems_to_be=guess, detail=verdict.detail + more)


async def _listen_closer(verdict: Verdict, base: BaseUrl, budget: Budget) -> Verdict:
    """Find out what it is that hangs up when it is spoken to in HTTP."""
    service = await sniff(base.host, base.port, budget)
    if service is None or service == HTTP:
        return verdict
    if service == TLS:
        detail = "it speaks TLS, and is asked with http://"
        return replace(verdict, state=State.WRONG_SERVICE, detail=detail, seems_to_be=service)
    return verdict.as_seeming(service)


async def _ask_health_endpoint(
    target: ProviderTarget, base: BaseUrl, asker: HttpAsker, verdict: Verdict
) -> tuple[int | None, str | None]:
    """Ask the configured health endpoint, if the protocol has not asked it already."""
    configured = target.health_endpoint
    if not configured or verdict.is_unreachable:
        return None, None
    url = urljoin(f"{base.root}/", configured if "://" in configured else _base_path(base, configured))
    parts = urlsplit(url)
    if not url.startswith(f"{base.origin}/"):
        return None, f"it is on another host ({parts.hostname}), and was not asked"
    if parts.path.rstrip("/").endswith("/health") and not any(
        answer.path == parts.path for answer in verdict.answers
    ):
        verdict = await rule_out_litellm(verdict, asker, base)
    if guess_service(list(verdict.answers)) == LITELLM and parts.path.rstrip("/").endswith("/health"):
        return None, "it was not asked: LiteLLM's /health calls every deployment, which costs money"
    path = url.removeprefix(base.origin)
    for answer in verdict.answers:
        if answer.path == path:
            return answer.status, None if answer.is_ok else f"{path}: {answer.detail}"
    answer = await asker.ask(url)
    return answer.status, None if answer.is_ok else f"{path}: {answer.detail}"


def _base_path(base: BaseUrl, endpoint: str) -> str:
    """Return an endpoint below the server's root, whether it is written with or without /v1 or a slash."""
    root_path = base.root.removeprefix(base.origin)
    return f"{root_path}/{endpoint.lstrip('/')}"
