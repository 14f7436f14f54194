"""Which service of the port registry is which."""

from __future__ import annotations

from pytest_aibackend.sources.backend import Backend

__all__ = ["cache_service", "folded", "gateway_service"]


def folded(name: str) -> str:
    """Return a name in the form in which `vllm-qwen` and `vLLM_Qwen` are the same."""
    return name.casefold().replace("-", "_").replace(".", "_")


def gateway_service(backend: Backend) -> str | None:
    """Return the registry's name for the LiteLLM gateway."""
    for wanted in ("litellm_gateway", "litellm", "gateway"):
        for name in backend.ports:
            if folded(name) == wanted:
                return name
    near = (
        name
        for name, entry in backend.ports.items()
        if "litellm" in f"{name} {entry.service or ''}".casefold()
    )
    return next(near, None)


def cache_service(backend: Backend) -> str | None:
    """Return the registry's name for the Redis server, where there is exactly one."""
    found = [
        name
        for name, entry in backend.ports.items()
        if any(word in f"{name} {entry.service or ''}".casefold() for word in ("redis", "valkey"))
    ]
    return found[0] if len(found) == 1 else None
