"""Which provider LiteLLM finds for a deployment; without one the deployment is dropped."""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Deployment
from pytest_aibackend.litellm.lint.nearness import Nearness
from pytest_aibackend.litellm.schema import Schema
from pytest_aibackend.sources.references import variable_of
from pytest_aibackend.sources.wording import written

__all__ = ["provider_of", "provider_unresolved", "resolved", "vllm_in_process"]

_BY_NAME: Final = re.compile(r"ft:gpt-3\.5-turbo|ft:gpt-4|^gpt-image|^\*$")  # LiteLLM takes them for OpenAI's
_REPLICATE_ID: Final = re.compile(r":[^:]{64}$")
# Names of these kinds are known to LiteLLM when its list of prices, which it downloads, is new enough.
_WELL_KNOWN: Final = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "text-embedding-": "openai",
    "tts-": "openai",
    "dall-e-": "openai",
    "claude-": "anthropic",
    "gemini-": "gemini",
    "command-": "cohere_chat",
    "anthropic.": "bedrock",
    "amazon.": "bedrock",
    "meta.": "bedrock",
    "us.": "bedrock",
    "eu.": "bedrock",
    "apac.": "bedrock",
    "cohere.": "bedrock",
    "mistral.": "bedrock",
}
# What people call a provider, and what LiteLLM calls it.
_MEANT: Final = {
    "aws": "bedrock",
    "azure_openai": "azure",
    "claude": "anthropic",
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "hf": "huggingface",
    "llama.cpp": "openai",
    "llama-cpp": "openai",
    "llama_cpp": "openai",
    "llamacpp": "openai",
    "lmstudio": "lm_studio",
    "local": "openai",
    "localai": "openai",
    "mistralai": "mistral",
    "openai_compatible": "openai",
    "sglang": "openai",
    "text-generation-inference": "huggingface",
    "tgi": "huggingface",
    "together": "together_ai",
    "zhipu": "zai",
    "zhipuai": "zai",
}
_FOUND: Final = "litellm_core_utils/get_llm_provider_logic.py; router.py, _add_deployment (1.106.2)"


@dataclass(frozen=True, slots=True)
class _Known:
    prefixes: frozenset[str]  # what may stand before the first / of a model
    providers: dict[int, str | None] = field(default_factory=dict)  # of deployments, by their indexes


_contexts: Final[weakref.WeakKeyDictionary[LintContext, _Known]] = weakref.WeakKeyDictionary()


def resolved(context: LintContext, value: Any) -> str | None:
    """Return a text, a reference replaced by the variable's value; None where it is not known, or no text."""
    variable = variable_of(value)
    if variable is not None:
        return (context.environment or {}).get(variable)
    return value if isinstance(value, str) else None


def provider_of(context: LintContext, deployment: Deployment) -> str | None:
    """Return LiteLLM's provider of a deployment, "" where it cannot be told, None where it finds none."""
    known = _known(context)
    if deployment.index not in known.providers:
        known.providers[deployment.index] = _provider_of(context, deployment, known.prefixes)
    return known.providers[deployment.index]


@lint_rule("provider-unresolved", where=_FOUND)
def provider_unresolved(context: LintContext) -> Iterator[LintProblem]:
    """LiteLLM finds no provider for a deployment, and drops it.

    It starts all the same, with a line in its log: the model group is not served, or by fewer deployments. A
    model is written `provider/model`, with one of LiteLLM's names for providers; `openai/` stands for every
    server that speaks OpenAI's protocol, `hosted_vllm/` for vLLM. A name alone is enough only for the few
    hundred models that LiteLLM knows by name. For one that looks new it is a warning, since LiteLLM may
    download a newer list of names.
    """
    near = Nearness()
    known = _known(context).prefixes
    for deployment in context.document.deployments:
        if deployment.model and provider_of(context, deployment) is None:
            yield _unresolved(deployment, near, known)


@lint_rule("vllm-in-process", where="main.py, completion; llms/vllm/completion/handler.py (1.106.2)")
def vllm_in_process(context: LintContext) -> Iterator[LintProblem]:
    """A model has the prefix `vllm/`, which is not for a vLLM server.

    LiteLLM then loads the Python package vllm in its own process; without it every request fails. For a
    server write `hosted_vllm/`, with its address as `api_base`.
    """
    for deployment in context.document.deployments:
        if provider_of(context, deployment) == "vllm":
            yield LintProblem(
                path=deployment.at("model"),
                message=f"{deployment.model!r}: vllm/ loads vLLM inside LiteLLM, and asks no server",
                hint="write hosted_vllm/ for a vLLM server",
            )


@lint_rule("gemini-at-vertex", severity=Severity.WARNING, where=_FOUND)
def gemini_at_vertex(context: LintContext) -> Iterator[LintProblem]:
    """A model of Google's has an API key and no prefix.

    LiteLLM takes the name alone for Vertex AI's, where a key of Google AI Studio is not looked at: without
    credentials of Google Cloud every request fails. Write `gemini/` before the name.
    """
    for deployment in context.document.deployments:
        if (
            "/" not in deployment.model
            and deployment.params.get("api_key")
            and provider_of(context, deployment) == "vertex_ai"
            and not any(str(key).startswith(("vertex_", "custom_llm_")) for key in deployment.params)
        ):
            yield LintProblem(
                path=deployment.at("model"),
                message=f"LiteLLM asks Vertex AI for {deployment.model!r}, and not with the api_key",
                hint=f"write {written(f'gemini/{deployment.model}')}",
            )


