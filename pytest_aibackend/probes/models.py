"""Compare the models that are configured with those that a provider lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ComparedModels", "compare_models", "is_cloud_model"]

MOST_MODELS = 5_000  # names kept of a list; a hostile server may send more
LONGEST_NAME = 300  # characters


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedModels:
    """What is there, what is missing, and what cannot be known from this list."""

    listed: tuple[str, ...] | None
    missing: tuple[str, ...] = ()
    unlisted_cloud: tuple[str, ...] = ()


def compare_models(
    kind: str, host: str, configured: Sequence[str], listed: Sequence[str] | None
) -> ComparedModels:
    """Compare as the provider itself would: for Ollama a name without a tag means `:latest`."""
    if listed is None:
        return ComparedModels(listed=None)
    names = tuple(sorted({name[:LONGEST_NAME] for name in listed[:MOST_MODELS]}))
    if kind != "ollama":
        there = set(listed)
        return ComparedModels(listed=names, missing=tuple(name for name in configured if name not in there))
    there = {_ollama_name(name, host) for name in listed}
    absent = [name for name in configured if _ollama_name(name, host) not in there]
    cloud = () if is_ollama_cloud(host) else tuple(name for name in absent if is_cloud_model(name))
    return ComparedModels(
        listed=names,
        missing=tuple(name for name in absent if name not in cloud),
        unlisted_cloud=cloud,
    )


def is_ollama_cloud(host: str) -> bool:
    """Tell whether this is Ollama's own cloud, which lists its models without the suffix."""
    return host == "ollama.com" or host.endswith(".ollama.com")


def is_cloud_model(name: str) -> bool:
    """Tell whether a local Ollama would send this model's requests to its cloud."""
    return name.endswith(("-cloud", ":cloud"))


def _ollama_name(name: str, host: str) -> str:
    plain = name.removeprefix("registry.ollama.ai/").removeprefix("library/")
    if is_ollama_cloud(host):
        plain = plain.removesuffix("-cloud").removesuffix(":cloud")
    last = plain.rpartition("/")[2]
    return plain if ":" in last else f"{plain}:latest"
