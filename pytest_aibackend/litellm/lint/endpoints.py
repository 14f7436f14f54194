"""Where requests go: the address of each deployment's server, as LiteLLM uses it.

What LiteLLM appends to an address was seen with a server that notes the paths it is asked for, 1.106.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Deployment
from pytest_aibackend.litellm.lint.providers import provider_of, resolved
from pytest_aibackend.sources.addresses import Address, address_of, shown_url, url_trouble

__all__ = [
    "OPENAI_LIKE",
    "address_in_deployment",
    "api_base_missing",
    "api_base_path",
    "https_on_loopback",
    "malformed_url",
]

_OLLAMA: Final = ("ollama", "ollama_chat")
# Those that LiteLLM asks at api_base + /chat/completions, + /embeddings and so on.
OPENAI_LIKE: Final = (
    *("openai", "custom_openai", "text-completion-openai", "hosted_vllm", "lm_studio", "llamafile"),
    *("litellm_proxy", "xinference", "docker_model_runner"),
)
# Their servers answer below /v1 only, as a rule.
_BELOW_V1: Final = (
    "openai",
    "custom_openai",
    "text-completion-openai",
    "hosted_vllm",
    "lm_studio",
    "xinference",
)
_REQUESTS: Final = (
    *("/chat/completions", "/completions", "/embeddings", "/responses", "/models", "/messages", "/rerank"),
    *("/images/generations", "/audio/transcriptions", "/audio/speech", "/moderations"),
)
# LiteLLM itself takes these off again, or does not append them twice.
_TOLERATED: Final = {
    "hosted_vllm": ("/chat/completions", "/embeddings", "/rerank"),
    "ollama": ("/api/generate", "/api/embed"),
    "ollama_chat": ("/api/chat",),
}
_OPEN_WEBUI: Final = (80, 443, 3000, 8080)  # it alone answers below /api
_PORT_IN_PATH: Final = re.compile(r"/\d{2,5}(/|$)")
_CLOUD: Final = "sends the requests to api.openai.com"
_FAILS: Final = "fails every request"
# Where requests go without an api_base, and the variable that may hold one.
_DEFAULTS: Final = {
    "ollama": ("OLLAMA_API_BASE", "asks localhost:11434, and runs `ollama serve` by itself"),
    "ollama_chat": ("OLLAMA_API_BASE", "asks localhost:11434, and runs `ollama serve` by itself"),
    "llamafile": ("LLAMAFILE_API_BASE", "asks 127.0.0.1:8080"),
    "hosted_vllm": ("HOSTED_VLLM_API_BASE", _CLOUD),
    "lm_studio": ("LM_STUDIO_API_BASE", _CLOUD),
    "xinference": ("XINFERENCE_API_BASE", _CLOUD),
    "litellm_proxy": ("LITELLM_PROXY_API_BASE", _CLOUD),
    "custom_openai": ("OPENAI_API_BASE", _CLOUD),
    "infinity": ("INFINITY_API_BASE", _FAILS),
    "oobabooga": ("", _FAILS),
    "triton": ("", _FAILS),
    "custom": ("", _FAILS),
}
# How the names of OpenAI's own models begin.
_OPENAIS: Final = (
    *("gpt", "chatgpt", "o1", "o3", "o4", "o5", "text-", "tts", "whisper", "dall-e", "ft:", "codex", "sora"),
    *("computer-use", "omni", "davinci", "babbage", "responses/", "*", "container", "vector_store"),
)


def address_in_deployment(context: LintContext, deployment: Deployment) -> tuple[str, str] | None:
    """Return the key that names a deployment's server, and its value as far as it is known; None without."""
    for key in ("api_base", "base_url"):
        value = deployment.params.get(key)
        if value:
            return key, resolved(context, value) or ""
    return None


@lint_rule("api-base-missing", where="main.py, completion; proxy/proxy_server.py, run_ollama_serve (1.106.2)")
def api_base_missing(context: LintContext) -> Iterator[LintProblem]:
    """A deployment of a self-hosted provider names no `api_base`.

    LiteLLM then sends `hosted_vllm/`, `lm_studio/` and `openai/` to OpenAI's cloud, prompts included; for
    `ollama/` it asks localhost and may start `ollama serve` by itself, which is a warning. Each provider has
    a variable that serves in its place, such as `OLLAMA_API_BASE`: nothing is said where that is known to be
    set.
    """
    if context.document.get("litellm_settings", "api_base"):
        return
    for deployment in context.document.deployments:
        provider = provider_of(context, deployment)
        if address_in_deployment(context, deployment) or "litellm_credential_name" in deployment.params:
            continue
        if provider in _DEFAULTS:
            variable, fate = _DEFAULTS[provider]
            if not context.has_variable(variable):
                yield _without_address(deployment, f"{provider}/", fate, variable)
        elif (
            provider == "openai"
            and _is_foreign(context, deployment)
            and not context.has_variable("OPENAI_BASE_URL")
        ):
            problem = _without_address(deployment, f"{deployment.model!r}", _CLOUD, "OPENAI_BASE_URL")
            yield problem


