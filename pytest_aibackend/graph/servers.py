"""The right half of the graph: deployments, the providers they are on, and where those listen."""

from __future__ import annotations

from pytest_aibackend.findings import Path
from pytest_aibackend.graph.drafting import Draft
from pytest_aibackend.graph.model import Kind
from pytest_aibackend.litellm.plan import Deployment
from pytest_aibackend.rules.services import folded
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.backend import Backend

__all__ = ["Servers"]


class Servers:
    """Adds providers and ports as they are met, those of the sources in the order of the files."""

    def __init__(self, backend: Backend, draft: Draft) -> None:
        self._backend = backend
        self._draft = draft
        self._providers: dict[str, str] = {}
        self._carried: dict[str, str] = {}
        self._elsewhere: dict[str, str] = {}
        self._ports: dict[str, str] = {}
        self._by_port: dict[int, list[str]] = {}
        for name, entry in backend.ports.items():
            self._by_port.setdefault(entry.port, []).append(name)
        self._models = {
            (provider, model.name): place
            for provider, each in backend.providers.items()
            for place, model in enumerate(each.models)
        }

    def add_deployment(self, group: str, deployment: Deployment) -> str:
        """Add a deployment of a model group, and the way to its provider's port."""
        params, name = deployment.litellm_params, deployment.provider
        mode = str(deployment.model_info.get("mode") or "chat")
        details = [] if mode == "chat" else [mode]
        details += [f"{params[limit]} {limit}" for limit in ("rpm", "tpm") if params.get(limit) is not None]
        node = self._draft.node(Kind.DEPLOYMENT, deployment.model, ", ".join(details) or "chat")
        order, weight = deployment.order, params.get("weight")
        self._draft.lead(
            group, node, f"no. {order}" if order is not None else "" if weight is None else f"weight {weight}"
        )
        place = self._models.get((name, deployment.model))
        if place is not None:
            self._draft.claim(node, "providers", ("providers", name, "models", place))
        self._draft.lead(node, self._provider(name) if name else self._carried_provider(deployment))
        return node

    def add_missing(self, group: str, model: str, provider: str, path: Path) -> str:
        """Add a deployment that an entry of the mappings asks for and the gateway will not have."""
        node = self._draft.node(Kind.DEPLOYMENT, model, "not served", is_missing=True)
        self._draft.lead(group, node, is_broken=True)
        server = self._provider(provider)
        self._draft.lead(node, server, is_broken=True)
        for owner in (group, node, *([server] if self._draft.is_missing(server) else ())):
            self._draft.claim(owner, "model-mappings", (*path, "provider"))
        return node

    def add_unused(self) -> None:
        """Add the providers and ports that no model group leads to."""
        for name in self._backend.provider_names:
            self._provider(name)
        for service in self._backend.ports:
            self._port(service)

    def _provider(self, name: str) -> str:
        if name in self._providers:
            return self._providers[name]
        known = self._backend.providers.get(name)
        if known is None:
            is_written = name in self._backend.provider_names
            detail = "has errors, and is not used" if is_written else "not in providers.yaml"
            node = self._draft.node(Kind.PROVIDER, name, detail, is_missing=True)
        else:
            status = "" if known.is_active else f", {known.status.replace('_', ' ')}"
            detail = f"type {known.type}{status}"
            node = self._draft.node(Kind.PROVIDER, name, detail, is_idle=not known.is_active)
            self._connect(node, known.base_url, name)
        self._draft.claim(node, "providers", ("providers", name))
        self._providers[name] = node
        return node

    def _carried_provider(self, deployment: Deployment) -> str:
        """Return the node of the server, or the cloud, that a passed-through deployment names itself."""
        base = deployment.litellm_params.get("api_base") or deployment.litellm_params.get("base_url")
        address = address_of(base) if isinstance(base, str) else None
        kind = deployment.litellm_params.get("custom_llm_provider") or deployment.model.partition("/")[0]
        name = f"{address.host}:{address.port}" if address else str(kind)
        if name not in self._carried:
            detail = "passed through" if address else "passed through, to LiteLLM's own address"
            self._carried[name] = self._draft.node(Kind.PROVIDER, name, detail)
            if address:
                self._connect(self._carried[name], str(base), name)
        return self._carried[name]

    def _connect(self, provider: str, url: str, name: str) -> None:
        address = address_of(url)
        if address is None:
            return
        if not address.is_loopback:
            place = f"{address.host}:{address.port}"
            if place not in self._elsewhere:
                where = "in the private network" if address.is_private else "outside this network"
                self._elsewhere[place] = self._draft.node(Kind.PORT, place, where)
            self._draft.lead(provider, self._elsewhere[place])
            return
        services = self._by_port.get(address.port, [])
        own = [service for service in services if folded(service) == folded(name)]
        found = (own or services)[:1]
        if found:
            self._draft.lead(provider, self._port(found[0]))
            return
        place = f"port {address.port}"
        if place not in self._elsewhere:
            is_read = self._backend.is_loaded("ports")
            detail = "not in ports.yaml" if is_read else "ports.yaml cannot be read"
            self._elsewhere[place] = self._draft.node(Kind.PORT, place, detail)
        self._draft.lead(provider, self._elsewhere[place])
        for owner in (provider, self._elsewhere[place]):
            self._draft.claim(owner, "providers", ("providers", name, "base_url"))

    def _port(self, service: str) -> str:
        if service not in self._ports:
            entry = self._backend.ports[service]
            detail = f"{service}{', required' if entry.required else ''}"
            self._ports[service] = self._draft.node(Kind.PORT, f"{entry.protocol} {entry.port}", detail)
            self._draft.claim(self._ports[service], "ports", (service,))
        return self._ports[service]
