"""How far requests travel: to this machine, to one beside it, or to somebody else's."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from pytest_aibackend.diff.deployment import Deployment
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.litellm.words import kind_of
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.references import REFERENCE

__all__ = ["cloud_of", "clouds_of", "endpoints", "place_of"]

# Where LiteLLM asks this machine, or refuses, when it is given no address.
_LOCAL: Final = (
    *("ollama", "ollama_chat", "hosted_vllm", "vllm", "lm_studio", "llamafile", "xinference"),
    *("docker_model_runner", "lemonade", "oobabooga", "litellm_proxy", "custom", "triton", "petals"),
)
_OLLAMA_CLOUD: Final = re.compile(r"[:-]cloud$")  # a local Ollama passes these on to ollama.com
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOSTS: Final = ("host", "redis_host")  # settings that name a server without a scheme


def cloud_of(deployment: Deployment) -> str | None:
    """Return whose service outside the local network answers, None where nobody's does.

    An address that a variable holds is taken for one outside, unless the provider is one that people run
    themselves.
    """
    kind, base = kind_of(deployment.params), deployment.base
    if kind in ("ollama", "ollama_chat") and _OLLAMA_CLOUD.search(deployment.model):
        return "ollama.com"
    if base is None:
        return None if kind in _LOCAL else f"the cloud of {kind or deployment.model}"
    if base.startswith(REFERENCE):
        return None if kind in _LOCAL else f"the address in {base.removeprefix(REFERENCE)}"
    address = address_of(base)
    return address.host if address is not None and not address.is_private else None


def clouds_of(meaning: Meaning, name: str) -> frozenset[str]:
    """Return the services outside the local network that may answer a name."""
    return frozenset(filter(None, (cloud_of(deployment) for deployment in meaning.answering(name))))


def place_of(deployment: Deployment) -> str:
    """Return where a deployment is asked, as a message shows it."""
    base = deployment.base
    if base is None:
        return cloud_of(deployment) or "this machine"
    address = address_of(base)
    return f"{address.host}:{address.port}" if address else cloud_of(deployment) or "an address that is none"


@lru_cache(maxsize=2)  # two rules ask about the same two sides
def endpoints(meaning: Meaning) -> frozenset[str]:
    """Return every server other than this machine that the configuration names, as host or host:port."""
    found = {cloud for members in meaning.groups.values() for cloud in map(cloud_of, members) if cloud}
    for _, key, text in meaning.leaves():
        if not isinstance(text, str):
            continue
        if _URL.match(text):
            address = address_of(re.sub(r"^(rediss?|wss?|grpcs?|postgres(ql)?)://", "http://", text.strip()))
            if address is not None and not address.is_loopback:
                found.add(address.host)
        elif key in _HOSTS and text and not text.startswith(REFERENCE):
            address = address_of(f"http://{text}")
            if address is not None and not address.is_loopback:
                found.add(address.host)
    return frozenset(found)
