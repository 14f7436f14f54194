"""Which provider a deployment belongs to, or why the sources have no place for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_aibackend.litellm.words import Defaults, kind_of
from pytest_aibackend.sources.addresses import address_of, url_trouble
from pytest_aibackend.sources.references import REFERENCE

__all__ = ["Home", "NoPlaceError", "home_of", "name_homes", "upstream_of"]

_TYPES: Final = {
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "hosted_vllm": "vllm",
    "openai": "openai_compatible",
    "anthropic": "anthropic",
}
_BESIDE: Final = ("model_name", "litellm_params", "model_info")
_OPENAI: Final = "api.openai.com"
_OLLAMA: Final = "http://localhost:11434"
_VARIABLE: Final = re.compile(rf"{REFERENCE}([A-Za-z_][A-Za-z0-9_]*)")
_WORDS: Final = re.compile(r"[^a-z0-9]+")


class NoPlaceError(Exception):
    """The sources have no place for a deployment; the text is the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """What makes a provider one: its protocol, its address and its key."""

    type: str
    base_url: str
    env_var: str | None

    @property
    def needs_no_key(self) -> bool:
        """Say whether it is a server of one's own that the sources would otherwise ask a key of."""
        address = address_of(self.base_url)
        return (
            self.type in ("openai", "anthropic")
            and self.env_var is None
            and address is not None
            and address.is_private
        )


def home_of(entry: Mapping[str, Any], defaults: Defaults) -> Home:
    """Return the provider of a deployment. Raises NoPlaceError."""
    params = entry["litellm_params"]
    kind = kind_of(params)
    beside = [str(key) for key in entry if key not in _BESIDE]
    if beside:
        raise NoPlaceError(f"it has {', '.join(beside)} beside litellm_params")
    if kind not in _TYPES:
        raise NoPlaceError(
            f"the sources have no provider type for {kind!r}" if kind else "its provider is unknown"
        )
    if not all(isinstance(key, str) for key in (*params, *(entry.get("model_info") or {}))):
        raise NoPlaceError("a key in it is no text")
    if params.get("litellm_credential_name") is not None:
        raise NoPlaceError("its key is in credential_list")
    if not upstream_of(params):
        raise NoPlaceError("its model has no name")
    filled = defaults.filled(params)
    base = (
        filled.get("api_base") or filled.get("base_url") or (_OLLAMA if kind.startswith("ollama") else None)
    )
    if base is None:
        raise NoPlaceError("it has no api_base")
    kind_of_source = _TYPES[kind]
    url = _plain_url(base, kind_of_source)
    if kind == "openai" and urlsplit(url).hostname == _OPENAI:
        kind_of_source = "openai"
    named = _VARIABLE.fullmatch(str(filled.get("api_key")))
    return Home(type=kind_of_source, base_url=url, env_var=named[1] if named else None)


def upstream_of(params: Mapping[str, Any]) -> str:
    """Return the model as its provider calls it."""
    return str(params["model"]).removeprefix(f"{kind_of(params)}/")


def _plain_url(base: Any, kind: str) -> str:
    if not isinstance(base, str) or REFERENCE in base:
        raise NoPlaceError(
            "its address stands in the environment, and providers.yaml has addresses written out"
        )
    url = base.rstrip("/")
    trouble, address = url_trouble(url), address_of(url)
    if trouble is not None or address is None:
        raise NoPlaceError(f"its address {trouble[0]}" if trouble else "its address leads nowhere")
    if address.has_query or address.has_userinfo:
        raise NoPlaceError("its address has more than host, port and path")
    if kind == "ollama":
        url = url.removesuffix("/v1").removesuffix("/api").rstrip("/")
    return url


def name_homes(homes: list[Home]) -> dict[Home, str]:
    """Give each provider a name: of its kind on this machine, of its host elsewhere; the same each time."""
    wanted = {home: (_stem(home), _port(home)) for home in homes}
    ports: dict[str, list[int]] = {}  # of each stem
    for stem, port in wanted.values():
        ports.setdefault(stem, []).append(port)
    told_by_port = {stem for stem, alike in ports.items() if 1 < len(alike) == len(set(alike))}
    names: dict[str, Home] = {}
    numbers: dict[str, int] = {}  # the last one tried, for each name that was wanted more than once
    for home, (stem, port) in wanted.items():
        name = first = f"{stem}_{port}" if stem in told_by_port else stem
        while name in names:
            numbers[first] = numbers.get(first, 1) + 1
            name = f"{first}_{numbers[first]}"
        names[name] = home
    return {home: name for name, home in names.items()}


def _stem(home: Home) -> str:
    address = address_of(home.base_url)
    assert address is not None
    if home.type in ("openai", "anthropic") and not address.is_private:
        return home.type
    kind = "server" if home.type == "openai_compatible" else home.type
    if address.is_loopback:
        return kind
    labels = address.host.split(".")
    is_number = address.host.replace(".", "").isdigit() or ":" in address.host
    label = address.host if is_number else labels[0] if address.is_private or len(labels) < 3 else labels[-2]
    label = _WORDS.sub("_", label.lower()).strip("_")
    if label == kind:
        return f"{kind}_cloud"
    return label if home.type == "openai_compatible" and not is_number else f"{kind}_{label}"


def _port(home: Home) -> int:
    address = address_of(home.base_url)
    assert address is not None
    return address.port
