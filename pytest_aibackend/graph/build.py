"""A backend and what the checks found, as a graph: what the gateway will do, and what is only written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pytest_aibackend.findings import Finding, Path, sort_findings
from pytest_aibackend.graph.drafting import Draft
from pytest_aibackend.graph.fallbacks import add_fallbacks
from pytest_aibackend.graph.model import Graph
from pytest_aibackend.graph.places import attach
from pytest_aibackend.graph.servers import Servers
from pytest_aibackend.litellm.plan import Deployment, GatewayPlan
from pytest_aibackend.rules.registry import evaluate
from pytest_aibackend.rules.translation import plan_of
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.models import ModelMappingsFile

__all__ = ["NEEDED", "build_graph", "offline_findings"]

NEEDED: Final = ("providers", "model-mappings")  # without one of these there is nothing to draw
_SECTIONS: Final = {
    "exact_matches": "route",
    "load_balancing": "load balancing",
    "capabilities": "capability",
}


def build_graph(backend: Backend) -> Graph:
    """Return the graph of a backend whose NEEDED files could be read."""
    plan = plan_of(backend)
    draft = Draft(plan)
    servers = Servers(backend, draft)
    _add_groups(backend, plan, draft, servers)
    _add_aliases(plan, draft)
    _add_unserved(backend, draft, servers)
    add_fallbacks(backend, plan, draft)
    servers.add_unused()
    at, elsewhere = attach(backend, draft.claims, draft.groups, offline_findings(backend))
    return draft.finish(backend.config_dir.resolve().name or str(backend.config_dir), at, elsewhere)


def offline_findings(backend: Backend) -> list[Finding]:
    """Return what the offline checks report, and why files could not be read."""
    found = {finding: None for role in backend.sources for finding in backend.load_findings(role)}
    for result in evaluate(backend).values():
        if result.crash is not None:
            raise result.crash
        found |= {finding: None for some in result.findings.values() for finding in some}
    return sort_findings(found)


def _add_groups(backend: Backend, plan: GatewayPlan, draft: Draft, servers: Servers) -> None:
    patterns: dict[Path, str] = {
        ("patterns", place): each.pattern for place, each in enumerate(backend.mappings.patterns)
    }
    for name, deployments in (*plan.model_groups.items(), *plan.wildcards.items()):
        group = draft.group(name, _role(name, deployments[0], backend.mappings, patterns))
        for section in _SECTIONS:
            draft.claim(group, "model-mappings", (section, name))
        for deployment in deployments:
            node = servers.add_deployment(group, deployment)
            is_own = deployment.source[:1] == ("load_balancing",) or deployment.role == "gateway"
            draft.claim(node if is_own else group, deployment.role, deployment.source)


def _role(name: str, first: Deployment, mappings: ModelMappingsFile, patterns: Mapping[Path, str]) -> str:
    if first.source in patterns:
        return f"pattern {patterns[first.source]}"
    if name == "*" and first.source[:1] == ("routing_rules",):
        return "any other name, to the default provider"
    if first.role == "gateway":
        return "passed through"
    if name in mappings.load_balancing and first.source[:1] == ("load_balancing",):
        return "load balancing"
    if name in mappings.exact_matches:
        return "route"
    return "capability, first that answers" if name in mappings.capabilities else "model's own name"


def _add_aliases(plan: GatewayPlan, draft: Draft) -> None:
    written = plan.router_settings.get("model_group_alias")
    aliases: dict[Any, Any] = {**plan.aliases, **(written if isinstance(written, dict) else {})}
    for alias, value in aliases.items():
        target = value.get("model") if isinstance(value, dict) else value
        is_hidden = isinstance(value, dict) and bool(value.get("hidden"))
        is_capability = plan.aliases.get(alias) == target
        role = "capability" if is_capability else f"alias{', hidden' if is_hidden else ''}"
        node = draft.alias(str(alias), role)
        if is_capability:
            draft.claim(node, "model-mappings", ("capabilities", alias))
        else:
            draft.claim(node, "gateway", ("router_settings", "model_group_alias", alias))
        reached = draft.group_for(str(target))
        draft.lead(node, reached, is_broken=draft.is_missing(reached))


def _add_unserved(backend: Backend, draft: Draft, servers: Servers) -> None:
    """Add what the mappings ask for and the gateway will not have."""
    mappings = backend.mappings
    for place, pattern in enumerate(mappings.patterns):
        path: Path = ("patterns", place)
        if not draft.is_claimed("model-mappings", path):
            node = draft.missing_group(pattern.pattern, "pattern without a route")
            draft.claim(node, "model-mappings", path)
            servers.add_missing(node, pattern.pattern, pattern.provider, path)
    for name, route in mappings.exact_matches.items():
        if name not in draft.groups and name not in mappings.load_balancing:
            node = draft.missing_group(name, "route that is not served")
            path = ("exact_matches", name)
            draft.claim(node, "model-mappings", path)
            servers.add_missing(node, route.backend_model or name, route.provider, path)
    for name, balancing in mappings.load_balancing.items():
        node = draft.groups.get(name) or draft.missing_group(name, "load balancing that is not served")
        draft.claim(node, "model-mappings", ("load_balancing", name))
        for place, member in enumerate(balancing.providers):
            path = ("load_balancing", name, "providers", place)
            if not draft.is_claimed("model-mappings", path):
                model = member.model or member.preferred_model or "which model?"
                draft.claim(servers.add_missing(node, model, member.provider, path), "model-mappings", path)
    for section, what in _SECTIONS.items():
        for name in _written(backend, section):
            if not draft.is_claimed("model-mappings", (section, name)):
                node = draft.groups.get(name) or draft.missing_group(name, f"{what} that is not served")
                draft.claim(node, "model-mappings", (section, name))


def _written(backend: Backend, section: str) -> list[str]:
    """Return the names in a section as they stand there, those with errors too."""
    data = backend.sources["model-mappings"].data
    listed = data.get(section) if isinstance(data, dict) else None
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, dict) else []
