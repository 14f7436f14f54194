"""The fallbacks that the gateway has, in their order, and those that are written and never happen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pytest_aibackend.graph.drafting import Draft
from pytest_aibackend.graph.model import EdgeKind, Kind
from pytest_aibackend.litellm.plan import GatewayPlan
from pytest_aibackend.sources.backend import Backend

__all__ = ["add_fallbacks"]

_KINDS: Final = {
    "fallbacks": EdgeKind.FALLBACK,
    "context_window_fallbacks": EdgeKind.CONTEXT_WINDOW,
    "content_policy_fallbacks": EdgeKind.CONTENT_POLICY,
}


def add_fallbacks(backend: Backend, plan: GatewayPlan, draft: Draft) -> None:
    """Add every fallback of the gateway, then those of the mappings that lead from or to nothing."""
    for key, kind in _KINDS.items():
        for place, name, targets in _entries(_settings(backend, plan, key)):
            source = draft.asked(name)
            draft.claim(source, "gateway", ("router_settings", key, place))
            _add(draft, source, targets, kind)
    chains = backend.mappings.fallback_chains
    default = _settings(backend, plan, "default_fallbacks")
    default = default if isinstance(default, list) else []
    own = chains["default"].chain if "default" in chains and "default" not in draft.groups else []
    if default or own:
        source = draft.node(Kind.NAME, "any name", "when it is not served, or has failed")
        draft.claim(source, "model-mappings", ("fallback_chains", "default"))
        draft.claim(source, "gateway", ("router_settings", "default_fallbacks"))
        _add(draft, source, [_name(each) for each in default], EdgeKind.FALLBACK)
        _add_broken(draft, source, "default", own)
    for name, chain in chains.items():
        if name == "default" and name not in draft.groups:
            continue
        source = draft.asked(name)
        draft.claim(source, "model-mappings", ("fallback_chains", name))
        if draft.is_missing(source):
            _add(draft, source, chain.chain, EdgeKind.FALLBACK, is_broken=True)
        else:
            _add_broken(draft, source, name, chain.chain)


def _settings(backend: Backend, plan: GatewayPlan, key: str) -> Any:
    """Return the fallbacks of a kind that LiteLLM uses: the router's own, else those beside it."""
    return plan.router_settings.get(key) or backend.gateway.litellm_settings.get(key)


def _entries(written: Any) -> Iterator[tuple[int, str, list[str]]]:
    for place, entry in enumerate(written if isinstance(written, list) else []):
        for name, targets in entry.items() if isinstance(entry, dict) else ():
            yield place, str(name), [_name(each) for each in (targets if isinstance(targets, list) else [])]


def _name(target: Any) -> str:
    """Return the name of a fallback, which LiteLLM lets be written with parameters of its own."""
    return str(target.get("model") if isinstance(target, dict) else target)


def _add(draft: Draft, source: str, targets: list[str], kind: EdgeKind, *, is_broken: bool = False) -> None:
    for place, name in enumerate(targets, start=1):
        target = draft.asked(name)
        draft.fallback(source, target, str(place), kind, is_broken=is_broken or draft.is_missing(target))


def _add_broken(draft: Draft, source: str, chain: str, targets: list[str]) -> None:
    """Add those of a chain that nothing serves: the gateway's file does not have them."""
    for place, name in enumerate(targets):
        target = draft.asked(name)
        if draft.is_missing(target):
            draft.fallback(source, target, str(place + 1), EdgeKind.FALLBACK, is_broken=True)
            for owner in (source, target):  # a chain may be written as its bare list
                draft.claim(owner, "model-mappings", ("fallback_chains", chain, "chain", place))
                draft.claim(owner, "model-mappings", ("fallback_chains", chain, place))
