"""A model of a provider in LiteLLM's words: which prefix, which address, which key, which limits.

Seen with LiteLLM 1.106.2 and recorded requests (tests/stack/test_translation.py):
`ollama_chat/` asks `/api/chat` and takes options from beside `model`, where a client's own values win;
`options:` there would be nested once too often, and `extra_body` would throw the client's values away.
`anthropic/` adds `/v1/messages` itself. `openai/` without a key answers 500 and may pick up the key of
another account from the environment, so a provider that needs none gets a placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pytest_aibackend.findings import Path, suggest
from pytest_aibackend.litellm.plan.types import Deployment, Problems
from pytest_aibackend.sources.models import Model, Passthrough, Provider

__all__ = ["NO_KEY", "OLLAMA_OPTIONS", "DeploymentMaker", "api_base_of"]

NO_KEY: Final = "not-needed"  # goes out as a bearer token that nobody reads
_PREFIX: Final = {
    "ollama": "ollama_chat",
    "llama_cpp": "openai",
    "vllm": "hosted_vllm",
    "openai": "openai",
    "anthropic": "anthropic",
    "openai_compatible": "openai",
}
_OLLAMA_CHAT_MODES: Final = (None, "chat", "responses")
_VERSION: Final = re.compile(r"v\d+[a-z0-9]*")
# Ollama, api/types.go, struct Options and Runner, and what older versions knew; keep_alive and think
# are fields of the request that LiteLLM lifts out of the options.
OLLAMA_OPTIONS: Final = frozenset(
    # a text is easier to compare with Ollama's list than forty quoted words
    """num_keep seed num_predict top_k top_p min_p tfs_z typical_p repeat_last_n temperature repeat_penalty
    presence_penalty frequency_penalty mirostat mirostat_tau mirostat_eta penalize_newline stop numa num_ctx
    num_batch num_gpu main_gpu low_vram f16_kv logits_all vocab_only use_mmap use_mlock embedding_only
    rope_frequency_base rope_frequency_scale num_thread draft_num_predict keep_alive think""".split()  # noqa: SIM905
)
_OLLAMA_NAMES: Final[Mapping[str, str]] = {
    "n_gpu_layers": "num_gpu",
    "num_gpu_layers": "num_gpu",
    "gpu_layers": "num_gpu",
    "n_ctx": "num_ctx",
    "context_length": "num_ctx",
    "max_tokens": "num_predict",
    "threads": "num_thread",
    "n_threads": "num_thread",
}
# What LiteLLM reads itself from where the options stand.
_RESERVED: Final = frozenset(
    """model api_base base_url api_key api_version custom_llm_provider order weight rpm tpm timeout
    stream_timeout max_retries max_parallel_requests tags organization model_info mock_response extra_body
    extra_headers messages input metadata fallbacks num_retries""".split()  # noqa: SIM905
)


def api_base_of(provider: Provider) -> str:
    """Return the address as LiteLLM needs it for this type of provider."""
    base = provider.base_url.strip().rstrip("/")
    host, _, path = base.partition("://")[2].partition("/")
    last = path.rpartition("/")[2]
    if provider.type in ("ollama", "anthropic"):
        dropped = ("v1", "api") if provider.type == "ollama" else ("v1",)
        return base[: -len(last) - 1] if host and last in dropped else base
    return base if _VERSION.fullmatch(last) else f"{base}/v1"


def _with(written: dict[str, Any], carried: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written with what is passed through; null takes a key away."""
    merged = {**written, **carried}
    return {key: value for key, value in merged.items() if value is not None or key not in carried}


