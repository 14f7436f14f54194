"""How many of a model group's requests each deployment gets, where that can be reckoned."""

from __future__ import annotations

from functools import lru_cache

from pytest_aibackend.diff.deployment import Deployment
from pytest_aibackend.diff.meaning import Meaning

__all__ = ["share_of"]

_METRICS = ("weight", "rpm", "tpm")  # simple_shuffle.py takes the first that anybody has


def share_of(meaning: Meaning, group: str, deployment: Deployment) -> float | None:
    """Return the share of one deployment, None where LiteLLM looks at more than weights."""
    total = _total(meaning, group)
    if total is None:
        return None
    metric, whole = total
    return float(deployment.param(metric) or 0) / whole if metric else 1 / whole


@lru_cache(maxsize=2)  # the group's other deployments are asked about next, on both sides
def _total(meaning: Meaning, group: str) -> tuple[str, float] | None:
    """Return by what requests are shared out and the sum of it; by nothing, how many share them."""
    members = meaning.groups[group]
    strategy = meaning.setting("router_settings", "routing_strategy")
    if strategy not in (None, "simple-shuffle") or any(each.param("order") is not None for each in members):
        return None
    for metric in _METRICS:
        values = [each.param(metric) or 0 for each in members]
        if not all(isinstance(value, int | float) and value >= 0 for value in values):
            return None
        total = float(sum(values))
        if total > 0:
            return metric, total
    return "", len(members)
