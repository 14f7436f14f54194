"""The graph in Graphviz's language, for those who have their own tools for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.graph.layout import shortened
from pytest_aibackend.graph.model import COLUMNS, NOTHING, Edge, EdgeKind, Graph, Kind, Node, shown_finding

__all__ = ["render"]

_SHAPES: Final = {
    Kind.NAME: "oval",
    Kind.GROUP: "box",
    Kind.DEPLOYMENT: "box",
    Kind.PROVIDER: "component",
    Kind.PORT: "hexagon",
}
_RANKS: Final = {Kind.NAME: "min", Kind.GROUP: "same", Kind.PROVIDER: "same", Kind.PORT: "max"}
_COLORS: Final = {"error": "#d1242f", "warning": "#bf8700"}


def render(graph: Graph) -> str:
    """Return the graph; the same graph gives the same text."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield f"digraph {_quoted(graph.title)} {{"
    yield f"  graph [rankdir=LR, ranksep=1.2, label={_quoted(f'{graph.title}: {graph.summary}')}];"
    yield '  node [fontname="sans-serif", fontsize=11, margin="0.12,0.06"];'
    yield '  edge [fontname="sans-serif", fontsize=9, arrowsize=0.7];'
    for kind, heading in COLUMNS.items():
        yield f"  // {heading}"
        yield from (_node(node) for node in graph.of(kind))
    # Five columns, also for what nothing leads to.
    for kind, rank in _RANKS.items():
        if some := graph.of(kind):
            yield f"  {{ rank={rank}; {' '.join(f'{node.id};' for node in some)} }}"
    yield from (_edge(edge) for edge in graph.edges)
    if not graph.nodes:
        yield f"  nothing [label={_quoted(NOTHING)}, shape=plaintext];"
    yield "}"


def _node(node: Node) -> str:
    label = "\n".join(shortened(line) for line in (node.label, node.detail, ", ".join(node.rules)) if line)
    told = "\n".join([node.label, *(shown_finding(finding) for finding in node.findings)])
    style = ["rounded"] if node.kind is Kind.DEPLOYMENT else []
    style += ["dashed"] if node.is_missing else ["dotted"] if node.is_idle else []
    extra = f", color={_quoted(_COLORS[node.state])}, penwidth=2" if node.state in _COLORS else ""
    styled = f", style={_quoted(','.join(style))}" if style else ""
    shape = _SHAPES[node.kind]
    return f"  {node.id} [label={_quoted(label)}, shape={shape}, tooltip={_quoted(told)}{styled}{extra}];"


def _edge(edge: Edge) -> str:
    # A fallback's number stands where its line begins: in the middle, lines meet.
    name = "taillabel" if edge.is_fallback else "label"
    attributes = [f"{name}={_quoted(edge.mark)}"] if edge.mark else []
    if edge.is_fallback:
        # Without this, Graphviz would put what is asked second to the right of what is asked first.
        attributes += ["style=dashed", "constraint=false", "labeldistance=2"]
    if edge.kind in (EdgeKind.CONTEXT_WINDOW, EdgeKind.CONTENT_POLICY):
        attributes.append(f"tooltip={_quoted(edge.kind)}")
    if edge.is_broken:
        attributes.append(f"color={_quoted(_COLORS['error'])}")
    listed = f" [{', '.join(attributes)}]" if attributes else ""
    return f"  {edge.source} -> {edge.target}{listed};"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
