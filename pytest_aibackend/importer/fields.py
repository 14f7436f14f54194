"""What of a deployment the sources have fields for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, get_args

from pytest_aibackend.litellm.plan.deployments import OLLAMA_OPTIONS
from pytest_aibackend.sources.models import ModelMode

__all__ = ["common", "fields_of", "residual"]

_MODES: Final = get_args(ModelMode)
# What OpenAI's protocol and its servers know of sampling; anything else is passed through.
_OPTIONS: Final = frozenset(
    """temperature top_p top_k min_p max_tokens max_completion_tokens stop seed presence_penalty
    frequency_penalty repeat_penalty repetition_penalty logit_bias reasoning_effort""".split()  # noqa: SIM905 # easier to read
)


def fields_of(
    type_: str, params: Mapping[str, Any], info: Mapping[str, Any], *, limits: bool, context: bool
) -> dict[str, Any]:
    """Return the fields of a model that say the same; what they cannot say is left out.

    `limits`: rpm and tpm are limits, since the router enforces them; `context`: requests are compared with
    the length of the context.
    """
    found: dict[str, Any] = {}
    if info.get("mode") in _MODES:
        found["mode"] = info["mode"]
    if context and _is_count(info.get("max_input_tokens")):
        found["context_length"] = info["max_input_tokens"]
    for key in ("rpm", "tpm") if limits else ():
        if _is_count(params.get(key)):
            found[key] = params[key]
    if _is_count(params.get("max_parallel_requests")):
        found["max_parallel_requests"] = params["max_parallel_requests"]
    timeout = params.get("timeout")
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and 0 < timeout < math.inf:
        found["timeout_seconds"] = timeout
    known = OLLAMA_OPTIONS if type_ == "ollama" else _OPTIONS
    options = {key: value for key, value in params.items() if key in known and value is not None}
    return found | ({"options": options} if options else {})


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def common(members: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all of them have."""
    first, *others = members
    return {
        key: value
        for key, value in first.items()
        if all(key in each and _same(each[key], value) for each in others)
    }


def residual(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has to be passed through to turn what is made into what is wanted; null takes away."""
    changed = {
        key: value
        for key, value in wanted.items()
        if value is not None and not (key in made and _same(made[key], value))
    }
    return changed | {key: None for key in made if wanted.get(key) is None}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
