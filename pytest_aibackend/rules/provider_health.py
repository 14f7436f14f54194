"""Check 7: every active provider answers as its own protocol does, and has the models it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.probes.state import State
from pytest_aibackend.rules.registry import Group, LiveBackend, declare_group, rule
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.models import Provider

if TYPE_CHECKING:
    from pytest_aibackend.probes.observations import ProviderObservation

__all__ = ["HEALTH", "MODELS"]

_LISTED: Final = 12  # models named in a message
_TROUBLES: Final = {  # in one clause, where the provider itself has a finding that says more
    State.OK: "lists no models",
    State.SLOW: "lists no models",
    State.LOADING: "is loading",
    State.DOWN: "is down",
    State.TIMEOUT: "does not answer in time",
    State.UNAUTHORISED: "refuses the key",
    State.RATE_LIMITED: "limits the rate of requests",
    State.WRONG_SERVICE: "is not what answers there",
    State.REDIRECTED: "answers with a redirect",
    State.TLS_ERROR: "cannot be reached over TLS",
    State.DNS_ERROR: "is at an unknown host",
    State.BAD_RESPONSE: "answers with an error",
    State.BAD_URL: "has an address that cannot be asked",
}


def _active(backend: Backend) -> list[str]:
    return [name for name, provider in backend.providers.items() if provider.is_active]


def _models(backend: Backend) -> list[str]:
    return [f"{name}/{model}" for name in _active(backend) for model in backend.providers[name].model_names]


HEALTH = declare_group(
    Group(id="provider-health", check=7, noun="provider", needs=("providers",), subjects=_active, live=True)
)
MODELS = declare_group(
    Group(id="provider-model", check=7, noun="model", needs=("providers",), subjects=_models, live=True)
)


def _seen(live: LiveBackend, *states: State) -> Iterator[tuple[Provider, ProviderObservation]]:
    for observed in live.observations.observations.providers:
        if observed.state in states:
            yield live.backend.providers[observed.name], observed


def _problem(
    provider: Provider, seen: ProviderObservation, hint: str, *, key: str = "base_url", by_need: bool = False
) -> Problem:
    severity = None if not by_need or provider.required else Severity.WARNING
    return Problem(
        source="providers",
        path=("providers", seen.name, key),
        message=f"{seen.name} at {seen.url}: {seen.detail}",
        hint=hint,
        subject=seen.name,
        severity=severity,
    )


@rule("provider-down", group=HEALTH.id)
def provider_down(live: LiveBackend) -> Iterator[Problem]:
    """A provider does not answer: nothing listens, its host is unknown, or it says that it cannot work.

    Requests for its models fail or go to their fallbacks. A required provider fails the check, another
    one warns. Start it, or set its status to disabled.
    """
    for provider, seen in _seen(live, State.DOWN):
        yield _problem(provider, seen, "start it, or set its status to disabled", by_need=True)
    for provider, seen in _seen(live, State.DNS_ERROR, State.BAD_URL):
        yield _problem(provider, seen, "correct base_url, or set its status to disabled", by_need=True)


@rule("provider-timeout", group=HEALTH.id)
def provider_timeout(live: LiveBackend) -> Iterator[Problem]:
    """A provider accepts the connection, or nothing refuses it, and no answer comes in time.

    It hangs, is overloaded, or a firewall drops the packets. `--aibackend-timeout` sets the time.
    """
    for provider, seen in _seen(live, State.TIMEOUT):
        yield _problem(
            provider, seen, "look into its log, or give it more time with --aibackend-timeout", by_need=True
        )


@rule("provider-slow", group=HEALTH.id, severity=Severity.WARNING)
def provider_slow(live: LiveBackend) -> Iterator[Problem]:
    """A provider is healthy and took a large part of the time that a probe may take.

    llama-cpp-python answers late while it generates, since its endpoints share one lock.
    """
    for provider, seen in _seen(live, State.SLOW):
        yield _problem(
            provider, seen, "see whether it is overloaded; llama-cpp-python waits while it generates"
        )


@rule("provider-loading", group=HEALTH.id)
def provider_loading(live: LiveBackend) -> Iterator[Problem]:
    """A provider is up and still loads its model (llama.cpp answers 503 "Loading model" meanwhile).

    Wait and run the check again.
    """
    for provider, seen in _seen(live, State.LOADING):
        yield _problem(
            provider, seen, "wait until the model is loaded, and run the check again", by_need=True
        )


@rule("provider-unauthorised", group=HEALTH.id)
def provider_unauthorised(live: LiveBackend) -> Iterator[Problem]:
    """A provider refuses the key, or asks for one where none is configured.

    Name the variable that holds its key as `env_var`, and set that variable where the gateway runs.
    """
    for provider, seen in _seen(live, State.UNAUTHORISED):
        if provider.env_var not in live.observations.unset_variables:
            hint = (
                f"see whether {provider.env_var} holds the right key"
                if provider.env_var
                else "name its key's variable as env_var"
            )
            yield _problem(provider, seen, hint, key="env_var")


@rule("provider-key-unset", group=HEALTH.id)
def provider_key_unset(live: LiveBackend) -> Iterator[Problem]:
    """The environment variable that holds a provider's key is not set where the checks run.

    LiteLLM reads an unset variable as no key, without a word, and every request fails (1.106.2,
    proxy/proxy_server.py, get_config).
    """
    for observed in live.observations.observations.providers:
        provider = live.backend.providers[observed.name]
        if provider.env_var in live.observations.unset_variables:
            yield Problem(
                source="providers",
                path=("providers", observed.name, "env_var"),
                message=f"{observed.name} takes its key from {provider.env_var}, which is not set",
                hint=f"export {provider.env_var} here and where the gateway runs",
                subject=observed.name,
                severity=None if provider.requires_api_key or provider.required else Severity.WARNING,
            )


@rule("provider-wrong-service", group=HEALTH.id)
def provider_wrong_service(live: LiveBackend) -> Iterator[Problem]:
    """Something answers at a provider's address, and it is not the provider.

    A status of 200 is not enough: an HTML page is not Ollama, and vLLM is not llama.cpp. Correct the
    address or the type.
    """
    for provider, seen in _seen(live, State.WRONG_SERVICE, State.REDIRECTED):
        yield _problem(provider, seen, "correct base_url or type; `aibackend ports` shows who listens where")


@rule("provider-tls", group=HEALTH.id)
def provider_tls(live: LiveBackend) -> Iterator[Problem]:
    """A secure connection to a provider fails.

    Its certificate is expired, unknown or for another host, or it does not speak TLS at that port.
    """
    for provider, seen in _seen(live, State.TLS_ERROR):
        yield _problem(provider, seen, "mend the certificate, or correct http:// or https:// in base_url")


@rule("provider-bad-response", group=HEALTH.id)
def provider_bad_response(live: LiveBackend) -> Iterator[Problem]:
    """A provider answers in its own protocol and with an error, or with something that cannot be read.

    It is there and would not answer a client either. Its log says why.
    """
    for provider, seen in _seen(live, State.BAD_RESPONSE):
        yield _problem(provider, seen, "look into the provider's log", by_need=True)
    for provider, seen in _seen(live, State.RATE_LIMITED):
        yield _problem(provider, seen, "wait, or ask for a higher limit; run the check again", by_need=True)


@rule("health-endpoint-fails", group=HEALTH.id, severity=Severity.WARNING)
def health_endpoint_fails(live: LiveBackend) -> Iterator[Problem]:
    """A provider is healthy, and the `health_endpoint` that is configured for it is not.

    Whoever watches that endpoint takes the provider for dead. Name one that this provider has.
    """
    for _, seen in _seen(live, State.OK, State.SLOW):
        if seen.health_endpoint_detail:
            yield Problem(
                source="providers",
                path=("providers", seen.name, "health_endpoint"),
                message=f"health_endpoint of {seen.name}: {seen.health_endpoint_detail}",
                hint="name an endpoint that this kind of provider has, such as /v1/models",
                subject=seen.name,
            )


@rule("model-not-on-provider", group=MODELS.id)
def model_not_on_provider(live: LiveBackend) -> Iterator[Problem]:
    """A healthy provider does not list a model that is configured for it.

    Every request for it fails; llama.cpp's server answers with whatever model it has loaded. Pull or load the
    model, or write its name as the provider lists it.
    """
    for provider, seen in _seen(live, State.OK, State.SLOW):
        names = provider.model_names
        for model in seen.missing_models:
            there = seen.models or ()
            listed = ", ".join(there[:_LISTED]) + (
                f" and {len(there) - _LISTED} more" if len(there) > _LISTED else ""
            )
            how = f"ollama pull {model}" if provider.type == "ollama" else "load it"
            # llama.cpp's server answers for whatever name it is asked, with the model it has loaded.
            severity = Severity.WARNING if provider.type == "llama_cpp" else None
            yield Problem(
                source="providers",
                path=("providers", seen.name, "models", names.index(model)),
                message=f"{seen.name} does not list {model!r}; it lists {listed or 'nothing'}",
                hint=f"{how}, or use a name that it lists",
                subject=f"{seen.name}/{model}",
                severity=severity,
            )


@rule("model-unknown-while-down", group=MODELS.id, severity=Severity.WARNING)
def model_unknown_while_down(live: LiveBackend) -> Iterator[Problem]:
    """Whether a model is there cannot be said, because its provider could not be asked.

    Mend the provider first; then this is checked.
    """
    for observed in live.observations.observations.providers:
        if observed.models is None:
            names = live.backend.providers[observed.name].model_names
            for index, model in enumerate(names):
                yield Problem(
                    source="providers",
                    path=("providers", observed.name, "models", index),
                    message=f"{model!r} could not be looked for: {observed.name} {_TROUBLES[observed.state]}",
                    hint=f"mend {observed.name} first",
                    subject=f"{observed.name}/{model}",
                )
