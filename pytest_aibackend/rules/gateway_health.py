"""Check 8: the gateway lives, is ready, lists its models, and keeps strangers out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pytest_aibackend.findings import Path, Problem, Severity
from pytest_aibackend.probes.state import State
from pytest_aibackend.rules.registry import Group, LiveBackend, declare_group, rule

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import EndpointAnswer, GatewayObservation

__all__ = ["ENDPOINTS", "detail_of", "gateways_seen"]

_ENDPOINTS: Final = ("liveness", "readiness", "models", "key", "workers")

ENDPOINTS = declare_group(
    Group(
        id="gateway-endpoint",
        check=8,
        noun="endpoint",
        needs=("gateway",),
        subjects=lambda _: _ENDPOINTS,
        live=True,
    )
)


def gateways_seen(live: LiveBackend) -> tuple[GatewayObservation, ...]:
    """Return what was seen of the gateway, nothing where it was not looked at."""
    found: tuple[GatewayObservation, ...] = live.observations.observations.gateways
    return found


def detail_of(answer: EndpointAnswer) -> str:
    """Return what is said of an answer, without the path that it may begin with."""
    if answer.endpoint and answer.detail.startswith(answer.endpoint):
        return answer.detail.partition(" ")[2]
    return answer.detail


def _said(seen: GatewayObservation, answer: EndpointAnswer) -> str:
    return f"gateway at {seen.url}: {answer.endpoint or 'deploy.url'}: {detail_of(answer)}"


def _problem(subject: str, message: str, hint: str, *, path: Path = ("deploy", "url")) -> Problem:
    return Problem(source="gateway", path=path, message=message, hint=hint, subject=subject)


@rule("gateway-not-alive", group=ENDPOINTS.id)
def gateway_not_alive(live: LiveBackend) -> Iterator[Problem]:
    """The gateway does not answer /health/liveliness as LiteLLM does.

    It is down, hangs, or something else listens at `deploy.url`.
    """
    for seen in gateways_seen(live):
        if not seen.liveness.state.is_healthy:
            is_stranger = seen.state is State.WRONG_SERVICE
            yield _problem(
                "liveness",
                f"gateway at {seen.url}: {seen.detail}" if is_stranger else _said(seen, seen.liveness),
                "start the gateway, or correct deploy.url",
            )


@rule("gateway-not-ready", group=ENDPOINTS.id)
def gateway_not_ready(live: LiveBackend) -> Iterator[Problem]:
    """The gateway is alive and not ready for requests (/health/readiness).

    LiteLLM answers 503 there while its database is down (1.106.2); Redis is not looked at.
    """
    for seen in gateways_seen(live):
        if seen.liveness.state.is_healthy and not seen.readiness.state.is_healthy:
            yield _problem(
                "readiness",
                _said(seen, seen.readiness),
                "look into the gateway's log",
            )


@rule("gateway-slow", group=ENDPOINTS.id, severity=Severity.WARNING)
def gateway_slow(live: LiveBackend) -> Iterator[Problem]:
    """The gateway is healthy and took a large part of the time that a probe may take.

    Clients wait as long. Look at what else the machine does, and at the gateway's number of workers.
    """
    for seen in gateways_seen(live):
        if seen.state is State.SLOW:
            answers = {"liveness": seen.liveness, "readiness": seen.readiness, "models": seen.models}
            yield _problem(
                max(answers, key=lambda name: answers[name].latency_s or 0.0),
                f"gateway at {seen.url}: {seen.detail}",
                "see whether the machine is overloaded",
            )


@rule("gateway-key-missing", group=ENDPOINTS.id)
def gateway_key_missing(live: LiveBackend) -> Iterator[Problem]:
    """The gateway asks for a key and LITELLM_MASTER_KEY is not set where the checks run.

    What it serves cannot be seen without. Export the key of the gateway.
    """
    for seen in gateways_seen(live):
        if not seen.key_given and seen.models.state is State.UNAUTHORISED:
            yield _problem(
                "key",
                "the gateway asks for a key, and LITELLM_MASTER_KEY is not set here",
                "export LITELLM_MASTER_KEY",
                path=("general_settings", "master_key"),
            )


@rule("gateway-key-refused", group=ENDPOINTS.id)
def gateway_key_refused(live: LiveBackend) -> Iterator[Problem]:
    """The gateway refuses the key in LITELLM_MASTER_KEY.

    It runs with another one: a changed key takes effect only at a restart.
    """
    for seen in gateways_seen(live):
        if seen.key_given and seen.key_accepted is False:
            yield _problem(
                "key",
                "the gateway refuses the key in LITELLM_MASTER_KEY",
                "use the key that the gateway was started with, or restart it with the new one",
                path=("general_settings", "master_key"),
            )


@rule("gateway-open", group=ENDPOINTS.id)
def gateway_open(live: LiveBackend) -> Iterator[Problem]:
    """The gateway answers requests with a wrong key, or with none.

    Anybody who reaches it uses your models and pays with your keys. LiteLLM reads `master_key` in
    `general_settings` only; under `litellm_settings` it is ignored (1.106.2).
    """
    for seen in gateways_seen(live):
        open_to = [
            who
            for who, refused in (("a wrong key", seen.wrong_key_refused), ("no key", seen.no_key_refused))
            if refused is False
        ]
        # Something else may well answer everybody; that is no gateway, and a finding of its own.
        if open_to and seen.liveness.state.is_healthy:
            yield _problem(
                "key",
                f"the gateway answers requests with {' and with '.join(open_to)}",
                "set general_settings.master_key: os.environ/LITELLM_MASTER_KEY and restart it",
                path=("general_settings",),
            )


@rule("gateway-models-unreadable", group=ENDPOINTS.id)
def gateway_models_unreadable(live: LiveBackend) -> Iterator[Problem]:
    """The gateway is alive and does not list its models at /v1/models.

    What it serves cannot be compared with its file. Its log says why; something else than LiteLLM may
    have the port.
    """
    for seen in gateways_seen(live):
        is_key_trouble = seen.models.state is State.UNAUTHORISED
        if seen.liveness.state.is_healthy and not seen.models.state.is_healthy and not is_key_trouble:
            yield _problem(
                "models",
                _said(seen, seen.models),
                "look into the gateway's log",
            )


@rule("gateway-workers-disagree", group=ENDPOINTS.id)
def gateway_workers_disagree(live: LiveBackend) -> Iterator[Problem]:
    """The gateway's workers list different models: they do not run the same configuration.

    A reload is under way, or some workers did not take it up.
    """
    for seen in gateways_seen(live):
        if seen.workers_disagree:
            counts = ", ".join(
                f"{len(answer.groups)} model{'s' if len(answer.groups) != 1 else ''} ({answer.count} times)"
                for answer in seen.answers
            )
            yield _problem(
                "workers",
                f"of {seen.asks} asks, the gateway's workers listed {counts}",
                "wait for the reload to end; if it lasts, restart the gateway",
            )
