"""The graph as one picture without scripts, for a page, a slide or a README."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from pytest_aibackend.graph.layout import DETAIL_SIZE, LABEL_SIZE, SLOT, Box, Layout, arrange, text_width
from pytest_aibackend.graph.model import COLUMNS, NOTHING, Edge, Graph, Kind, Node, shown_finding

__all__ = ["render"]

_HUES: Final = 8
_LEGEND: Final = (
    "① ② dashed line: fallbacks, in the order in which they are asked",
    "c: for a context window that is too small; p: for a content policy; x: never happens",
    "✗ error, ⚠ warning, with the rule; dashed box: named, and not there; dotted box: not active",
)
_LEGEND_LINE: Final = 18.0
_STYLE: Final = """
svg{--paper:#fff;--ink:#1f2328;--dim:#59636e;--box:#f6f8fa;--rim:#8c959f;--error:#d1242f;--warning:#9a6700;
--c0:#0969da;--c1:#1a7f37;--c2:#8250df;--c3:#bc4c00;--c4:#bf3989;--c5:#0e7c86;--c6:#57606a;--c7:#7d4e00}
@media (prefers-color-scheme:dark){svg{--paper:#0d1117;--ink:#e6edf3;--dim:#9198a1;--box:#161b22;
--rim:#656c76;--error:#ff7b72;--warning:#e3b341;--c0:#58a6ff;--c1:#56d364;--c2:#bc8cff;--c3:#ffa657;--c4:#f778ba;
--c5:#39c5cf;--c6:#b1bac4;--c7:#d4a72c}}
text{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:var(--ink)}
.paper{fill:var(--paper)}.box rect{fill:var(--box);stroke:var(--rim)}.detail,.head,.sum{fill:var(--dim)}
.name rect{rx:17px}.group rect{rx:4px;stroke-width:1.5}.deployment rect{rx:9px}
.provider rect{rx:2px;stroke-width:2}
.error rect{stroke:var(--error);stroke-width:2}.warning rect{stroke:var(--warning);stroke-width:2}
.missing rect{stroke-dasharray:5 4}.idle rect{stroke-dasharray:1 3;fill:none}.idle .label{fill:var(--dim)}
.error .rules{fill:var(--error)}.warning .rules{fill:var(--warning)}
.on-edge{paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.edge{fill:none;stroke:var(--rim);stroke-width:1.2}.fallback{stroke-width:1.4;stroke-dasharray:4 3}
.broken{stroke:var(--error)!important;stroke-dasharray:2 4}.tip{stroke:none;fill:var(--rim)}
.mark circle{stroke:none}.mark text{fill:var(--paper);font-weight:700;text-anchor:middle}
""" + "".join(
    f".h{hue}{{stroke:var(--c{hue})}}.t{hue},.mark .t{hue}{{fill:var(--c{hue})}}\n" for hue in range(_HUES)
)


def render(graph: Graph) -> str:
    """Return the picture; the same graph gives the same text."""
    return "\n".join(_lines(graph, arrange(graph))) + "\n"


def _lines(graph: Graph, layout: Layout) -> Iterator[str]:
    widest = max(text_width(line, 11) for line in (*_LEGEND, graph.summary))
    width = f"{max(layout.width, widest + 48):.0f}"
    height = f"{layout.height + _LEGEND_LINE * len(_LEGEND) + 10:.0f}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">'
    )
    yield f'<title id="title">Routing of {escape(graph.title)}</title>'
    yield f'<desc id="desc">{escape(_description(graph))}</desc>'
    yield f"<style>{_STYLE}</style>"
    yield f'<rect class="paper" width="{width}" height="{height}"/>'
    yield f'<text x="24" y="30" font-size="16" font-weight="700">Routing of {escape(graph.title)}</text>'
    yield f'<text class="sum" x="24" y="50" font-size="11">{escape(graph.summary)}</text>'
    for kind, x in layout.columns.items():
        yield f'<text class="head" x="{x:.0f}" y="76" font-size="11">{COLUMNS[kind]}</text>'
    hues = {node.id: number % _HUES for number, node in enumerate(graph.of(Kind.PROVIDER))}
    lane_hues = {target: number % _HUES for number, target in enumerate(layout.lanes)}
    for edge in graph.edges:
        if not edge.is_fallback:
            yield from _lead(edge, layout, hues.get(edge.target))
    for edge in graph.edges:
        if edge.is_fallback:
            yield from _fallback(edge, layout, lane_hues[edge.target])
    for box in layout.boxes.values():
        yield from _box(box)
    if not graph.nodes:
        yield f'<text x="24" y="96" font-size="12">{escape(NOTHING)}</text>'
    for number, line in enumerate(_LEGEND):
        y = layout.height + _LEGEND_LINE * number
        yield f'<text class="sum legend" x="24" y="{y:.0f}" font-size="11">{escape(line)}</text>'
    yield "</svg>"


def _description(graph: Graph) -> str:
    return (
        f"{graph.summary}. From left to right: {', '.join(COLUMNS.values()).lower()}."
        " Dashed lines are fallbacks, numbered in the order in which they are asked;"
        " c is for a context window that is too small, p for a content policy, x for one that never happens."
    )


def _lead(edge: Edge, layout: Layout, hue: int | None) -> Iterator[str]:
    source, target = layout.boxes[edge.source], layout.boxes[edge.target]
    from_y, to_y = source.middle, target.middle
    if target.node.kind is Kind.GROUP:
        # The last slot: those above belong to fallbacks.
        from_y, to_y = source.bottom - SLOT / 2, target.bottom - SLOT / 2
    begin, end = source.right, target.x - 5
    bend = (begin + end) / 2
    classes = f"edge{' broken' if edge.is_broken else ''}{f' h{hue}' if hue is not None else ''}"
    path = f"M{begin:.1f} {from_y:.1f}C{bend:.1f} {from_y:.1f} {bend:.1f} {to_y:.1f} {end:.1f} {to_y:.1f}"
    yield f'<path id="{edge.id}" class="{classes}" d="{path}"/>'
    yield _tip(target.x, to_y, leftward=False, hue=hue)
    if edge.label:
        x = target.x - 8
        yield (
            f'<text class="detail on-edge" x="{x:.1f}" y="{to_y - 4:.1f}" font-size="9.5" text-anchor="end">'
            f"{escape(edge.label)}</text>"
        )


def _fallback(edge: Edge, layout: Layout, hue: int) -> Iterator[str]:
    source, target = layout.boxes[edge.source], layout.boxes[edge.target]
    lane, start, end = layout.lanes[edge.target], layout.starts[edge.id], layout.ends[edge.target]
    begin = _side(source)
    finish = _side(target) + (5 if target.node.kind is Kind.NAME else -5)
    down = 1 if end >= start else -1
    radius = min(5.0, abs(end - start) / 2)
    into = -1 if begin > lane else 1  # from the source towards the lane
    out = 1 if finish > lane else -1
    path = (
        f"M{begin:.1f} {start:.1f}H{lane - into * radius:.1f}"
        f"Q{lane:.1f} {start:.1f} {lane:.1f} {start + down * radius:.1f}V{end - down * radius:.1f}"
        f"Q{lane:.1f} {end:.1f} {lane + out * radius:.1f} {end:.1f}H{finish:.1f}"
    )
    told = f"{edge.kind} {edge.label} of {source.node.label}: {target.node.label}"
    told += " (never happens)" if edge.is_broken else ""
    yield f'<g><title>{escape(told)}</title><path id="{edge.id}"'
    yield f' class="edge fallback h{hue}{" broken" if edge.is_broken else ""}" d="{path}"/>'
    yield _tip(_side(target), end, leftward=target.node.kind is Kind.NAME, hue=hue)
    x = begin + into * 11
    size = 9 if len(edge.mark) < 2 else 7.5
    yield (
        f'<g class="mark"><circle class="t{hue}" cx="{x:.1f}" cy="{start:.1f}" r="7"/>'
        f'<text x="{x:.1f}" y="{start + size * 0.35:.1f}" font-size="{size}">{escape(edge.mark)}</text>'
        "</g></g>"
    )


def _side(box: Box) -> float:
    """Return the side of a box that faces the lanes."""
    return box.right if box.node.kind is Kind.NAME else box.x


def _tip(x: float, y: float, *, leftward: bool, hue: int | None) -> str:
    back = 7 if leftward else -7
    classes = f"tip{f' t{hue}' if hue is not None else ''}"
    points = f"{x:.1f},{y:.1f} {x + back:.1f},{y - 3.5:.1f} {x + back:.1f},{y + 3.5:.1f}"
    return f'<polygon class="{classes}" points="{points}"/>'


def _box(box: Box) -> Iterator[str]:
    node = box.node
    yield f'<g id="{node.id}" class="box {node.classes}"><title>{escape(_told(node))}</title>'
    yield f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"/>'
    top = box.middle - 15 * len(box.lines) / 2
    for number, line in enumerate(box.lines):
        size = LABEL_SIZE if number == 0 else DETAIL_SIZE
        is_rules = bool(node.rules) and number == len(box.lines) - 1
        name = "rules" if is_rules else "detail" if number else "label"
        x, y = box.x + 10, top + 15 * number + 11.5
        yield f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" font-size="{size:g}">{escape(line)}</text>'
    if node.state != "sound":
        sign = "✗" if node.state == "error" else "⚠"
        yield (
            f'<text class="rules" x="{box.right - 8:.1f}" y="{box.y + 14:.1f}" font-size="11"'
            f' text-anchor="end">{sign}</text>'
        )
    yield "</g>"


def _told(node: Node) -> str:
    return "\n".join([f"{node.label} ({node.detail})", *(shown_finding(each) for each in node.findings)])