def _unresolved(deployment: Deployment, near: Nearness, known: frozenset[str]) -> LintProblem:
    model, given = deployment.model, deployment.params.get("custom_llm_provider")
    if given:
        return LintProblem(
            path=deployment.at("custom_llm_provider"),
            message=f"LiteLLM has no provider {given!r}: it drops this deployment of {deployment.label!r}",
            hint=_hint_for(str(given), near, known) or "name one of LiteLLM's providers, or leave it out",
        )
    prefix, slash, name = model.partition("/")
    family = next((who for start, who in _WELL_KNOWN.items() if model.startswith(start)), None)
    if family is not None:
        return LintProblem(
            path=deployment.at("model"),
            message=f"LiteLLM does not know whose model {model!r} is: unless a newer list of names helps,"
            f" it drops this deployment of {deployment.label!r}",
            hint=f"write {written(f'{family}/{model}')}",
            severity=Severity.WARNING,
        )
    if slash:
        message = f"{prefix!r} is no provider of LiteLLM: it drops this deployment of {deployment.label!r}"
        hint = _hint_for(prefix, near, known)
    else:
        message = f"{model!r} names no provider: LiteLLM drops this deployment of {deployment.label!r}"
        prefix = "hosted_vllm" if model == "vllm" else model
        hint = f"write {written(prefix)}/ and the model's name" if model in known else None
    return LintProblem(
        path=deployment.at("model"), message=message, hint=hint or _by_address(deployment, model or name)
    )


def _hint_for(prefix: str, near: Nearness, known: frozenset[str]) -> str | None:
    folded = prefix.strip().casefold()
    meant = _MEANT.get(folded) or (folded if folded in known else near.find(folded, known))
    return f"did you mean {meant + '/'!r}?" if meant else None


def _by_address(deployment: Deployment, model: str) -> str:
    base = str(deployment.params.get("api_base") or deployment.params.get("base_url") or "")
    if ":11434" in base:
        return f"write {written(f'ollama_chat/{model}')}"
    name = written(model)
    if base:
        return f"write openai/{name} for a server of OpenAI's protocol, hosted_vllm/{name} for vLLM"
    return (
        "write one of LiteLLM's providers before it; openai/ with an api_base, if its server is of that kind"
    )


def _known(context: LintContext) -> _Known:
    if context not in _contexts:
        _contexts[context] = _Known(_prefixes(context))
    return _contexts[context]


def _prefixes(context: LintContext) -> frozenset[str]:
    """Return what may stand before the first / of a model: also prompts, and handlers of one's own."""
    own = context.document.get("litellm_settings", "custom_provider_map")
    handlers = {
        str(each.get("provider")) for each in (own if isinstance(own, list) else ()) if isinstance(each, dict)
    }
    return frozenset(handlers) | context.schema.values("provider") | context.schema.values("callback")


def _provider_of(context: LintContext, deployment: Deployment, prefixes: frozenset[str]) -> str | None:
    params, schema = deployment.params, context.schema
    model = resolved(context, params.get("model"))
    given = params.get("custom_llm_provider")
    if given:
        named = resolved(context, given)
        if named is None:
            return ""
        return named if named in prefixes else None
    if model is None:
        return ""  # of a variable whose value is not known
    prefix, slash, _ = model.partition("/")
    if slash and prefix in prefixes:
        return prefix
    base = resolved(context, params.get("api_base") or params.get("base_url"))
    if params.get("use_litellm_proxy") or (base and _is_known_endpoint(base, schema)):
        return ""
    if _BY_NAME.search(model):
        return "openai"
    if _REPLICATE_ID.search(model):
        return "replicate"
    return schema.provider_of(model)


def _is_known_endpoint(base: str, schema: Schema) -> bool:
    """Say whether LiteLLM concludes the provider from the address."""
    host, path = _host_and_path(base)
    return any(
        path == each or path.startswith(each + "/") or not each for each in _endpoints(schema).get(host, ())
    )


_known_endpoints: Final[weakref.WeakKeyDictionary[Schema, Mapping[str, list[str]]]] = (
    weakref.WeakKeyDictionary()
)


def _endpoints(schema: Schema) -> Mapping[str, list[str]]:
    if schema not in _known_endpoints:
        found: dict[str, list[str]] = {}
        for address in schema.values("api_base"):
            host, path = _host_and_path(address)
            found.setdefault(host, []).append(path)
        _known_endpoints[schema] = found
    return _known_endpoints[schema]


def _host_and_path(address: str) -> tuple[str, str]:
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        return (parts.hostname or "").lower(), parts.path.rstrip("/")
    except ValueError:
        return "", ""