@lint_rule("malformed-url", where="main.py, completion: api_base (1.106.2)")
def malformed_url(context: LintContext) -> Iterator[LintProblem]:
    """An `api_base` is not the address of a server: no scheme, white space, a port that is none.

    LiteLLM starts all the same, and every request fails. Write scheme, host and port:
    `http://127.0.0.1:8000/v1`.
    """
    for deployment in context.document.deployments:
        named = address_in_deployment(context, deployment)
        if named is None or not named[1] or "$" in named[1] or "{" in named[1]:
            continue
        trouble = url_trouble(named[1])
        if trouble is not None:
            fact, hint = trouble
            yield LintProblem(
                path=deployment.at(named[0]), message=f"the URL {shown_url(named[1])} {fact}", hint=hint
            )


@lint_rule("api-base-path", where="llms/openai, llms/ollama, llms/hosted_vllm, llms/anthropic (1.106.2)")
def api_base_path(context: LintContext) -> Iterator[LintProblem]:
    """An `api_base` ends in a path that does not fit its provider.

    LiteLLM appends the path of each request itself. Servers of OpenAI's kind are asked at `api_base` +
    `/chat/completions`: one that ends in that path already is asked for it twice, and answers 404. Ollama is
    asked at `api_base` + `/api/chat`, so that it must end in neither `/v1` nor `/api`; Anthropic at
    `api_base` + `/v1/messages`. Without `/v1` llama-cpp-python and vLLM answer 404; since llama.cpp's own
    server takes both, that is a warning, for servers in the local network. So is `/api`, where Open WebUI
    answers and no other: on the usual ports of that nothing is said.
    """
    for deployment in context.document.deployments:
        named = address_in_deployment(context, deployment)
        address = address_of(named[1]) if named else None
        provider = provider_of(context, deployment)
        if named is None or address is None or not provider:
            continue
        found = _path_trouble(provider, address)
        if found is not None:
            fact, hint, severity = found
            yield LintProblem(
                path=deployment.at(named[0]),
                message=f"{shown_url(named[1])} {fact}",
                hint=hint,
                severity=severity,
            )


@lint_rule("https-on-loopback", severity=Severity.WARNING, where="main.py, completion: api_base (1.106.2)")
def https_on_loopback(context: LintContext) -> Iterator[LintProblem]:
    """An `api_base` on this machine begins with https.

    Servers that listen on the loopback address speak http, as a rule: then every request fails. Write http,
    or silence this where the server has a certificate.
    """
    for deployment in context.document.deployments:
        named = address_in_deployment(context, deployment)
        address = address_of(named[1]) if named else None
        if named is not None and address is not None and address.scheme == "https" and address.is_loopback:
            yield LintProblem(
                path=deployment.at(named[0]),
                message=f"{shown_url(named[1])} asks a server on this machine over https,"
                " where most speak http",
                hint="write http://",
            )


def _path_trouble(provider: str, address: Address) -> tuple[str, str, Severity | None] | None:
    path = address.path
    if _PORT_IN_PATH.match(path):
        return "has a number after a slash, where the port stands after a colon", "write host:port", None
    if "/v1/v1" in path:
        return "has /v1 twice", "write it once", None
    tolerated = path.endswith(_TOLERATED.get(provider, ("\0",)))
    if provider in _OLLAMA and not tolerated:
        for end in ("/v1/chat/completions", "/v1", "/api", *_REQUESTS, "/api/chat", "/api/generate"):
            if path.endswith(end):
                asked = "/api/chat" if provider == "ollama_chat" else "/api/generate"
                return f"ends in {end}; Ollama is asked at {path}{asked}", f"take {end} off its end", None
    if provider == "anthropic" and path.endswith("/v1"):
        return f"ends in /v1; LiteLLM asks at {path}/v1/messages", "take /v1 off its end", None
    if provider not in OPENAI_LIKE or tolerated:
        return None
    end = next((each for each in _REQUESTS if path.endswith(each)), "")
    if end:
        return (
            f"ends in {end}, the path of one request; LiteLLM asks at {path}{_asked(provider)}",
            f"take {end} off its end",
            None,
        )
    if provider not in _BELOW_V1 or not address.is_private:
        return None
    if not path:
        fact = f"has no /v1 at its end: LiteLLM asks at {_asked(provider)}, most servers answer below /v1"
        return fact, "add /v1 to its end", Severity.WARNING
    if path == "/api" and address.port not in _OPEN_WEBUI:
        fact = f"ends in /api: LiteLLM asks at /api{_asked(provider)}, where none but Open WebUI answers"
        return fact, "write /v1 for /api at its end", Severity.WARNING
    return None


def _asked(provider: str) -> str:
    return "/completions" if provider == "text-completion-openai" else "/chat/completions"


def _without_address(deployment: Deployment, what: str, fate: str, variable: str) -> LintProblem:
    unless = f", unless {variable} is set" if variable else ""
    return LintProblem(
        path=deployment.at("api_base"),
        message=f"a deployment of {deployment.label!r} has no api_base: for {what} LiteLLM {fate}{unless}",
        hint="name the server's address as api_base",
        severity=Severity.WARNING if "asks" in fate else None,
    )


def _is_foreign(context: LintContext, deployment: Deployment) -> bool:
    """Say whether a model with the prefix openai/ is none of OpenAI's."""
    name = (resolved(context, deployment.params.get("model")) or "*").removeprefix("openai/")
    return not name.startswith(_OPENAIS) and context.schema.provider_of(name) != "openai"
