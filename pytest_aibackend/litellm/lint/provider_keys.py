"""Keys of providers: where the client of one does not start without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Deployment
from pytest_aibackend.litellm.lint.endpoints import address_in_deployment
from pytest_aibackend.litellm.lint.providers import provider_of, resolved
from pytest_aibackend.litellm.lint.served import served_by
from pytest_aibackend.sources.addresses import address_of

__all__ = ["api_key_missing", "api_key_misspelt", "credential_unknown"]

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
# Those whose client asks without one, and is refused by the provider's own server.
_CLOUD_KEYS: Final = {
    "cerebras": ("CEREBRAS_API_KEY",),
    "cohere_chat": ("COHERE_API_KEY", "CO_API_KEY"),
    "cohere": ("COHERE_API_KEY", "CO_API_KEY"),
    "deepinfra": ("DEEPINFRA_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "nvidia_nim": ("NVIDIA_NIM_API_KEY", "NVIDIA_API_KEY"),
    "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
    "together_ai": ("TOGETHER_API_KEY", "TOGETHER_AI_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
    "xai": ("XAI_API_KEY",),
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
        if "apikey" in deployment.params:
            continue  # api-key-misspelt speaks of it
        provider = provider_of(context, deployment)
        has_server = _has_server(context, deployment)
        variables = _KEYS.get(provider or "") or _CLOUD_KEYS.get(provider or "", ())
        if not variables or deployment.params.get("api_key") or _has_other_way(deployment):
            continue
        if context.environment is None and has_server and provider in _SELF_HOSTED:
            yield _problem(deployment, f"without {variables[0]} every request fails", None)
        elif context.environment is not None and not context.has_variable(*variables):
            # A server of one's own may ask for no key, and be called by the name of a provider in the cloud.
            is_sure = provider in _KEYS or not has_server
            fate = f"and {variables[0]} is not set: every request fails"
            yield _problem(deployment, fate, Severity.ERROR if is_sure else Severity.WARNING)


@lint_rule("api-key-misspelt", where="main.py, completion: watsonx; llms/watsonx/common_utils.py (1.106.2)")
def api_key_misspelt(context: LintContext) -> Iterator[LintProblem]:
    """A deployment has its key under `apikey`, which LiteLLM reads for watsonx only.

    It asks without the key, and sends `apikey` to the provider among the parameters of each request. Write
    `api_key`.
    """
    for deployment in context.document.deployments:
        provider = provider_of(context, deployment)
        if "apikey" in deployment.params and provider is not None and "watsonx" not in provider:
            yield LintProblem(
                path=deployment.at("apikey"),
                message=f"a deployment of {deployment.label!r} has its key under apikey,"
                " which LiteLLM reads for watsonx only",
                hint="write api_key",
            )


@lint_rule("credential-unknown", where="router.py, _add_deployment: litellm_credential_name (1.106.2)")
def credential_unknown(context: LintContext) -> Iterator[LintProblem]:
    """A deployment names a credential that `credential_list` does not have.

    LiteLLM goes on without: the deployment has neither key nor address from it. Name one of the list. Nothing
    is said where credentials may come from a database (`store_model_in_db`).
    """
    document = context.document
    listed = document.get("credential_list")
    known = {
        each["credential_name"]
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and isinstance(each.get("credential_name"), str)
    }
    if not served_by(context).is_known:
        return
    for deployment in document.deployments:
        name = resolved(context, deployment.params.get("litellm_credential_name"))
        if name and name not in known:
            yield LintProblem(
                path=deployment.at("litellm_credential_name"),
                message=f"{deployment.label!r} names credential {name!r}, which is not in credential_list:"
                " it has neither key nor address from it",
                hint=context.suggester.hint(name, known, otherwise="name one of credential_list"),
            )


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
