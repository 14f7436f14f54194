"""How the page is divided: a section for each provider, with the model groups that ask it first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_aibackend.graph.model import Graph, Kind, Node

__all__ = ["Row", "Section", "sections_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A model group with the other names that lead to it, and its deployments."""

    names: tuple[Node, ...] = ()
    group: Node | None = None
    deployments: tuple[Node, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Rows, and where their requests end."""

    heading: str
    rows: tuple[Row, ...] = ()
    providers: tuple[Node, ...] = ()
    ports: tuple[Node, ...] = ()


def sections_of(graph: Graph) -> tuple[Section, ...]:
    """Return the sections: every node is in one of them, once."""
    return tuple(_sections(graph))


def _sections(graph: Graph) -> Iterator[Section]:
    names: dict[str | None, list[Node]] = {}
    for node in graph.of(Kind.NAME):
        names.setdefault(_next(graph, node), []).append(node)
    rows: dict[str | None, list[Row]] = {}
    for group in graph.of(Kind.GROUP):
        deployments = tuple(graph.by_id[edge.target] for edge in graph.leads.get(group.id, ()))
        first = _next(graph, deployments[0]) if deployments else None
        row = Row(names=tuple(names.pop(group.id, ())), group=group, deployments=deployments)
        rows.setdefault(first, []).append(row)
    if alone := [Row(names=tuple(some)) for some in names.values()]:
        yield Section(heading="For every name", rows=tuple(alone))
    if unserved := rows.pop(None, None):
        yield Section(heading="Nothing answers these", rows=tuple(unserved))
    shown: set[str] = set()
    for provider in graph.of(Kind.PROVIDER):
        ports = [graph.by_id[edge.target] for edge in graph.leads.get(provider.id, ())]
        new = tuple(port for port in ports if port.id not in shown)
        shown |= {port.id for port in new}
        yield Section(
            heading=provider.label, rows=tuple(rows.get(provider.id, ())), providers=(provider,), ports=new
        )
    if others := tuple(port for port in graph.of(Kind.PORT) if port.id not in shown):
        yield Section(heading="Other ports", ports=others)


def _next(graph: Graph, node: Node) -> str | None:
    edges = graph.leads.get(node.id, ())
    return edges[0].target if edges else None
