"""LiteLLM's words for providers, and what it takes where a deployment does not say: 1.106.2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from pytest_aibackend.sources.references import REFERENCE
from pytest_aibackend.sources.secrets import is_placeholder

__all__ = ["Defaults", "deployments_of", "kind_of", "section_of"]

# Names that LiteLLM knows without a prefix (its map of costs); the guess only says whose account it is.
_BARE: Final = (
    (("gpt-", "chatgpt-", "o1", "o3", "o4", "text-embedding-", "dall-e", "whisper-", "tts-"), "openai"),
    (("claude-",), "anthropic"),
)
# main.py: api_base or litellm.api_base or the variables or this address; the same for the key.
_ADDRESS: Final = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
_ADDRESS_VARIABLES: Final = {
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "anthropic": ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
}
_KEY_VARIABLE: Final = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
_KEY_SETTINGS: Final = {"openai": ("api_key", "openai_key"), "anthropic": ("api_key", "anthropic_key")}
# What LiteLLM_Params makes a number of, beside prices (types/router.py).
_WHOLE_NUMBERS: Final = (
    *("rpm", "tpm", "itpm", "otpm", "max_retries"),
    *("default_api_key_rpm_limit", "default_api_key_tpm_limit"),
)
_WHOLE: Final = re.compile(r"[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?")
# Without a key LiteLLM sends its own placeholder to vLLM, and Ollama looks at none.
_KEYLESS: Final = ("hosted_vllm", "ollama", "ollama_chat")


def section_of(config: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    """Return a section of settings, empty where it is none."""
    section = config.get(name)
    return section if isinstance(section, dict) else MappingProxyType({})


def deployments_of(config: Mapping[Any, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of the model list."""
    listed = config.get("model_list")
    yield from (entry for entry in (listed if isinstance(listed, list) else ()) if isinstance(entry, dict))


def kind_of(params: Mapping[str, Any]) -> str:
    """Return LiteLLM's name for the provider of a deployment, "" where it cannot be told."""
    named, model = params.get("custom_llm_provider"), str(params.get("model"))
    if isinstance(named, str):
        return named
    prefix, slash, _ = model.partition("/")
    if slash:
        return prefix
    return next((kind for starts, kind in _BARE if model.startswith(starts)), "")


class Defaults:
    """What LiteLLM takes where a deployment names no address or key, unless the settings say more."""

    def __init__(self, config: Mapping[Any, Any]) -> None:
        settings = section_of(config, "litellm_settings")
        variables = section_of(config, "environment_variables")
        self._address = {
            kind: address
            for kind, address in _ADDRESS.items()
            if "api_base" not in settings and not any(name in variables for name in _ADDRESS_VARIABLES[kind])
        }
        self._key = {
            kind: f"{REFERENCE}{name}"
            for kind, name in _KEY_VARIABLE.items()
            if not any(key in settings for key in _KEY_SETTINGS[kind])
        }

    def filled(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters with what LiteLLM takes of itself written down, and without nulls."""
        given = {key: _as_number(key, value) for key, value in params.items() if value is not None}
        kind = kind_of(given)
        key = given.get("api_key")
        if is_placeholder(key) and str(key) == str(key).strip():  # a line break in it cannot be sent
            given["api_key"] = "not-needed"
            if kind in _KEYLESS:
                del given["api_key"]
        if "litellm_credential_name" in given:
            return given  # address and key may come from there
        if kind in self._address and not given.get("api_base") and not given.get("base_url"):
            given["api_base"] = self._address[kind]
        if kind in self._key and not given.get("api_key"):
            given["api_key"] = self._key[kind]
        return given


def _as_number(key: object, value: Any) -> Any:
    """Return a parameter as LiteLLM takes it: `rpm: "60"` is 60, a price of `1e-06` no text."""
    if not isinstance(value, str):
        return value
    if key in _WHOLE_NUMBERS and _WHOLE.fullmatch(value):
        return int(value)
    is_price = isinstance(key, str) and key.startswith(("input_cost_per_", "output_cost_per_"))
    return float(value) if is_price and _DECIMAL.fullmatch(value) else value