class DeploymentMaker:
    """Makes deployments, and says once for each model what of it has no effect."""

    def __init__(
        self, providers: Mapping[str, Provider], problems: Problems, *, context_is_checked: bool
    ) -> None:
        self.providers = providers
        self._problems = problems
        self._context_is_checked = context_is_checked
        self._models = {
            name: {model.name: (place, model) for place, model in enumerate(provider.models)}
            for name, provider in providers.items()
        }
        self._common = {name: self._params_of(provider) for name, provider in providers.items()}
        self._options: dict[tuple[str, str], dict[str, Any]] = {}
        self.has_limits = False

    def is_active(self, provider: str) -> bool:
        """Say whether there is such a provider and it may be asked."""
        found = self.providers.get(provider)
        return found is not None and found.is_active

    def has_model(self, provider: str, model: str) -> bool:
        """Say whether the provider lists the model."""
        return model in self._models.get(provider, ())

    def model(self, provider: str, model: str) -> Model | None:
        """Return what providers.yaml says of a model."""
        found = self._models.get(provider, {}).get(model)
        return found[1] if found else None

    def make(
        self,
        provider: str,
        model: str,
        role: str,
        source: Path,
        *,
        passthrough: Passthrough | None = None,
        **more: Any,
    ) -> Deployment:
        """Return the deployment of a model on an active provider; `passthrough` has the last word."""
        known = self.model(provider, model)
        mode = known.mode if known else None
        kind = self.providers[provider].type
        prefix = "ollama" if kind == "ollama" and mode not in _OLLAMA_CHAT_MODES else _PREFIX[kind]
        params = {"model": f"{prefix}/{model}", **self._common[provider]}
        info: dict[str, Any] = {}
        if known:
            limits = {
                "rpm": known.rpm,
                "tpm": known.tpm,
                "timeout": known.timeout_seconds,
                "max_parallel_requests": known.max_parallel_requests,
            }
            params |= {name: value for name, value in limits.items() if value is not None}
            if known.options:
                params |= self._options_of(provider, known)
            if mode is not None:
                info["mode"] = mode
            if self._context_is_checked and known.context_length is not None:
                info["max_input_tokens"] = known.context_length
        self.has_limits = self.has_limits or "rpm" in params or "tpm" in params
        params |= more
        own = known.passthrough if known else None
        for carried in filter(None, (self.providers[provider].passthrough, own, passthrough)):
            params = _with(params, carried.litellm_params)
            info = _with(info, carried.model_info)
        return Deployment(
            provider=provider,
            model=model,
            role=role,
            source=source,
            litellm_params=params,
            model_info=info,
        )

    def make_wildcard(self, provider: str, wildcard: str, source: Path, **more: Any) -> Deployment:
        """Return the deployment that passes on whatever name a wildcard matched.

        The provider stands in `custom_llm_provider`, not in front of the model: with a prefix, `/v1/models`
        lists every model that LiteLLM knows of it (proxy/auth/model_checks.py, 1.106.2).
        """
        kind = _PREFIX[self.providers[provider].type]
        params = {"model": wildcard, "custom_llm_provider": kind, **self._common[provider], **more}
        self.has_limits = self.has_limits or "rpm" in params or "tpm" in params
        carried = self.providers[provider].passthrough
        return Deployment(
            provider=provider,
            model=wildcard,
            role="model-mappings",
            source=source,
            litellm_params=_with(params, carried.litellm_params),
            model_info=_with({}, carried.model_info),
        )

    def _params_of(self, provider: Provider) -> dict[str, Any]:
        params: dict[str, Any] = {"api_base": api_base_of(provider)}
        if provider.env_var:
            params["api_key"] = f"os.environ/{provider.env_var}"
        elif provider.type in ("llama_cpp", "openai_compatible"):
            params["api_key"] = NO_KEY
        limits = provider.rate_limits
        if limits.requests_per_minute is not None:
            params["rpm"] = limits.requests_per_minute
        if limits.tokens_per_minute is not None:
            params["tpm"] = limits.tokens_per_minute
        return params

    def _options_of(self, provider: str, model: Model) -> dict[str, Any]:
        key = (provider, model.name)
        if key not in self._options:
            self._options[key] = self._checked_options(provider, model)
        return self._options[key]

    def _checked_options(self, provider: str, model: Model) -> dict[str, Any]:
        is_ollama = self.providers[provider].type == "ollama"
        kept: dict[str, Any] = {}
        for name, value in model.options.items():
            path: Path = (
                "providers",
                provider,
                "models",
                self._models[provider][model.name][0],
                "options",
                name,
            )
            if name in _RESERVED:
                self._problems.add(
                    "setting-without-effect",
                    path,
                    provider,
                    source="providers",
                    message=f"option {name!r} of model {model.name!r} is a setting of the gateway, not"
                    " of the model",
                    hint="use the field of the model or of the provider for it; options are for the"
                    " model alone",
                )
                continue
            kept[name] = value
            if is_ollama and name not in OLLAMA_OPTIONS:
                near = _OLLAMA_NAMES.get(name) or suggest(name, sorted(OLLAMA_OPTIONS))
                self._problems.add(
                    "setting-without-effect",
                    path,
                    provider,
                    source="providers",
                    message=f"Ollama has no option {name!r}; it ignores the one of model {model.name!r}",
                    hint=f"did you mean {near!r}?"
                    if near
                    else "remove it, or see Ollama's list of parameters",
                )
        return kept
