"""What can stand between two comments of a page: tables, a picture of the surroundings, what clients need."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from pytest_aibackend.pages.tables import TABLES
from pytest_aibackend.rules.redis import redis_params
from pytest_aibackend.rules.translation import plan_of
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.backend import Backend

__all__ = ["PARTS"]

_PLAIN: Final = re.compile(r"[^\W_]|(?<=\w)[_.:/,-](?=\w)|(?<=[\w,]) (?=\w)|(?<=\w),(?= )")


def _surroundings(backend: Backend) -> Iterator[str]:
    yield "flowchart LR"
    gateway = address_of(backend.gateway.deploy.url)
    port = f", port {gateway.port}" if gateway else ""
    yield f'  clients["clients"] -->|"the OpenAI API{port}"| gateway["LiteLLM gateway"]'
    cache = redis_params(backend)
    if cache is not None:
        number = str(cache.get("port", ""))
        yield f'  gateway --> cache[("Redis{f", port {number}" if number.isdecimal() else ""}")]'
    active = [(name, each) for name, each in backend.providers.items() if each.status == "active"]
    for count, (name, provider) in enumerate(active, start=1):
        address = address_of(provider.base_url)
        is_here = address is None or address.is_loopback
        place = "" if address is None else f", port {address.port}" if is_here else f", {address.host}"
        yield f'  gateway {"-->" if is_here else "-.->"} p{count}["{_label(name + place)}"]'


def _client(backend: Backend) -> Iterator[str]:
    served = plan_of(backend).model_groups
    assignments = (
        ("GATEWAY", shlex.quote(_line(backend.gateway.deploy.url)), ""),
        ("GATEWAY_KEY", "...", "the gateway's LITELLM_MASTER_KEY, or a key that was made with it"),
        ("MODEL", shlex.quote(_line(next(iter(served), "..."))), "any name that the gateway serves"),
    )
    for name, value, note in assignments:
        line = f"export {name}={value}"
        yield f"{line:<34} # {note}" if note else line


def _line(text: str) -> str:
    return " ".join(text.replace("`", "'").split())


def _label(text: str) -> str:
    """Return text as Mermaid shows it: what could mean something to it is written as its number."""
    plain = {match.start() for match in _PLAIN.finditer(text)}
    return "".join(sign if place in plain else f"#{ord(sign)};" for place, sign in enumerate(text))


def _fenced(language: str, lines: Callable[[Backend], Iterator[str]]) -> Callable[[Backend], str]:
    return lambda backend: "\n".join((f"```{language}", *lines(backend), "```"))


PARTS: Final[Mapping[str, Callable[[Backend], str]]] = {
    **TABLES,
    "client": _fenced("sh", _client),
    "surroundings": _fenced("mermaid", _surroundings),
}
