"""The page and the pictures in a real browser: what is to be seen, found, folded and followed there."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_aibackend.graph.build import build_graph
from pytest_aibackend.graph.command import render
from pytest_aibackend.graph.marking import mark_differences
from pytest_aibackend.graph.model import Edge, Graph, Kind, Node, shown, shown_place
from pytest_aibackend.sources.backend import load_backend
from tests.fakes.browser import Page
from tests.fakes.routing import HOSTILE, write_fleet, write_hostile

ROOT = Path(__file__).resolve().parents[2]
INVISIBLE = "\u200b"
MERMAID = ROOT / "tests" / "mermaid"
pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("browser")]


@pytest.fixture
def page(chromium: Page) -> Iterator[Page]:
    """A tab whose page asks for nothing but itself, and complains about nothing."""
    chromium.requests.clear()
    chromium.complaints.clear()
    yield chromium
    assert [url for url in chromium.requests if not url.startswith(("file:", "about:"))] == []
    assert chromium.complaints == []


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return build_graph(load_backend(write_fleet(tmp_path_factory.mktemp("fleet"), 100)))


def show(page: Page, folder: Path, graph: Graph, picture: str, **size: int) -> None:
    path = folder / f"graph.{picture}"
    path.write_text(render(graph, picture), encoding="utf-8")
    page.open(path, **size)


def selected(page: Page, selector: str) -> list[str]:
    """Return the ids of the nodes that a selector finds and that are to be seen."""
    script = "[...document.querySelectorAll({})].filter(e => e.offsetParent).map(e => e.dataset.id)"
    found: list[str] = page.ask(script.format(json.dumps(selector)))
    return found


def node(graph: Graph, kind: Kind, label: str) -> str:
    return next(each.id for each in graph.nodes if (each.kind, each.label) == (kind, label))


def colours(page: Page) -> int:
    """Return how many colours a row of pixels through the picture has: a blank page has one."""
    return int(
        page.ask(
            "new Set([...document.querySelectorAll('.node')].map(e => getComputedStyle(e).borderColor)).size"
        )
    )


def test_the_page_at_a_hundred_model_groups(page: Page, fleet: Graph, tmp_path: Path) -> None:
    show(page, tmp_path, fleet, "html")
    assert page.ask("document.body.classList.contains('ready')")
    assert len(selected(page, ".node")) == len(fleet.nodes)
    assert page.screenshot(tmp_path / "light.png").startswith(b"\x89PNG")
    assert (tmp_path / "light.png").stat().st_size > 50_000, "a picture of next to nothing"
    assert colours(page) >= 2
    # Nothing runs out of its box, nothing lies on another, and the page needs no scrolling sideways.
    assert (
        page.ask(
            "[...document.querySelectorAll('.node, .jump')].some(e => e.scrollWidth > e.clientWidth + 1)"
        )
        is False
    )
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    assert page.ask(OVERLAPS.replace("SELECTOR", "'.node'")) == []
    assert page.ask("document.querySelectorAll('#lines path').length") > 10


OVERLAPS = """(() => {
  const boxes = [...document.querySelectorAll(SELECTOR)].filter(e => e.getClientRects().length)
    .map(e => [e.dataset?.id || e.parentNode.id, e.getBoundingClientRect()]);
  boxes.sort((a, b) => a[1].top - b[1].top);
  const found = [];
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length && boxes[j][1].top < boxes[i][1].bottom; j++)
      if (boxes[i][1].left < boxes[j][1].right && boxes[j][1].left < boxes[i][1].right)
        found.push([boxes[i][0], boxes[j][0]]);
  return found;
})()"""


def test_searching(page: Page, fleet: Graph, tmp_path: Path) -> None:
    show(page, tmp_path, fleet, "html")
    page.press("/")
    page.type("capability-3")
    groups = selected(page, ".node.group")
    assert groups == [node(fleet, Kind.GROUP, "capability-3")]
    assert page.ask("document.getElementById('count').textContent").startswith("1 of ")
    page.press("Escape")
    assert len(selected(page, ".node")) == len(fleet.nodes)
    page.type("unknown-provider")
    broken = {node(fleet, Kind.GROUP, name) for name in ("lost/route", "balanced-0")}
    assert broken == set(selected(page, ".node.group"))
    page.press("Escape")
    page.ask("document.getElementById('only-broken').click()")
    rows = set(selected(page, ".node.group"))
    assert broken < rows
    assert node(fleet, Kind.GROUP, "balanced-1") not in rows


def test_folding_by_provider(page: Page, fleet: Graph, tmp_path: Path) -> None:
    show(page, tmp_path, fleet, "html")
    page.ask("document.getElementById('fold-all').click()")
    assert selected(page, ".node.group, .node.deployment, .node.name") == []
    assert len(selected(page, ".node.provider")) == len(fleet.of(Kind.PROVIDER))
    assert page.ask("document.querySelectorAll('#lines .leads').length") > 0, "providers still lead to ports"
    page.screenshot(tmp_path / "folded.png")
    page.ask(
        "[...document.querySelectorAll('.fold')].find(e => e.textContent.startsWith('ollama_0')).focus()"
    )
    page.press("Enter")
    opened = {fleet.by_id[each].label for each in selected(page, ".node.group")}
    assert "llama3.1/0" in opened
    assert "qwen2.5-coder/1" not in opened
    page.ask("document.getElementById('unfold-all').click()")
    assert len(selected(page, ".node")) == len(fleet.nodes)


def test_following_a_request_with_the_keyboard(page: Page, fleet: Graph, tmp_path: Path) -> None:
    show(page, tmp_path, fleet, "html")
    group = node(fleet, Kind.GROUP, "qwen2.5-coder/1")
    page.ask(f"document.querySelector('[data-id={group}]').focus()")
    page.press("Enter")
    lit = set(selected(page, ".node.on"))
    for kind, label in (
        (Kind.PROVIDER, "llama_cpp_1"),
        (Kind.PORT, "http 20001"),
        (Kind.GROUP, "mistral-small/2"),
        (Kind.GROUP, "nobody-serves-this"),
    ):
        assert node(fleet, kind, label) in lit, label
    assert node(fleet, Kind.GROUP, "balanced-1") not in lit
    told = page.ask("document.getElementById('told').textContent")
    assert "unknown-model" in told
    assert "nobody-serves-this (never)" in told
    page.screenshot(tmp_path / "selected.png")
    page.press("ArrowRight")
    assert page.ask("document.activeElement.dataset.kind") == "deployment"
    page.press("ArrowRight")
    page.press("Enter")
    assert page.ask("document.querySelector('[aria-pressed=true]').dataset.id") == node(
        fleet, Kind.PROVIDER, "llama_cpp_1"
    )
    page.press("Escape")
    assert selected(page, ".node.on") == []
    # A fallback leads to its model group, out of a folded provider too.
    page.ask("document.getElementById('fold-all').click(); document.querySelector('.jump').click()")
    assert page.ask("document.activeElement.dataset.id") == page.ask(
        "document.querySelector('.jump').dataset.to"
    )


def test_a_search_that_finds_nothing_says_so(page: Page, fleet: Graph, tmp_path: Path) -> None:
    show(page, tmp_path, fleet, "html")
    said = "[document.getElementById('count').textContent, document.getElementById('nothing').textContent]"
    assert page.ask(said) == ["", ""], "all is shown: there is nothing to count"
    page.press("/")
    page.type("20001")
    assert selected(page, ".node.port") == [node(fleet, Kind.PORT, "http 20001")], "ports are found, too"
    page.type(" <b>")
    assert selected(page, ".node") == []
    count, nothing = page.ask(said)
    assert count.startswith("0 of ")
    assert nothing == "Nothing matches “20001 <b>”. Esc in the search clears it."
    page.press("Escape")
    assert page.ask(said) == ["", ""]
    show(
        page,
        tmp_path,
        Graph(title="sound", nodes=(Node(id="g1", kind=Kind.GROUP, label="a"),), edges=()),
        "html",
    )
    page.ask("document.getElementById('only-broken').click()")
    assert page.ask(said)[1] == "Nothing in the picture has findings."


@pytest.mark.parametrize("medium", ["narrow", "print"])
def test_without_room_for_lines_words_say_where(
    page: Page, fleet: Graph, tmp_path: Path, medium: str
) -> None:
    """On a telephone and on paper: every part is within the width, and a deployment names its provider."""
    page("Emulation.setEmulatedMedia", media="print" if medium == "print" else "")
    try:
        show(page, tmp_path, fleet, "html", width=420 if medium == "narrow" else 1400)
        assert len(page.screenshot(tmp_path / f"{medium}.png")) > 20_000
        assert page.ask("document.documentElement.scrollWidth <= innerWidth")
        assert page.ask(OVERLAPS.replace("SELECTOR", "'.node'")) == []
        assert page.ask("getComputedStyle(document.getElementById('lines')).display") == "none"
        seen = page.ask(
            "[...document.querySelectorAll('.node.deployment')]"
            ".map(e => [e.dataset.id, e.querySelector('.at').offsetWidth > 30, e.textContent])"
        )
        assert len(seen) == len(fleet.of(Kind.DEPLOYMENT))
        for each, is_seen, text in seen:
            provider = fleet.by_id[fleet.leads[each][0].target]
            assert is_seen
            assert text.endswith(f", on {provider.label}")
    finally:
        page("Emulation.setEmulatedMedia", media="")


def test_what_is_seen_is_heard_and_followed(page: Page, fleet: Graph, tmp_path: Path) -> None:
    """Findings describe their box, marks have words, the panel leads on, and closing it leads back."""
    show(page, tmp_path, fleet, "html")
    described = page.ask(
        "[...document.querySelectorAll('.node[aria-describedby]')].map(e => [e.dataset.id,"
        " document.getElementById(e.getAttribute('aria-describedby')).textContent])"
    )
    assert dict(described).keys() == {each.id for each in fleet.nodes if each.findings}
    for each, told in described:
        for finding in fleet.by_id[each].findings:
            assert f"{finding.severity}: {finding.rule}" in told
            assert shown(finding.hint) in told
            assert shown_place(finding) in told
    heard = page.ask(
        "[...document.querySelectorAll('.heard')].map(e => [e.parentNode.dataset.id, e.textContent])"
    )
    assert dict(heard) == {each.id: f", {each.state}" for each in fleet.nodes if each.state != "sound"}
    group = node(fleet, Kind.GROUP, "qwen2.5-coder/1")
    page.ask(f"document.querySelector('[data-id={group}]').click()")
    page.ask(
        "[...document.querySelectorAll('#told button')]"
        ".find(e => e.textContent === 'mistral-small/2').click()"
    )
    reached = node(fleet, Kind.GROUP, "mistral-small/2")
    assert page.ask("document.activeElement.dataset.id") == reached
    assert page.ask("document.querySelector('[aria-pressed=true]').dataset.id") == reached
    page.ask("document.getElementById('close').focus()")
    page.press("Enter")
    assert page.ask("document.activeElement.dataset.id") == reached
    assert page.ask("document.getElementById('panel').hidden")
    idle = node(fleet, Kind.PROVIDER, "pasture")
    assert page.ask(f"getComputedStyle(document.querySelector('[data-id={idle}]')).borderStyle") == "dotted"
    assert "disabled" in page.ask(f"document.querySelector('[data-id={idle}]').textContent")
    marked = page.ask(
        "[...document.querySelectorAll('section')].map(e => [e.querySelector('h2').textContent,"
        " [...e.querySelectorAll('.row')]"
        ".filter(r => r.querySelector('.error, .warning, .jump.broken')).length])"
    )
    assert sum(count for _, count in marked) > 4
    for heading, count in marked:
        assert heading.endswith(f", {count} with findings") is (count > 0), heading


def test_hostile_names_do_nothing(page: Page, tmp_path: Path) -> None:
    graph = build_graph(load_backend(write_hostile(tmp_path)))
    show(page, tmp_path, graph, "html")
    labels = page.ask(
        "[...document.querySelectorAll('.node')].map(e => [e.dataset.id, e.firstChild.textContent])"
    )
    assert dict(labels) == {each.id: each.label for each in graph.nodes}
    for each in graph.of(Kind.GROUP):
        page.ask(f"document.querySelector('[data-id={each.id}]').click()")
        assert each.label in page.ask("document.getElementById('told').textContent")
    assert page.ask("document.querySelectorAll('img, iframe, script:not(#edges)').length") == 1


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_every_text_of_the_picture_fits(page: Page, fleet: Graph, tmp_path: Path, is_dark: bool) -> None:
    """With the fonts of this machine, whichever they are."""
    if is_dark:
        page.dark()
    show(page, tmp_path, fleet, "svg", width=2200, height=2000)
    assert (
        page.ask(
            """[...document.querySelectorAll('.box')].filter(box => {
          const [rect, ...texts] = box.querySelectorAll('rect, text');
          const outer = rect.getBBox();
          return texts.some(text => { const inner = text.getBBox();
            return inner.x < outer.x || inner.x + inner.width > outer.x + outer.width
              || inner.y < outer.y || inner.y + inner.height > outer.y + outer.height; });
        }).map(box => box.id)"""
        )
        == []
    )
    assert page.ask(OVERLAPS.replace("SELECTOR", "'.box rect'")) == []
    assert page.ask("getComputedStyle(document.querySelector('.paper')).fill") == (
        "rgb(13, 17, 23)" if is_dark else "rgb(255, 255, 255)"
    )
    assert len(page.screenshot(tmp_path / "picture.png")) > 50_000


@pytest.fixture(scope="module")
def mermaid() -> Path:
    """Return the real Mermaid, fetched once with npm into a folder that is not kept."""
    program = shutil.which("npm")
    script = MERMAID / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
    if not script.exists() and program is None:
        pytest.skip("there is no npm here to fetch Mermaid with")
    with (MERMAID / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not script.exists():
            command = [str(program), "install", "--no-audit", "--no-fund", "--ignore-scripts"]
            ran = subprocess.run(
                command, cwd=MERMAID, capture_output=True, text=True, check=False, timeout=240
            )
            if ran.returncode:
                pytest.skip(f"npm cannot fetch Mermaid: {ran.stderr.strip().splitlines()[-1:]}")
    return script


def drawn_by_mermaid(page: Page, script: Path, folder: Path, graph: Graph) -> dict[str, Any]:
    """Return what Mermaid made of a graph: the text of each node by its id, and how many edges."""
    (folder / "mermaid.html").write_text(
        '<!doctype html><meta charset="utf-8"><div id="place"></div>'
        f'<script src="{script.as_uri()}"></script>',
        encoding="utf-8",
    )
    page.open(folder / "mermaid.html", width=1800)
    text = json.dumps(render(graph, "mermaid"))
    page.ask(
        f"""(async () => {{
          mermaid.initialize({{startOnLoad: false, securityLevel: "strict"}});
          await mermaid.parse({text});
          const {{svg}} = await mermaid.render("drawn", {text});
          document.getElementById("place").innerHTML = svg;
        }})()"""
    )
    page.screenshot(folder / f"mermaid-{graph.title}.png")
    answer: dict[str, Any] = page.ask(
        """(() => {
          document.querySelectorAll("br").forEach(line => line.replaceWith(" "));
          const labels = {}, places = {};
          for (const node of document.querySelectorAll(".node[id*=flowchart-]")) {
            const id = node.id.replace(/^.*flowchart-([a-z]+[0-9]+)-[0-9]+$/, "$1");
            labels[id] = node.textContent;
            places[id] = node.getBoundingClientRect().left;
          }
          for (const box of document.querySelectorAll(".cluster"))
            labels[box.id.replace(/^.*?([a-z]+[0-9]+)$/, "$1")]
              = box.querySelector(".cluster-label").textContent;
          const edgeLabels = [...document.querySelectorAll(".edgeLabels .edgeLabel .label")]
            .map(each => each.textContent);
          const edges = document.querySelectorAll(".edgePaths path.flowchart-link").length;
          return {labels, places, edgeLabels, edges,
                   title: document.querySelector("#place title").textContent};
        })()"""
    )
    return answer


def test_mermaid_draws_it(page: Page, mermaid: Path, fleet: Graph, tmp_path: Path) -> None:
    for name in ("config", "examples/embedded"):
        graph = build_graph(load_backend(ROOT / name))
        answer = drawn_by_mermaid(page, mermaid, tmp_path, graph)
        assert answer["labels"].keys() == graph.by_id.keys()
        for port in graph.of(Kind.PORT):
            if not graph.edges_into(port.id):
                place = min(answer["places"][each.id] for each in graph.of(Kind.DEPLOYMENT))
                assert answer["places"][port.id] > place, "not in the way of what leads somewhere"
    answer = drawn_by_mermaid(page, mermaid, tmp_path, fleet)
    assert answer["labels"].keys() == fleet.by_id.keys()
    within = sum(edge.target in {each.id for each in fleet.of(Kind.PROVIDER)} for edge in fleet.edges)
    assert answer["edges"] == len(fleet.edges) - within
    assert "Routing of" in answer["title"]


def test_mermaid_draws_what_a_change_marks(page: Page, mermaid: Path, tmp_path: Path) -> None:
    graphs = (build_graph(load_backend(ROOT / name)) for name in ("examples/embedded", "config"))
    for graph in mark_differences(*graphs):
        assert graph.marks
        answer = drawn_by_mermaid(page, mermaid, tmp_path, graph)
        for node in graph.nodes:
            assert (graph.marks.get(node.id, "no") in answer["labels"][node.id]) == (node.id in graph.marks)


def test_mermaid_shows_hostile_names_as_they_are(page: Page, mermaid: Path, tmp_path: Path) -> None:
    more = [
        "1. one",
        "- one",
        "+ a",
        "* a",
        "_a_",
        "__a__",
        "**b**",
        "`c`",
        "a_b_c",
        "end",
        "x;y",
        "# h",
        "2) b",
        "http://a.b/c",
        "www.example.com",
        "a@b.c",
        "ä/ß",
        "中文",
        "a  b",
        "~~c~~",
        "$$x$$",
        "fa:fa-car",
        "subgraph",
    ]
    served = build_graph(load_backend(write_hostile(tmp_path))).of(Kind.GROUP)
    texts = [*(each.label for each in served), *more]
    assert len(texts) > len(HOSTILE) + len(more)
    nodes = [
        Node(id=f"{letter}{place + 1}", kind=kind, label=text, detail=text)
        for kind, letter in ((Kind.GROUP, "g"), (Kind.PROVIDER, "p"))
        for place, text in enumerate(texts)
    ]
    # A provider with something in it is drawn as a frame, whose label is read by another part of Mermaid.
    nodes += [Node(id=f"d{place + 1}", kind=Kind.DEPLOYMENT, label="m") for place in range(len(texts))]
    edges = [
        Edge(id=f"e{place}", source=f"d{place + 1}", target=f"p{place + 1}") for place in range(len(texts))
    ]
    labelled = [
        Edge(id=f"f{place}", source="g1", target=f"g{place + 2}", label=text)
        for place, text in enumerate(texts[1:])
    ]
    graph = Graph(title="hostile", nodes=tuple(nodes), edges=(*edges, *labelled))
    answer = drawn_by_mermaid(page, mermaid, tmp_path, graph)
    for each in nodes:
        seen = answer["labels"][each.id].replace(INVISIBLE, "")
        between = ", " if each.kind is Kind.PROVIDER else " "
        assert seen.split() == f"{each.label}{between}{each.detail}".split(), each.label
    seen_edges = [text.replace(INVISIBLE, "").split() for text in answer["edgeLabels"] if text.strip()]
    assert seen_edges == [text.split() for text in texts[1:]]
