"""The graph as Mermaid, in the part of the language that GitHub draws."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.graph.model import NOTHING, Edge, Graph, Kind, Mark, Node

__all__ = ["MOST_EDGES", "MOST_LETTERS", "is_drawn_by_github", "render", "size_of"]

# Mermaid's own limits (config.schema.yaml: maxEdges, maxTextSize), which a diagram on GitHub cannot raise.
MOST_EDGES: Final = 500
MOST_LETTERS: Final = 50_000
# Mermaid reads labels as Markdown and HTML: what could mean something in either is written as its number.
_PLAIN: Final = re.compile(r"(?<=\w)[_.:/-](?=\w)|[^\W_]|(?<=\w),| (?=\S)")
# What Mermaid takes for a new line, for mathematics and for an icon even where it is escaped.
_JOINED: Final = ("\\n", "$$", ":fa-")
_SHAPES: Final = {
    Kind.NAME: ('(["', '"])'),
    Kind.GROUP: ('["', '"]'),
    Kind.DEPLOYMENT: ('("', '")'),
    Kind.PROVIDER: ('[["', '"]]'),
    Kind.PORT: ('{{"', '"}}'),
}
_STYLES: Final = {
    "error": "stroke:#d1242f,stroke-width:3px",
    "warning": "stroke:#bf8700,stroke-width:3px",
    "missing": "stroke-dasharray:5 4",
    "idle": "stroke-dasharray:1 3",
    "new": "fill:#dafbe1,color:#1f2328",
    "gone": "fill:#ffebe9,color:#1f2328",
}
_LINES: Final = {Mark.NEW: "stroke:#1a7f37,stroke-width:3px", Mark.GONE: "stroke:#d1242f,stroke-width:3px"}


def render(graph: Graph) -> str:
    """Return the diagram; the same graph gives the same text."""
    return "\n".join(_lines(graph)) + "\n"


def is_drawn_by_github(text: str) -> bool:
    """Say whether a diagram is small enough for GitHub, which shows an error in the place of a larger one."""
    letters, edges = size_of(text)
    return letters <= MOST_LETTERS and edges <= MOST_EDGES


def size_of(text: str) -> tuple[int, int]:
    """Return letters and edges as Mermaid counts them: a letter beyond the first plane is two."""
    return len(text.encode("utf-16-le")) // 2, len(_EDGE.findall(text))


_EDGE: Final = re.compile(r"^  \w+ (?:-->|-\.->|--|-\.|~~~)", re.MULTILINE)


def _lines(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    yield f"  accTitle: {_plain(f'Routing of {graph.title}')}"
    yield f"  accDescr: {_plain(graph.summary)}"
    members: dict[str, list[Node]] = {provider.id: [] for provider in graph.of(Kind.PROVIDER)}
    for edges in graph.leads.values():
        for edge in edges:
            if edge.target in members:
                members[edge.target].append(graph.by_id[edge.source])
    for kind in (Kind.NAME, Kind.GROUP):
        for node in graph.of(kind):
            yield f"  {_node(graph, node)}"
    for provider in graph.of(Kind.PROVIDER):
        if members[provider.id]:
            # A frame has room for one line above what is in it.
            yield f'  subgraph {provider.id}["{_text(graph, provider, between=", ")}"]'
            yield from (f"    {_node(graph, node)}" for node in members[provider.id])
            yield "  end"
        else:
            yield f"  {_node(graph, provider)}"
    for node in graph.of(Kind.PORT):
        yield f"  {_node(graph, node)}"
    # A deployment stands within its provider: an edge between the two would say it again.
    drawn = [edge for edge in graph.edges if edge.target not in members]
    yield from (f"  {_edge(edge, graph.marks.get(edge.id))}" for edge in drawn)
    # A port that nothing leads to would stand before everything else, in the way of the lines.
    lonely = [port.id for port in graph.of(Kind.PORT) if not graph.edges_into(port.id)]
    for provider in graph.of(Kind.PROVIDER)[-1:]:
        yield from (f"  {provider.id} ~~~ {port}" for port in lonely)
    if not graph.nodes:
        yield f'  nothing["{_escaped(NOTHING)}"]'
    for name in ("error", "warning"):
        yield from _classed(name, [node.id for node in graph.nodes if node.state == name])
    yield from _classed("missing", [node.id for node in graph.nodes if node.is_missing])
    yield from _classed("idle", [node.id for node in graph.nodes if node.is_idle])
    for mark, line in _LINES.items():
        yield from _classed(mark, [node.id for node in graph.nodes if graph.marks.get(node.id) is mark])
        places = [str(place) for place, edge in enumerate(drawn) if graph.marks.get(edge.id) is mark]
        if places:
            yield f"  linkStyle {','.join(places)} {line}"


def _classed(name: str, ids: list[str]) -> Iterator[str]:
    if ids:
        yield f"  classDef {name} {_STYLES[name]}"
        yield f"  class {','.join(ids)} {name}"


def _node(graph: Graph, node: Node) -> str:
    begin, end = _SHAPES[node.kind]
    return f"{node.id}{begin}{_text(graph, node)}{end}"


def _text(graph: Graph, node: Node, *, between: str = "<br/>") -> str:
    sign = {"error": "✗ ", "warning": "⚠ "}.get(node.state, "")
    told = (node.detail, ", ".join(node.rules), graph.marks.get(node.id, ""))
    lines = [f"{sign}{_escaped(node.label)}", *map(_escaped, told)]
    return between.join(line for line in lines if line)


def _edge(edge: Edge, mark: Mark | None) -> str:
    words = ", ".join(filter(None, (_words(edge) if edge.mark else "", mark)))
    label = f'"{_escaped(words)}" ' if words else ""
    if edge.is_fallback or edge.is_broken:
        return f"{edge.source} -. {label}.-> {edge.target}" if label else f"{edge.source} -.-> {edge.target}"
    return f"{edge.source} -- {label}--> {edge.target}" if label else f"{edge.source} --> {edge.target}"


def _words(edge: Edge) -> str:
    if not edge.is_fallback:
        return edge.label or "not served"
    what = str(edge.kind).removesuffix("fallback")
    return f"{'never ' if edge.is_broken else ''}{what}fallback {edge.label}"


def _escaped(text: str) -> str:
    """Return a text that Mermaid shows as it is, wherever it stands."""
    kept = "".join(_pieces(text))
    # At the beginning, a number with a dot would be a list.
    return re.sub(r"^(\d+)\.", r"\1#46;", kept)


def _pieces(text: str) -> Iterator[str]:
    for place, letter in enumerate(text):
        is_plain = _PLAIN.match(text, place) is not None
        yield letter if is_plain and not text.startswith("://", place) else f"#{ord(letter)};"
        if text.startswith(_JOINED, place):
            yield "#8203;"  # nothing to be seen


def _plain(text: str) -> str:
    """Return a text for a line of its own, where nothing can be escaped."""
    return re.sub(r"[^\w .,:/-]|^\s+", "?", text)
