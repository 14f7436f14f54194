"""A graph in the making: nodes and edges get their ids, and names are found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from pytest_aibackend.findings import Finding, Path
from pytest_aibackend.graph.model import Edge, EdgeKind, Graph, Kind, Node, shown
from pytest_aibackend.litellm.plan import GatewayPlan
from pytest_aibackend.litellm.plan.wildcards import WildcardIndex, matches, specificity

__all__ = ["Draft"]

_LETTERS: Final = {
    Kind.NAME: "n",
    Kind.GROUP: "g",
    Kind.DEPLOYMENT: "d",
    Kind.PROVIDER: "p",
    Kind.PORT: "s",
}


class Draft:
    """Collects nodes and edges; which entry of the sources each node stands for is in `claims`."""

    def __init__(self, plan: GatewayPlan) -> None:
        self._nodes: dict[str, Node] = {}
        self._edges: list[Edge] = []
        self._counts = dict.fromkeys(Kind, 0)
        self._wildcards = sorted(plan.wildcards, key=specificity, reverse=True)
        self._index = WildcardIndex(plan.wildcards)
        self._missing: dict[str, str] = {}
        self._others: dict[str, str] = {}
        self.groups: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self.claims: dict[str, dict[Path, list[str]]] = {}

    def node(
        self, kind: Kind, label: object, detail: str = "", *, is_missing: bool = False, is_idle: bool = False
    ) -> str:
        """Add a node; return its id."""
        self._counts[kind] += 1
        node_id = f"{_LETTERS[kind]}{self._counts[kind]}"
        self._nodes[node_id] = Node(
            id=node_id,
            kind=kind,
            label=shown(label),
            detail=shown(detail),
            is_missing=is_missing,
            is_idle=is_idle,
        )
        return node_id

    def lead(self, source: str, target: str, label: str = "", *, is_broken: bool = False) -> None:
        """Add an edge that a request takes."""
        self._edge(source, target, EdgeKind.LEADS, label, is_broken=is_broken)

    def fallback(
        self, source: str, target: str, order: str, kind: EdgeKind, *, is_broken: bool = False
    ) -> None:
        """Add an edge that is taken when the source has failed."""
        self._edge(source, target, kind, order, is_broken=is_broken)

    def claim(self, node: str, role: str, path: Path) -> None:
        """Note that a node stands for an entry of a source file, so that it gets its findings."""
        owners = self.claims.setdefault(role, {}).setdefault(path, [])
        if node not in owners:
            owners.append(node)

    def is_claimed(self, role: str, path: Path) -> bool:
        """Say whether a node stands for an entry."""
        return path in self.claims.get(role, {})

    def is_missing(self, node: str) -> bool:
        """Say whether a node is only named, and not there."""
        return self._nodes[node].is_missing

    # -- names

    def group(self, name: str, role: str) -> str:
        """Add a model group."""
        self.groups[name] = self.node(Kind.GROUP, name, role)
        return self.groups[name]

    def alias(self, name: str, role: str) -> str:
        """Add a name that stands for a model group."""
        self._aliases[name] = self.node(Kind.NAME, name, role)
        return self._aliases[name]

    def missing_group(self, name: str, what: str) -> str:
        """Return the node of a name that nothing serves."""
        if name not in self._missing:
            self._missing[name] = self.node(Kind.GROUP, name, what, is_missing=True)
        return self._missing[name]

    def group_for(self, name: str) -> str:
        """Return the model group that answers for a name; a missing one where none does."""
        wildcard = self._wildcard(name)
        if name in self.groups or wildcard is None:
            return self.groups.get(name) or self.missing_group(name, "not served")
        return self.groups[wildcard]

    def asked(self, name: str) -> str:
        """Return the node that a client meets under a name, which an alias hides and a wildcard may match."""
        known = self._aliases.get(name) or self.groups.get(name) or self._others.get(name)
        if known:
            return known
        wildcard = self._wildcard(name)
        if wildcard is None:
            return self.missing_group(name, "not served")
        self._others[name] = self.node(Kind.NAME, name, "matched by a wildcard")
        self.lead(self._others[name], self.groups[wildcard])
        return self._others[name]

    def _wildcard(self, name: str) -> str | None:
        if not self._index.matches(name):
            return None
        return next((text for text in self._wildcards if matches(text, name)), None)

    def _edge(self, source: str, target: str, kind: EdgeKind, label: str, *, is_broken: bool) -> None:
        self._edges.append(
            Edge(
                id=f"e{len(self._edges) + 1}",
                source=source,
                target=target,
                kind=kind,
                label=shown(label),
                is_broken=is_broken,
            )
        )

    def finish(self, title: str, at: Mapping[str, Sequence[Finding]], elsewhere: Sequence[Finding]) -> Graph:
        """Return the graph, with the findings at their nodes."""
        nodes = (replace(node, findings=tuple(at.get(node.id, ()))) for node in self._nodes.values())
        return Graph(
            title=shown(title), nodes=tuple(nodes), edges=tuple(self._edges), findings=tuple(elsewhere)
        )
