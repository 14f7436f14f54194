"""Check 8: the gateway lives, is ready, serves what its file says, and keeps strangers out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pytest_aibackend.findings import Path, Problem, Severity
from pytest_aibackend.litellm.served import expected_groups, is_expansion
from pytest_aibackend.probes.state import State
from pytest_aibackend.rules.registry import Group, LiveBackend, declare_group, rule
from pytest_aibackend.sources.backend import Backend

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import EndpointAnswer, GatewayObservation

__all__ = ["ENDPOINTS", "MODEL_GROUPS"]

_ENDPOINTS: Final = ("liveness", "readiness", "models", "key", "workers")


def _groups(backend: Backend) -> list[str]:
    groups = expected_groups(backend.deployed.data)
    return list(groups.names) if groups else []


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
MODEL_GROUPS = declare_group(
    Group(
        id="gateway-model-group",
        check=8,
        noun="model group",
        needs=("gateway", "deployed"),
        subjects=_groups,
        live=True,
    )
)


def _gateways(live: LiveBackend) -> tuple[GatewayObservation, ...]:
    found: tuple[GatewayObservation, ...] = live.observations.observations.gateways
    return found


def _detail(answer: EndpointAnswer) -> str:
    """Return what is said of an answer, without the path that it may begin with."""
    if answer.endpoint and answer.detail.startswith(answer.endpoint):
        return answer.detail.partition(" ")[2]
    return answer.detail


def _said(seen: GatewayObservation, answer: EndpointAnswer) -> str:
    return f"gateway at {seen.url}: {answer.endpoint or 'deploy.url'}: {_detail(answer)}"


def _problem(
    subject: str,
    message: str,
    hint: str,
    *,
    path: Path = ("deploy", "url"),
    source: str = "gateway",
    severity: Severity | None = None,
) -> Problem:
    return Problem(source=source, path=path, message=message, hint=hint, subject=subject, severity=severity)


@rule("gateway-not-alive", group=ENDPOINTS.id)
def gateway_not_alive(live: LiveBackend) -> Iterator[Problem]:
    """The gateway does not answer /health/liveliness as LiteLLM does.

    It is down, hangs, or something else listens at `deploy.url`.
    """
    for seen in _gateways(live):
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
    for seen in _gateways(live):
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
    for seen in _gateways(live):
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
    for seen in _gateways(live):
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
    for seen in _gateways(live):
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
    for seen in _gateways(live):
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
    for seen in _gateways(live):
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
    for seen in _gateways(live):
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


def _group_path(backend: Backend, group: str) -> Path:
    listed = backend.deployed.data.get("model_list", [])
    for index, entry in enumerate(listed):
        if isinstance(entry, dict) and entry.get("model_name") == group:
            return ("model_list", index)
    return ("router_settings", "model_group_alias", group)


@rule("model-group-not-served", group=MODEL_GROUPS.id)
def model_group_not_served(live: LiveBackend) -> Iterator[Problem]:
    """The gateway does not serve a model group that its file names.

    Either it runs an older file, or LiteLLM dropped the deployment without a word, as it does with
    a provider it does not know (1.106.2, router.py, ignore_invalid_deployments).
    """
    for seen in _gateways(live):
        if seen.served_groups is None:
            why = _detail(seen.models) if seen.liveness.state.is_healthy else "the gateway does not answer"
            for group in _groups(live.backend):
                yield _problem(
                    group,
                    f"whether {group!r} is served could not be seen: {why}",
                    "mend the gateway first",
                    path=_group_path(live.backend, group),
                    source="deployed",
                    severity=Severity.WARNING,
                )
            continue
        for group in seen.missing_groups:
            is_partial = group in seen.served_groups
            yield _problem(
                group,
                f"the gateway serves {group!r} with some of its workers only"
                if is_partial
                else f"the gateway does not serve {group!r}",
                "reload the gateway; if it stays away, look for the dropped deployment in its log",
                path=_group_path(live.backend, group),
                source="deployed",
            )


@rule("ghost-model-group", group=MODEL_GROUPS.id)
def ghost_model_group(live: LiveBackend) -> Iterator[Problem]:
    """The gateway serves a model group that its file does not name.

    It runs another configuration than the one on disk. Reload it.
    """
    groups = expected_groups(live.backend.deployed.data)
    named = groups.wildcards if groups else ()
    for seen in _gateways(live):
        served = [group for group in seen.served_groups or () if "*" in group]
        for group in seen.ghost_groups:
            # LiteLLM lists a wildcard as every model it knows of that provider: a ghost is the wildcard.
            if not is_expansion(group, [*named, *served]):
                yield _problem(
                    group,
                    f"the gateway serves {group!r}, which its file does not name",
                    "reload the gateway, or find out which file it was started with",
                    path=(),
                    source="deployed",
                )


@rule("completion-fails", group=MODEL_GROUPS.id)
def completion_fails(live: LiveBackend) -> Iterator[Problem]:
    """A tiny completion through the gateway fails for a model group (only with --aibackend-completions).

    The name is listed, and whoever asks for it gets this error. Look at the providers behind it.
    """
    for seen in _gateways(live):
        for completion in seen.completions:
            if not completion.state.is_healthy:
                yield _problem(
                    completion.group,
                    f"a completion of {completion.group!r} fails: {completion.detail}",
                    "look at the provider of this model group (check 7)",
                    path=_group_path(live.backend, completion.group),
                    source="deployed",
                )
            elif completion.fallbacks:
                yield _problem(
                    completion.group,
                    f"{completion.group!r} was answered by {completion.model} after {completion.fallbacks}"
                    f" fallback{'s' if completion.fallbacks > 1 else ''}",
                    "look at the first provider of this model group (check 7)",
                    path=_group_path(live.backend, completion.group),
                    source="deployed",
                    severity=Severity.WARNING,
                )
