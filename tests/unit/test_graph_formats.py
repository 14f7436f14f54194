"""What each format owes to its readers: the same bytes, its marks explained, names that are only names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_aibackend import cli
from pytest_aibackend.graph.command import FORMATS, render
from pytest_aibackend.graph.layout import arrange
from pytest_aibackend.graph.mermaid import MOST_EDGES, MOST_LETTERS, is_drawn_by_github, size_of
from pytest_aibackend.graph.model import NOTHING, Edge, EdgeKind, Graph, Kind, Node
from tests.fakes.routing import write_fleet, write_hostile
from tests.fakes.translation import write_sources
from tests.pictures import Page, complete, drawn, geometry

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fleet(tmp_path_factory.mktemp("fleet"), 100)


@pytest.fixture
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hostile(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("picture", FORMATS)
def test_the_same_sources_give_the_same_bytes(picture: str, tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "config", tmp_path / "other" / "config"
    for folder in (one, other):
        folder.mkdir(parents=True)
        write_fleet(folder, 20, broken=False)
    assert render(drawn(one), picture) == render(drawn(other), picture)


def test_the_picture_explains_its_marks(fleet: Path) -> None:
    graph = drawn(fleet)
    words = [
        "order in which they are asked",
        "context window",
        "content policy",
        "never happens",
        "error",
        "warning",
        "not there",
        "not active",
    ]
    legends = {
        "svg": " ".join(re.findall(r'class="sum legend"[^>]*>([^<]*)', render(graph, "svg"))),
        "html": render(graph, "html").partition("<details")[2].partition("</details>")[0],
    }
    for picture, legend in legends.items():
        told = re.sub(r"\s+", " ", legend)
        assert [word for word in words if word not in told] == [], picture
    root = ET.fromstring(render(graph, "svg"))
    texts = [each for each in root.iter(f"{SVG}text") if "legend" in each.get("class", "")]
    lowest = max(float(each.get("y", "0")) for each in texts)
    assert arrange(graph).height <= min(float(each.get("y", "0")) for each in texts)
    assert lowest < float(root.get("height", "0"))


def test_hostile_names_are_only_names(hostile: Path) -> None:
    graph = drawn(hostile)
    complete(graph)
    assert all(node.label.isprintable() for node in graph.nodes)
    page = Page(render(graph, "html"))
    assert page.labels == {node.id: node.label for node in graph.nodes}
    assert page.addresses == []
    ways, script = page.scripts
    assert json.loads(ways)
    assert "alert" not in script
    picture = ET.fromstring(render(graph, "svg"))
    assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
        *("svg", "title", "desc", "style", "rect", "text", "g", "path", "polygon", "circle")
    }
    assert not [name for element in picture.iter() for name in element.attrib if name.startswith("on")]


def test_the_page_and_the_picture_need_nothing_from_outside(fleet: Path) -> None:
    graph = drawn(fleet)
    page = render(graph, "html")
    assert Page(page).addresses == []
    assert "url(" not in page
    assert "@import" not in page
    assert re.search(r'Content-Security-Policy" content="default-src \'none\'; style-src \'sha256-', page)
    picture = render(graph, "svg").replace('xmlns="http://www.w3.org/2000/svg"', "")
    root = ET.fromstring(picture)
    assert root.get("role") == "img"
    assert root.find("title") is not None
    assert root.find("desc") is not None
    assert not re.search(r"(href|src)=|url\(|@import", picture)
    assert "prefers-color-scheme:dark" in picture


def test_graphviz_reads_it(hostile: Path, fleet: Path) -> None:
    program = shutil.which("dot")
    if program is None:
        pytest.skip("there is no Graphviz here (the program dot)")
    for folder in (hostile, fleet):
        graph = drawn(folder)
        ran = subprocess.run(
            [program, "-Tjson0"],
            input=render(graph, "dot"),
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert ran.stderr == ""
        places = {
            each["name"]: float(each["pos"].partition(",")[0])
            for each in json.loads(ran.stdout)["objects"]
            if "nodes" not in each  # a column is an object, too
        }
        assert places.keys() == graph.by_id.keys()
        columns = [{places[node.id] for node in graph.of(kind)} for kind in Kind]
        assert [len(column) for column in (columns[1], columns[3], columns[4])] == [1, 1, 1]
        assert all(max(left) < min(right) for left, right in pairwise(columns))


@pytest.mark.parametrize("picture", FORMATS)
def test_where_there_is_nothing_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], picture: str
) -> None:
    write_sources(tmp_path, providers={"providers": {}}, model_mappings={"exact_matches": {}}, ports={})
    assert cli.main(["graph", "--config", str(tmp_path), "--format", picture]) == 0
    said = re.sub(r"#(\d+);", lambda number: chr(int(number[1])), capsys.readouterr().out)
    assert said.count(NOTHING) == 1
    assert NOTHING not in render(drawn(ROOT / "config"), picture)


def test_a_long_name_is_cut_in_its_middle_and_told_whole(tmp_path: Path) -> None:
    name = f"begin-{'x' * 300}-end"
    write_sources(
        tmp_path,
        providers={
            "providers": {"one": {"type": "vllm", "base_url": "http://127.0.0.1:1", "models": [name]}}
        },
    )
    graph = drawn(tmp_path)
    geometry(graph)
    for picture in ("svg", "dot"):
        text = render(graph, picture)
        assert re.search(r"begin-x+…x+-end", text), picture
        assert text.count(name) == 2, f"{picture}: model group and deployment, for those who point at them"
    assert arrange(graph).width < 1600


def test_letters_are_counted_as_mermaid_counts_them() -> None:
    """A letter beyond the first plane is two of JavaScript's; edges may be of any kind, seen or not."""
    text = 'flowchart LR\n  a["\N{MATHEMATICAL BOLD CAPITAL A}"]\n  a --> b\n  a ~~~ b\n  a -. "x" .-> b\n'
    assert size_of(text) == (len(text) + 1, 3)
    assert is_drawn_by_github("  a --> b\n" * MOST_EDGES)
    assert not is_drawn_by_github("  a --> b\n" * (MOST_EDGES + 1))
    assert is_drawn_by_github("\N{BROKEN HEART}" * (MOST_LETTERS // 2))
    assert not is_drawn_by_github("\N{BROKEN HEART}" * (MOST_LETTERS // 2) + "x")


def test_an_edge_says_what_it_waits_for() -> None:
    node = Node(id="g1", kind=Kind.GROUP, label="a")
    edge = Edge(id="e1", source="g1", target="g1", kind=EdgeKind.CONTEXT_WINDOW, label="1", is_broken=True)
    assert edge.mark == "x1c"
    graph = Graph(title="t", nodes=(node,), edges=(edge,))
    complete(graph)
    assert '"never context window fallback 1"' in render(graph, "mermaid")


def test_the_picture_of_the_documentation_is_that_of_today() -> None:
    page = (ROOT / "docs" / "graph.md").read_text(encoding="utf-8")
    shown = page.partition("```mermaid\n")[2].partition("```")[0]
    drawn_now = render(drawn(ROOT / "examples" / "embedded"), "mermaid")

    def picture(text: str) -> list[str]:
        """Leave out what is counted: whether there is a backup yet depends on the machine."""
        return [line for line in text.splitlines() if not line.startswith("  accDescr")]

    assert picture(shown) == picture(drawn_now), (
        "copy what `aibackend graph --config examples/embedded` prints"
    )
