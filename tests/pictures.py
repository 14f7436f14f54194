"""Pictures of a graph, as a reader of each format finds them, and what has to hold of every one."""

from __future__ import annotations

import html.parser
import re
import xml.etree.ElementTree as ET
from collections import Counter
from itertools import pairwise
from pathlib import Path

from pytest_aibackend.graph.build import build_graph
from pytest_aibackend.graph.command import FORMATS, render
from pytest_aibackend.graph.layout import DETAIL_SIZE, LABEL_SIZE, Box, arrange, text_width
from pytest_aibackend.graph.model import Graph, Kind
from pytest_aibackend.litellm.plan import GatewayPlan
from pytest_aibackend.sources.backend import load_backend

__all__ = ["Page", "agrees", "complete", "drawn", "geometry"]


def drawn(folder: Path) -> Graph:
    return build_graph(load_backend(folder))


class Page(html.parser.HTMLParser):
    """Collects what a browser would find: elements by what they carry, text, addresses to load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.nodes: list[str] = []
        self.jumps: list[str] = []
        self.labels: dict[str, str] = {}
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.addresses += [
            value for name, value in found.items() if name in ("src", "href", "data", "action")
        ]
        self._inside = tag if tag == "script" else ""
        if found.get("class", "").startswith("node "):
            self.nodes.append(found["data-id"])
        if "data-edge" in found:
            self.jumps.append(found["data-edge"])
        if found.get("class") == "label":
            self._inside = "label"
            self.labels[self.nodes[-1]] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "span"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "label":
            self.labels[self.nodes[-1]] += data
        if self._inside == "script":
            self.scripts.append(data)


def found_in(picture: str, text: str, graph: Graph) -> tuple[Counter[str], Counter[str]]:
    """Return the ids of nodes, and of fallbacks, that a picture has, as a reader of its format finds them."""
    fallbacks = {edge.id: edge for edge in graph.edges if edge.is_fallback}
    if picture == "svg":
        ids = [element.get("id", "") for element in ET.fromstring(text).iter()]
        return Counter(each for each in ids if each in graph.by_id), Counter(
            each for each in ids if each in fallbacks
        )
    if picture == "html":
        page = Page(text)
        return Counter(page.nodes), Counter(page.jumps)
    between = {(edge.source, edge.target, edge.mark): edge.id for edge in fallbacks.values()}
    seen: Counter[str] = Counter()
    if picture == "dot":
        nodes = Counter(re.findall(r"^  (\w+) \[label=", text, re.MULTILINE))
        for source, target, mark in re.findall(
            r'^  (\w+) -> (\w+) \[taillabel="(\w+)", style=dashed', text, re.MULTILINE
        ):
            seen[between[source, target, mark]] += 1
        return nodes, seen
    nodes = Counter(re.findall(r"^ +(?:subgraph )?([ngdps]\d+)[\[({]", text, re.MULTILINE))
    for source, words, target in re.findall(
        r'^  (\w+) -\. "([^"]*fallback[^"]*)" \.-> (\w+)', text, re.MULTILINE
    ):
        mark = ("x" if "never" in words else "") + words.rpartition(" ")[2]
        mark += "c" if "context" in words else "p" if "policy" in words else ""
        seen[between[source, target, mark]] += 1
    return nodes, seen


def agrees(graph: Graph, plan: GatewayPlan) -> None:
    """Everything of the plan is a node or an edge once, and nothing else claims to be served."""
    served = [node for node in graph.nodes if not node.is_missing]
    groups = {node.label: node for node in served if node.kind is Kind.GROUP}
    members = {**plan.model_groups, **plan.wildcards}
    assert list(groups) == list(members)
    for name, deployments in members.items():
        ways = [edge for edge in graph.leads[groups[name].id] if not edge.is_broken]
        assert [graph.by_id[edge.target].label for edge in ways] == [each.model for each in deployments]
    aliases = {
        node.label: [graph.by_id[edge.target].label for edge in graph.leads[node.id]]
        for node in served
        if node.detail == "capability" and node.kind is Kind.NAME
    }
    assert aliases == {alias: [target] for alias, target in plan.aliases.items()}
    chains: dict[str, list[str]] = {}
    default: tuple[str, ...] = ()
    for source, edges in graph.fallbacks.items():
        kept = [edge for edge in edges if not edge.is_broken]
        assert [edge.label for edge in kept] == [str(place + 1) for place in range(len(kept))]
        targets = [graph.by_id[edge.target].label for edge in kept]
        if graph.by_id[source].label == "any name":
            default = tuple(targets)
        elif targets:
            chains[graph.by_id[source].label] = targets
    assert chains == {name: list(chain) for name, chain in plan.fallbacks.items()}
    assert default == plan.default_fallbacks


def complete(graph: Graph) -> None:
    """Every format has every node and every fallback once."""
    fallbacks = Counter(edge.id for edge in graph.edges if edge.is_fallback)
    for picture in FORMATS:
        nodes, edges = found_in(picture, render(graph, picture), graph)
        assert nodes == Counter([*graph.by_id]), picture
        assert edges == fallbacks, picture


def geometry(graph: Graph) -> None:
    """No box touches another, every text is within its box, and lines end at their boxes."""
    layout = arrange(graph)
    assert layout.boxes.keys() == graph.by_id.keys()
    columns: dict[Kind, list[Box]] = {}
    for box in layout.boxes.values():
        columns.setdefault(box.node.kind, []).append(box)
        assert 0 < box.x < box.right < layout.width
        assert 0 < box.y < box.bottom < layout.height
        for number, line in enumerate(box.lines):
            assert text_width(line, LABEL_SIZE if number == 0 else DETAIL_SIZE) <= box.width - 20
        assert 15 * len(box.lines) <= box.height
    edges_of_columns = []
    for boxes in columns.values():
        boxes.sort(key=lambda box: box.y)
        assert all(above.bottom < below.y for above, below in pairwise(boxes))
        edges_of_columns.append((boxes[0].x, max(box.right for box in boxes)))
    edges_of_columns.sort()
    assert all(left[1] < right[0] for left, right in pairwise(edges_of_columns))
    lanes: dict[float, list[tuple[float, float]]] = {}
    for target, x in layout.lanes.items():
        ends = [layout.ends[target]]
        ends += [layout.starts[edge.id] for edge in graph.edges if edge.is_fallback and edge.target == target]
        lanes.setdefault(x, []).append((min(ends), max(ends)))
        box = layout.boxes[target]
        assert box.y < layout.ends[target] < box.bottom
        assert layout.columns[Kind.NAME] < x < layout.columns[Kind.GROUP]
    for spans in lanes.values():
        spans.sort()
        assert all(above[1] < below[0] for above, below in pairwise(spans))
