"""The graph as one page that needs nothing but itself: search, folding by provider, ways through a node."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from html import escape
from importlib.resources import files
from typing import Final

from pytest_aibackend.findings import Finding
from pytest_aibackend.graph.model import (
    COLUMNS,
    NOTHING,
    Edge,
    Graph,
    Kind,
    Node,
    counted,
    shown,
    shown_place,
)
from pytest_aibackend.graph.sections import Row, Section, sections_of

__all__ = ["render"]

_MANY_FALLBACKS: Final = 40  # from here on, their lines are drawn when asked for
_FOLDED: Final = 300  # from so many model groups on, the page opens folded


def render(graph: Graph) -> str:
    """Return the page; the same graph gives the same text."""
    folder = files("pytest_aibackend.graph")
    parts = ("page.css", "page.js", "legend.html")
    style, script, legend = ((folder / name).read_text(encoding="utf-8") for name in parts)
    return "\n".join(_lines(graph, style, script, legend)) + "\n"


def _lines(graph: Graph, style: str, script: str, legend: str) -> Iterator[str]:
    title = f"Routing of {escape(graph.title)}"
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    fallbacks = sum(edge.is_fallback for edge in graph.edges)
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{title}</title><style>{style}</style></head><body>"
    yield f"<header><h1>{title}</h1><p>{escape(graph.summary)}</p>"
    yield '<div class="tools" role="search">'
    yield (
        '<label>Search <input type="search" id="search" placeholder="model, provider, port, rule ( / )"'
        ' autocomplete="off" spellcheck="false"></label>'
    )
    yield '<label><input type="checkbox" id="only-broken"> only what has findings</label>'
    checked = " checked" if fallbacks < _MANY_FALLBACKS else ""
    yield f'<label class="of-lines"><input type="checkbox" id="fallback-lines"{checked}>'
    yield " lines of all fallbacks</label>"
    yield '<button type="button" id="fold-all">Fold all</button>'
    yield '<button type="button" id="unfold-all">Unfold all</button>'
    yield '<span id="count" role="status"></span>'
    yield "</div></header>"
    yield legend.rstrip("\n")
    yield '<div class="whole"><main id="graph"><svg id="lines" aria-hidden="true"></svg>'
    headings = [f"<span>{heading}</span>" for heading in COLUMNS.values()]
    yield f'<div class="columns" aria-hidden="true"><div>{"".join(headings[:3])}</div>'
    yield f"<div>{''.join(headings[3:])}</div></div>"
    yield '<p id="nothing" hidden></p>'
    if not graph.nodes:
        yield f"<p>{escape(NOTHING)}</p>"
    is_open = len(graph.of(Kind.GROUP)) < _FOLDED
    for number, section in enumerate(sections_of(graph), start=1):
        yield from _section(section, number, graph, is_open=is_open)
    yield "</main>"
    yield '<aside id="panel" aria-label="The chosen part" hidden>'
    yield '<button type="button" class="close" id="close">Close</button>'
    yield '<div id="told" aria-live="polite"></div></aside></div>'
    if graph.findings:
        yield '<div class="elsewhere"><h2>Findings about nothing in the picture</h2>'
        yield f"{_findings(graph.findings)}</div>"
    yield f'<script type="application/json" id="edges">{_edges(graph)}</script>'
    yield f"<script>{script}</script></body></html>"


def _section(section: Section, number: int, graph: Graph, *, is_open: bool) -> Iterator[str]:
    rows = f"rows-{number}"
    named = sum(row.group is not None for row in section.rows)
    groups = counted(named, "model group") if named else counted(len(section.rows), "name")
    if marked := sum(_is_marked(row, graph) for row in section.rows):
        groups += f", {marked} with findings"
    if section.rows:
        yield f'<section><h2><button type="button" class="fold" aria-expanded="{str(is_open).lower()}"'
        yield f' aria-controls="{rows}"><b>{escape(section.heading)}</b> <span>{groups}</span></button></h2>'
    else:
        yield f'<section><h2 class="fold-less"><span>{escape(section.heading)}</span></h2>'
    yield f'<div class="body"><div><ul class="rows" id="{rows}">'
    for row in section.rows:
        yield from _row(row, graph, {provider.id for provider in section.providers})
    yield "</ul></div>"
    yield '<div class="ends"><div>'
    yield from (_node(node, graph) for node in section.providers)
    yield "</div><div>"
    yield from (_node(node, graph) for node in section.ports)
    yield "</div></div></div></section>"


def _is_marked(row: Row, graph: Graph) -> bool:
    """Say what the page's script says of a row: something in it has findings, or never happens."""
    nodes = (*row.names, *((row.group,) if row.group else ()), *row.deployments)
    return any(
        node.state != "sound" or any(edge.is_broken for edge in graph.fallbacks.get(node.id, ()))
        for node in nodes
    )


