"""Two graphs side by side: what only one of them has is marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from pytest_aibackend.graph.model import Edge, Graph, Kind, Mark, Node

__all__ = ["mark_differences"]

Sign = tuple[object, ...]  # by what a box or a way of one graph is known in the other

# A deployment is another one where another group or another provider has it.
_OWNERS: Final = (Kind.GROUP, Kind.PROVIDER)


def mark_differences(old: Graph, new: Graph) -> tuple[Graph, Graph]:
    """Return both, with marks at what goes in the old one and at what comes in the new one.

    Findings, places in the files and the order of the entries make no difference; what is there twice and
    then three times came once.
    """
    before, after = _signs(old), _signs(new)
    return (
        replace(old, marks=_only_here(before, after, Mark.GONE)),
        replace(new, marks=_only_here(after, before, Mark.NEW)),
    )


def _signs(graph: Graph) -> dict[str, Sign]:
    nodes = {node.id: _sign(graph, node) for node in graph.nodes}
    return nodes | {edge.id: _way(edge, nodes) for edge in graph.edges}


def _sign(graph: Graph, node: Node) -> Sign:
    seen: Sign = (node.kind, node.label, node.detail, node.is_missing, node.is_idle)
    return (*seen, *_owners(graph, node)) if node.kind is Kind.DEPLOYMENT else seen


def _owners(graph: Graph, node: Node) -> Iterator[tuple[str, str]]:
    ends = [edge.source for edge in graph.edges_into(node.id)]
    ends += [edge.target for edge in graph.leads.get(node.id, ())]
    for end in ends:
        owner = graph.by_id[end]
        if owner.kind in _OWNERS:
            yield owner.kind, owner.label


def _way(edge: Edge, nodes: Mapping[str, Sign]) -> Sign:
    return nodes[edge.source], nodes[edge.target], edge.kind, edge.label, edge.is_broken


def _only_here(here: Mapping[str, Sign], there: Mapping[str, Sign], mark: Mark) -> dict[str, Mark]:
    left = Counter(there.values())
    marks = {}
    for one, sign in here.items():
        if left[sign]:
            left[sign] -= 1
        else:
            marks[one] = mark
    return marks
