"""Deployments: the ways to answer a model group, as LiteLLM takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_aibackend.litellm.meaning import plain
from pytest_aibackend.litellm.words import Defaults

__all__ = [
    "Deployment",
    "Place",
    "Windows",
    "deployment_of",
    "same",
    "smallest",
    "window_of",
    "windows_of",
    "without_equal",
]

Place = tuple[str, ...]  # of a setting: ("litellm_settings", "cache_params", "ttl")


@dataclass(frozen=True, kw_only=True, eq=False)
class Deployment:
    """One way to answer a model group, with what LiteLLM takes of itself written down."""

    fields: Mapping[Place, Any]  # ("litellm_params", "weight"), ("model_info", "mode"), ("id",)
    shared_base: str | None = (
        None  # the address in the credential that it names, or LiteLLM's own beside that
    )

    def param(self, name: str) -> Any:
        """Return one of its litellm_params, None where it has none of that name."""
        return self.fields.get(("litellm_params", name))

    @property
    def params(self) -> dict[str, Any]:
        """Return its litellm_params."""
        return {place[1]: value for place, value in self.fields.items() if place[:-1] == ("litellm_params",)}

    def info(self, name: str) -> Any:
        """Return one value of its model_info, None where it has none of that name."""
        return self.fields.get(("model_info", name))

    @property
    def model(self) -> str:
        """Return the model as LiteLLM has it, with the provider's prefix."""
        return str(self.param("model"))

    @property
    def base(self) -> str | None:
        """Return the address that it is asked at, None where LiteLLM knows it."""
        base = self.param("api_base") or self.param("base_url") or self.shared_base
        return str(base) if base else None

    @cached_property
    def form(self) -> Hashable:
        """Return a value that is equal for what LiteLLM takes for the same."""
        return tuple(sorted(((place, plain(value)) for place, value in self.fields.items()), key=repr))


def deployment_of(
    entry: Mapping[str, Any], defaults: Defaults, credentials: Mapping[str, Mapping[Any, Any]]
) -> Deployment:
    """Return an entry of the model list with what LiteLLM takes of itself written down."""
    params, info = entry.get("litellm_params"), entry.get("model_info")
    fields: dict[Place, Any] = {}
    for key, value in entry.items():
        if key not in ("model_name", "litellm_params", "model_info"):
            fields[(str(key),)] = value
    if isinstance(params, dict):
        fields |= {("litellm_params", str(key)): value for key, value in defaults.filled(params).items()}
    else:
        fields[("litellm_params",)] = params
    if isinstance(info, dict):
        fields |= {("model_info", str(key)): value for key, value in info.items() if value is not None}
    elif info:
        fields[("model_info",)] = info
    return Deployment(
        fields=MappingProxyType(fields), shared_base=_shared_base(params, defaults, credentials)
    )


def _shared_base(params: Any, defaults: Defaults, credentials: Mapping[str, Mapping[Any, Any]]) -> str | None:
    """Return the address that a deployment has from a credential, or from LiteLLM beside one."""
    name = params.get("litellm_credential_name") if isinstance(params, dict) else None
    if not isinstance(name, str):
        return None
    own = {key: value for key, value in params.items() if key != "litellm_credential_name"}
    base = defaults.filled({**credentials.get(name, {}), **own}).get("api_base")
    return base if isinstance(base, str) else None


def window_of(deployment: Deployment) -> int | None:
    """Return the context window of a deployment, as far as the file says it."""
    return smallest(deployment.info("max_input_tokens"), deployment.param("num_ctx"))


def smallest(*sizes: Any) -> int | None:
    """Return the smallest of those that are sizes, None where none is."""
    return min((size for size in sizes if isinstance(size, int) and not isinstance(size, bool)), default=None)


class Windows(NamedTuple):
    """The context windows of those who are asked first."""

    smallest: int  # of those that are known
    largest: int
    are_known: bool  # all of them: else one may be smaller yet, or larger

    def is_less_than(self, other: Windows) -> bool:
        """Say whether surely less text is taken: by the smallest window, else by the largest.

        One that is known on the other side alone may be as small, or as large, there as here.
        """
        if self.smallest < other.smallest and self.are_known <= other.are_known:
            return True
        if self.smallest > other.smallest and self.are_known >= other.are_known:
            return False
        return self.largest < other.largest and self.are_known >= other.are_known


def windows_of(deployments: Iterable[tuple[Any, int | None]]) -> Windows | None:
    """Return the context windows of those who are asked first, None where none is known.

    A client cannot choose who answers; those with a higher `order` do so only when others fail.
    """
    listed = [(order if isinstance(order, int) else None, window) for order, window in deployments]
    first = min((order for order, _ in listed if order is not None), default=None)
    asked = [window for order, window in listed if order == first]
    known = [window for window in asked if window is not None]
    return Windows(min(known), max(known), len(known) == len(asked)) if known else None


def same(one: Any, other: Any) -> bool:
    """Say whether two values are the same to LiteLLM."""
    return bool(plain(one) == plain(other))


def without_equal(
    old: tuple[Deployment, ...], new: tuple[Deployment, ...]
) -> tuple[list[Deployment], list[Deployment]]:
    """Return the deployments of either side that the other has not, each counted as often as it stands."""
    return _less(old, new), _less(new, old)


def _less(these: tuple[Deployment, ...], others: tuple[Deployment, ...]) -> list[Deployment]:
    left = Counter(other.form for other in others)
    rest = []
    for deployment in these:
        if left[deployment.form]:
            left[deployment.form] -= 1
        else:
            rest.append(deployment)
    return sorted(rest, key=lambda deployment: repr(deployment.form))
