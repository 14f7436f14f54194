"""Where everything stands in the picture: five columns, and lanes for the fallbacks between the first two.

A library for layered graphs has to find the layers and cross few edges. Here the layers are given, and what
a reader looks for is order: a model group beside its deployments, those of a provider near each other.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pytest_aibackend.graph.model import COLUMNS, Edge, Graph, Kind, Node

__all__ = ["DETAIL_SIZE", "LABEL_SIZE", "SLOT", "Box", "Layout", "arrange", "shortened", "text_width"]

LABEL_SIZE: Final = 12.0
DETAIL_SIZE: Final = 10.0
SLOT: Final = 16.0  # between two lines that end at one box
_TOP: Final = 86.0
_MARGIN: Final = 24.0
_PADDING: Final = 10.0
_LINE: Final = 15.0
_GAP: Final = 10.0  # between boxes
_GROUP_GAP: Final = 10.0
_LANE: Final = 9.0
_BETWEEN: Final = 110.0  # between columns
_WIDEST: Final = 44  # letters of a label; a longer one is shortened in its middle
_NARROWEST: Final = 110.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A node with its place and the lines of text in it."""

    node: Node
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]

    @property
    def right(self) -> float:
        """Return the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Return the lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Return the height of the centre."""
        return self.y + self.height / 2


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Boxes by the ids of their nodes, and where the lines of fallbacks begin, run and end."""

    width: float
    height: float
    boxes: Mapping[str, Box]
    columns: Mapping[Kind, float]  # where each heading begins
    lanes: Mapping[str, float] = field(default_factory=dict)  # of each node that fallbacks lead to: the x
    starts: Mapping[str, float] = field(default_factory=dict)  # of each fallback: the y at its source
    ends: Mapping[str, float] = field(default_factory=dict)  # of each node that fallbacks lead to: the y


def text_width(text: str, size: float) -> float:
    """Return how wide a text is at most in a font with letters of one width."""
    cells = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return cells * size * 0.61


def arrange(graph: Graph) -> Layout:
    """Return the places; they depend on nothing but the graph."""
    lines = {node.id: _text_of(node) for node in graph.nodes}
    widths = {kind: _column_width(graph.of(kind), lines) for kind in COLUMNS}
    heights = {
        node.id: max(_PADDING + _LINE * len(lines[node.id]), 4 + SLOT * _slots(graph, node))
        for node in graph.nodes
    }
    tops = _stack(graph, heights)
    starts, ends = _slot_places(graph, tops)
    lanes, count = _lanes(graph, starts, ends)
    columns: dict[Kind, float] = {}
    x = _MARGIN
    for kind in COLUMNS:
        columns[kind] = x
        x += widths[kind] + (_BETWEEN if kind is not Kind.NAME else 70 + _LANE * count)
    rightmost = columns[Kind.GROUP] - 36
    boxes = {
        node.id: Box(
            node=node,
            x=columns[node.kind],
            y=tops[node.id],
            width=widths[node.kind],
            height=heights[node.id],
            lines=lines[node.id],
        )
        for node in graph.nodes
    }
    return Layout(
        width=x - _BETWEEN + _MARGIN,
        height=max((box.bottom for box in boxes.values()), default=_TOP) + _MARGIN,
        boxes=boxes,
        columns=columns,
        lanes={target: rightmost - _LANE * lane for target, lane in lanes.items()},
        starts=starts,
        ends=ends,
    )


def _text_of(node: Node) -> tuple[str, ...]:
    rules = ", ".join(node.rules)
    return tuple(shortened(line) for line in (node.label, node.detail, rules) if line)


def shortened(text: str) -> str:
    """Return a text that fits into a box: what is too long loses its middle."""
    if text_width(text, 1) <= _WIDEST * 0.61:
        return text
    head, tail = "", ""
    for letter in text:
        if text_width(head + letter, 1) > (_WIDEST - 15) * 0.61:
            break
        head += letter
    for letter in reversed(text):
        if text_width(letter + tail, 1) > 14 * 0.61:
            break
        tail = letter + tail
    return f"{head}…{tail}"


def _column_width(nodes: Iterable[Node], lines: Mapping[str, Sequence[str]]) -> float:
    widest = max((text_width(line, LABEL_SIZE) for node in nodes for line in lines[node.id]), default=0.0)
    return max(_NARROWEST, round(widest + 2 * _PADDING + 14))


def _slots(graph: Graph, node: Node) -> int:
    """Return how many lines end at the side of a box that faces the lanes."""
    if node.kind not in (Kind.NAME, Kind.GROUP):
        return 1
    return len(graph.fallbacks.get(node.id, ())) + 2  # one for those that come in, one for other names


def _stack(graph: Graph, heights: Mapping[str, float]) -> dict[str, float]:
    """Return the upper edge of each box: groups with their deployments, the others where their edges lead."""
    place = {node.id: number for number, node in enumerate(graph.of(Kind.PROVIDER))}

    def provider_of(deployments: Sequence[Edge]) -> int:
        onward = graph.leads.get(deployments[0].target, ()) if deployments else ()
        return place.get(onward[0].target, len(place)) if onward else len(place)

    groups = sorted(graph.of(Kind.GROUP), key=lambda node: provider_of(graph.leads.get(node.id, ())))
    tops: dict[str, float] = {}
    y = _TOP
    for group in groups:
        tops[group.id] = low = y
        for edge in graph.leads.get(group.id, ()):
            tops[edge.target] = low
            low += heights[edge.target] + _GAP / 2
        y = max(y + heights[group.id], low - _GAP / 2) + _GROUP_GAP
    forward = {source: [edge.target for edge in edges] for source, edges in graph.leads.items()}
    backward: dict[str, list[str]] = {}
    for source, targets in forward.items():
        for target in targets:
            backward.setdefault(target, []).append(source)
    for kind, neighbours in ((Kind.NAME, forward), (Kind.PROVIDER, backward), (Kind.PORT, backward)):
        _place_column(graph.of(kind), neighbours, heights, tops)
    return tops


def _place_column(
    nodes: Iterable[Node],
    neighbours: Mapping[str, Sequence[str]],
    heights: Mapping[str, float],
    tops: dict[str, float],
) -> None:
    """Put each box level with the middle of its neighbours, below the one before it."""

    def wanted(node: Node) -> float:
        beside = [tops[other] + heights[other] / 2 for other in neighbours.get(node.id, ()) if other in tops]
        return sum(beside) / len(beside) - heights[node.id] / 2 if beside else float("inf")

    y = _TOP
    for want, node in sorted(((wanted(node), node) for node in nodes), key=lambda pair: pair[0]):
        tops[node.id] = y if want == float("inf") else max(y, round(want, 1))
        y = tops[node.id] + heights[node.id] + _GAP


def _slot_places(graph: Graph, tops: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for node in graph.nodes:
        edges = graph.fallbacks.get(node.id, ())
        for slot, edge in enumerate(edges):
            starts[edge.id] = tops[node.id] + 2 + SLOT * (slot + 0.5)
        ends[node.id] = tops[node.id] + 2 + SLOT * (len(edges) + 0.5)
    wanted = {edge.target for edge in graph.edges if edge.is_fallback}
    return starts, {target: y for target, y in ends.items() if target in wanted}


def _lanes(
    graph: Graph, starts: Mapping[str, float], ends: Mapping[str, float]
) -> tuple[dict[str, int], int]:
    """Give each node that fallbacks lead to a lane of its own where lanes would touch; short ones near."""
    reach: dict[str, list[float]] = {target: [y] for target, y in ends.items()}
    for edges in graph.fallbacks.values():
        for edge in edges:
            reach[edge.target].append(starts[edge.id])
    taken: list[list[tuple[float, float]]] = []  # of each lane, from the top down; none touches another
    lanes: dict[str, int] = {}
    for target, heights in sorted(reach.items(), key=lambda item: (max(item[1]) - min(item[1]), item[1][0])):
        low, high = min(heights) - 6, max(heights) + 6
        free = (lane for lane, some in enumerate(taken) if _is_free(some, low, high))
        lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        insort(taken[lane], (low, high))
        lanes[target] = lane
    return lanes, len(taken)


def _is_free(taken: Sequence[tuple[float, float]], low: float, high: float) -> bool:
    place = bisect(taken, (low, high))
    return (place == 0 or taken[place - 1][1] < low) and (place == len(taken) or high < taken[place][0])