def _row(row: Row, graph: Graph, home: Collection[str]) -> Iterator[str]:
    yield '<li class="row"><div>'
    yield from (_node(node, graph) for node in row.names)
    yield "</div><div>"
    if row.group is not None:
        yield _node(row.group, graph)
    yield "</div><div>"
    yield from (_node(node, graph, home) for node in row.deployments)
    yield "</div></li>"


def _node(node: Node, graph: Graph, home: Collection[str] = ()) -> str:
    within = [edge.label for edge in graph.edges_into(node.id) if edge.label and not edge.is_fallback]
    detail = ", ".join(filter(None, (*within, node.detail)))
    described = f' aria-describedby="f-{node.id}"' if node.findings else ""
    told = "" if node.state == "sound" else f'<span class="heard">, {node.state}</span>'
    button = (
        f'<button type="button" class="node {node.classes}" data-id="{node.id}" data-kind="{node.kind}"'
        f' aria-pressed="false"{described}><span class="label">{escape(node.label)}</span>{told}'
        f'<span class="detail">{escape(detail)}{_on(node, graph, home)}</span></button>'
    )
    fallbacks = graph.fallbacks.get(node.id, ())
    chips = "".join(_chip(edge, graph) for edge in fallbacks)
    return (
        button
        + (_findings(node.findings, node.id) if node.findings else "")
        + (f'<ol class="fallbacks" aria-label="fallbacks">{chips}</ol>' if chips else "")
    )


def _on(node: Node, graph: Graph, home: Collection[str]) -> str:
    """Return where a deployment is: seen where no line to its provider is, and heard everywhere."""
    if node.kind is not Kind.DEPLOYMENT:
        return ""
    (way,) = graph.leads[node.id]
    name = escape(graph.by_id[way.target].label)
    return f'<span class="at{" home" if way.target in home else ""}">, on {name}</span>'


def _chip(edge: Edge, graph: Graph) -> str:
    name = escape(graph.by_id[edge.target].label)
    never = ", which never happens" if edge.is_broken else ""
    told = f"{edge.kind} {edge.label}{never}"
    return (
        f'<li><button type="button" class="jump{" broken" if edge.is_broken else ""}" data-edge="{edge.id}"'
        f' data-to="{edge.target}" title="{escape(told)}"><b>{escape(edge.mark)}</b>{name}</button></li>'
    )


def _findings(findings: Iterable[Finding], node: str = "") -> str:
    items = "".join(
        f'<li class="{finding.severity}"><b>{finding.severity}: {escape(finding.rule)}</b>'
        f" {escape(shown(finding.message))}"
        f"<small>{escape(shown(finding.hint))}</small><small>{escape(shown_place(finding))}</small></li>"
        for finding in findings
    )
    named = f' id="f-{node}"' if node else ""
    return f'<ul class="findings"{named}>{items}</ul>'


def _edges(graph: Graph) -> str:
    """Return the edges by the ids of their nodes: no text of the sources stands within a script element."""
    plain = [[edge.id, edge.source, edge.target, str(edge.kind), edge.is_broken] for edge in graph.edges]
    return json.dumps(plain, separators=(",", ":"))


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
