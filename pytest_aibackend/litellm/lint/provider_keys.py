"""Keys of providers: where the client of one does not start without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Deployment
from pytest_aibackend.litellm.lint.endpoints import address_in_deployment
from pytest_aibackend.litellm.lint.providers import provider_of
from pytest_aibackend.sources.addresses import address_of

__all__ = ["api_key_missing"]

# Providers whose client refuses to ask without a key, and the variables that may hold it.
_KEYS: Final = {
    "openai": ("OPENAI_API_KEY",),
    "custom_openai": ("OPENAI_API_KEY",),
    "text-completion-openai": ("OPENAI_API_KEY",),
    "litellm_proxy": ("LITELLM_PROXY_API_KEY", "OPENAI_API_KEY"),
    "xinference": ("XINFERENCE_API_KEY", "OPENAI_API_KEY"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "fireworks_ai": (
        "FIREWORKS_API_KEY",
        "FIREWORKS_AI_API_KEY",
        "FIREWORKSAI_API_KEY",
        "FIREWORKS_AI_TOKEN",
    ),
    "perplexity": ("PERPLEXITYAI_API_KEY", "PERPLEXITY_API_KEY", "OPENAI_API_KEY"),
}
_SELF_HOSTED: Final = ("openai", "custom_openai", "text-completion-openai", "xinference", "litellm_proxy")
# Other ways to come to a key.
_INSTEAD: Final = (
    "litellm_credential_name",
    "configurable_clientside_auth_params",
    "use_litellm_proxy",
    "mock_response",
)


@lint_rule(
    "api-key-missing", severity=Severity.WARNING, where="main.py, completion; llms/openai/openai.py (1.106.2)"
)
def api_key_missing(context: LintContext) -> Iterator[LintProblem]:
    """A deployment names no `api_key`, and its client refuses to ask without one.

    Every request fails with 500 "Missing credentials". A server that asks for no key takes any text:
    `api_key: not-needed`. Where the gateway's environment is known, it is an error, and is looked for with
    every provider whose client insists; where it is not, only servers of one's own are looked at, for
    OPENAI_API_KEY should not be what they are given.
    """
    settings = context.document.section("litellm_settings")
    if settings.get("api_key") or settings.get("openai_key"):
        return
    for deployment in context.document.deployments:
        provider = provider_of(context, deployment)
        if provider not in _KEYS or deployment.params.get("api_key") or _has_other_way(deployment):
            continue
        has_server = _has_server(context, deployment)
        variables = _KEYS[provider]
        if context.environment is None and has_server and provider in _SELF_HOSTED:
            yield _problem(deployment, f"without {variables[0]} every request fails", None)
        elif context.environment is not None and not _is_any_set(context, variables):
            yield _problem(deployment, f"and {variables[0]} is not set: every request fails", Severity.ERROR)


def _problem(deployment: Deployment, fate: str, severity: Severity | None) -> LintProblem:
    return LintProblem(
        path=deployment.at("api_key"),
        message=f"a deployment of {deployment.label!r} has no api_key; {fate}"
        if severity is None
        else f"a deployment of {deployment.label!r} has no api_key, {fate}",
        hint="add api_key: os.environ/NAME, or any word for a server without keys",
        severity=severity,
    )


def _has_server(context: LintContext, deployment: Deployment) -> bool:
    """Say whether a deployment asks another server than its provider's own."""
    named = address_in_deployment(context, deployment)
    address = address_of(named[1]) if named else None
    return named is not None and not (address and address.host.endswith(".openai.com"))


def _has_other_way(deployment: Deployment) -> bool:
    return any(deployment.params.get(key) for key in _INSTEAD)


def _is_any_set(context: LintContext, variables: tuple[str, ...]) -> bool:
    own = context.document.section("environment_variables")
    return any((context.environment or {}).get(name) or own.get(name) for name in variables)
