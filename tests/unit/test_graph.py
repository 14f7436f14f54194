"""What is in the picture, whatever its format: everything of the plan once, and what is wrong, marked."""

from __future__ import annotations

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_aibackend import cli
from pytest_aibackend.graph.build import build_graph
from pytest_aibackend.graph.command import FORMATS, render
from pytest_aibackend.graph.layout import DETAIL_SIZE, LABEL_SIZE, Box, arrange, text_width
from pytest_aibackend.graph.mermaid import MOST_EDGES, MOST_LETTERS, is_drawn_by_github, size_of
from pytest_aibackend.graph.model import NOTHING, Edge, EdgeKind, Graph, Kind, Node
from pytest_aibackend.litellm.plan import GatewayPlan, plan_gateway
from pytest_aibackend.sources.backend import load_backend
from tests.fakes.routing import write_fleet
from tests.fakes.translation import write_sources

ROOT = Path(__file__).resolve().parents[2]
SECRET = "sk-abcdef0123456789abcdef"
SVG = "{http://www.w3.org/2000/svg}"


def drawn(folder: Path) -> Graph:
    return build_graph(load_backend(folder))


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return write_fleet(tmp_path, 100)


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


@pytest.mark.parametrize("folder", ["config", "examples/embedded"])
def test_what_is_shipped_is_drawn_whole_and_sound(folder: str) -> None:
    graph = drawn(ROOT / folder)
    agrees(graph, plan_gateway(load_backend(ROOT / folder)))
    complete(graph)
    assert {node.state for node in graph.nodes} == {"sound"}


def test_a_hundred_groups_are_drawn_whole(fleet: Path) -> None:
    graph = drawn(fleet)
    agrees(graph, plan_gateway(load_backend(fleet)))
    complete(graph)
    assert is_drawn_by_github(render(graph, "mermaid"))


# What can be written in YAML, and what means something in one of the formats.
names = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\"'`<>&#;\\|{}[]()%/.-_*\n")),
    min_size=1,
    max_size=12,
).filter(lambda text: text.isprintable() and "@" not in text and "*" not in text and "=" not in text)


@st.composite
def sources(draw: st.DrawFn) -> dict[str, Any]:
    models = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    providers = {
        name: {
            "type": draw(st.sampled_from(["ollama", "vllm", "llama_cpp"])),
            "base_url": f"http://{draw(st.sampled_from(['127.0.0.1', 'far.example']))}:{9000 + place % 2}",
            "models": draw(st.lists(st.sampled_from(models), unique=True)),
            "status": draw(st.sampled_from(["active", "active", "disabled"])),
        }
        for place, name in enumerate(draw(st.lists(names, min_size=1, max_size=3, unique=True)))
    }
    known = st.sampled_from([*providers, "unknown"])
    routes = draw(st.dictionaries(names, st.fixed_dictionaries({"provider": known}), max_size=4))
    capabilities = draw(st.lists(names, max_size=3, unique=True))
    anything = st.sampled_from([*models, *routes, *capabilities, "nobody"])
    return {
        "providers": {"providers": providers},
        "model_mappings": {
            "exact_matches": {
                name: {**route, "backend_model": draw(st.sampled_from(models))}
                for name, route in routes.items()
            },
            "capabilities": {
                name: {"preferred_models": draw(st.lists(anything, max_size=3))} for name in capabilities
            },
            "load_balancing": {
                name: {"providers": [{"provider": draw(known), "model": draw(st.sampled_from(models))}]}
                for name in draw(st.lists(names, max_size=2, unique=True))
            },
            "patterns": [
                {"pattern": text, "provider": draw(known)} for text in draw(st.sampled_from([[], ["^a/.*"]]))
            ],
            "fallback_chains": {
                name: draw(st.lists(anything, max_size=3))
                for name in draw(st.lists(st.one_of(anything, st.just("default")), max_size=4, unique=True))
            },
        },
        "ports": {"service": {"port": 9000}},
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(files=sources())
def test_whatever_the_sources_ask_for_is_drawn_whole(tmp_path: Path, files: dict[str, Any]) -> None:
    backend = load_backend(write_sources(tmp_path, **files))
    if not backend.is_loaded("providers", "model-mappings"):
        return
    graph = build_graph(backend)
    agrees(graph, plan_gateway(backend))
    complete(graph)
    geometry(graph)
    page = Page(render(graph, "html"))
    assert page.labels == {node.id: node.label for node in graph.nodes}
    told = {finding for node in graph.nodes for finding in node.findings} | set(graph.findings)
    assert {each.rule for each in told} == {each.rule for each in graph.all_findings}


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


def test_a_hundred_groups_do_not_overlap(fleet: Path) -> None:
    graph = drawn(fleet)
    assert len(graph.of(Kind.GROUP)) > 100
    geometry(graph)


@pytest.mark.parametrize("picture", FORMATS)
def test_the_same_sources_give_the_same_bytes(picture: str, tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "config", tmp_path / "other" / "config"
    for folder in (one, other):
        folder.mkdir(parents=True)
        write_fleet(folder, 20, broken=False)
    assert render(drawn(one), picture) == render(drawn(other), picture)


def test_what_is_broken_is_there_with_its_findings(fleet: Path) -> None:
    graph = drawn(fleet)
    by_label = {(node.kind, node.label): node for node in graph.nodes}
    for kind, label, rule in (
        (Kind.GROUP, "lost/route", "unknown-provider"),
        (Kind.PROVIDER, "olama_0", "unknown-provider"),
        (Kind.PROVIDER, "gone", "unknown-provider"),
        (Kind.PROVIDER, "typo", "unknown-value"),
        (Kind.GROUP, "nobody-serves-this", "unknown-model"),
        (Kind.GROUP, "^(a|b)[0-9]+$", "pattern-not-expressible"),
    ):
        node = by_label[kind, label]
        assert node.is_missing
        assert rule in node.rules, node
    chain = by_label[Kind.GROUP, "qwen2.5-coder/1"]
    assert [(edge.mark, edge.is_broken) for edge in graph.fallbacks[chain.id]] == [("1", False), ("x1", True)]
    assert by_label[Kind.GROUP, "balanced-0"].state == "error"
    assert by_label[Kind.GROUP, "balanced-1"].state == "sound"
    for picture in ("svg", "html", "dot"):
        text = render(graph, picture)
        assert "which providers.yaml does not define" in text
        assert "did you mean" in text
    assert "✗ lost/route" in render(graph, "mermaid")


def test_a_provider_that_is_not_active_looks_like_it(fleet: Path) -> None:
    graph = drawn(fleet)
    (idle,) = (node for node in graph.nodes if node.is_idle)
    assert (idle.label, idle.detail, idle.state) == ("pasture", "type ollama, disabled", "warning")
    assert f"  class {idle.id} idle\n" in render(graph, "mermaid")
    assert re.search(rf'^  {idle.id} \[label="pasture.*style="dotted"', render(graph, "dot"), re.MULTILINE)
    for picture in ("svg", "html"):
        assert render(graph, picture).count('provider warning idle"') == 1


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


def test_what_gateway_yaml_says_itself_is_drawn(tmp_path: Path) -> None:
    write_sources(
        tmp_path,
        providers={
            "providers": {"one": {"type": "vllm", "base_url": "http://127.0.0.1:1", "models": ["a", "b"]}}
        },
        gateway={
            "router_settings": {
                "model_group_alias": {"shown": "a", "secret": {"model": "b", "hidden": True}, "lost": "gone"},
                "context_window_fallbacks": [{"a": ["b"]}],
            },
            "litellm_settings": {"content_policy_fallbacks": [{"b": [{"model": "a"}]}]},
            "passthrough": {
                "model_list": [
                    {
                        "model_name": "cloud",
                        "litellm_params": {"model": "gemini/pro", "api_key": SECRET, "weight": '\x01\n<"'},
                    },
                    {
                        "model_name": "far/*",
                        "litellm_params": {
                            "model": "openai/*",
                            "api_base": f"https://me:{SECRET}@far.example/v1",
                        },
                    },
                ]
            },
        },
    )
    graph = drawn(tmp_path)
    labels = {node.label: node for node in graph.nodes}
    kinds = {
        (edge.kind, graph.by_id[edge.source].label, graph.by_id[edge.target].label)
        for edge in graph.edges
        if edge.is_fallback
    }
    assert kinds == {(EdgeKind.CONTEXT_WINDOW, "a", "b"), (EdgeKind.CONTENT_POLICY, "b", "a")}
    assert labels["secret"].detail == "alias, hidden"
    assert labels["gone"].is_missing
    assert labels["gemini"].detail == "passed through, to LiteLLM's own address"
    assert labels["far.example:443"].detail in ("passed through", "outside this network")
    assert "far.example:443" in labels
    for picture in FORMATS:
        assert SECRET not in render(graph, picture)
        assert "far.example" in render(graph, picture)
    complete(graph)


def test_names_that_a_wildcard_matches_lead_to_it(tmp_path: Path) -> None:
    write_sources(
        tmp_path,
        providers={"providers": {"one": {"type": "vllm", "base_url": "http://127.0.0.1:1", "models": ["a"]}}},
        model_mappings={
            "patterns": [{"pattern": "^far/.*", "provider": "one"}],
            "routing_rules": {"default_provider": "one"},
            "fallback_chains": {"far/x": ["a"], "a": ["far/y"], "far/y": ["far/x"]},
        },
        gateway={"router_settings": {"model_group_alias": {"nick": "far/z"}}},
    )
    graph = drawn(tmp_path)
    ids = {node.label: node.id for node in graph.nodes if node.kind in (Kind.NAME, Kind.GROUP)}
    assert len(graph.of(Kind.NAME)) == 3
    for name in ("far/x", "far/y", "nick"):
        assert [edge.target for edge in graph.leads[ids[name]]] == [ids["far/*"]]
    ways = {
        (graph.by_id[edge.source].label, graph.by_id[edge.target].label) for edge in graph.edges if edge.label
    }
    assert ways == {("far/x", "a"), ("a", "far/y"), ("far/y", "far/x")}
    assert graph.by_id[ids["*"]].detail == "any other name, to the default provider"
    agrees(graph, plan_gateway(load_backend(tmp_path)))
    complete(graph)
    geometry(graph)


HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<!-- -->",
    "]]>",
    "\\",
    '\\"',
    'a"]\n  click g1 href "javascript:alert(1)"',
    "%%{init: {}}%%",
    "```",
    "&lt;&amp;#35;",
    "\u202eevil",
    "\x07bell",
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return write_sources(
        tmp_path,
        providers={
            "providers": {
                f"p {name}": {
                    "type": "ollama",
                    "base_url": f"http://127.0.0.1:{100 + place}",
                    "models": [name],
                }
                for place, name in enumerate(HOSTILE)
            }
        },
        model_mappings={
            "exact_matches": {f"route {name}": {"provider": name} for name in HOSTILE},
            "capabilities": {f"alias {name}": {"preferred_models": [name]} for name in HOSTILE},
            "fallback_chains": {name: [HOSTILE[place - 1]] for place, name in enumerate(HOSTILE)},
        },
    )


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


def test_a_thousand_groups_cost_ten_times_a_hundred(tmp_path: Path) -> None:
    took = {}
    for groups in (150, 1500):
        folder = tmp_path / str(groups)
        folder.mkdir()
        backend = load_backend(write_fleet(folder, groups))
        start = time.process_time()
        graph = build_graph(backend)
        for picture in FORMATS:
            render(graph, picture)
        took[groups] = time.process_time() - start
    assert took[1500] < 25 * took[150] + 1


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


# -- the command


def test_the_command_writes_what_the_ending_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(ROOT / "config")
    assert cli.main(["graph", "--config", config]) == 0
    assert capsys.readouterr().out.startswith("flowchart LR\n")
    for name, begins in (
        ("a.svg", "<svg "),
        ("a.html", "<!doctype html>"),
        ("a.dot", "digraph "),
        ("a.txt", "flow"),
    ):
        assert cli.main(["graph", "--config", config, "--output", str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    assert (
        cli.main(["graph", "--config", config, "--format", "svg", "--output", str(tmp_path / "a.txt")]) == 0
    )
    assert (tmp_path / "a.txt").read_text(encoding="utf-8").startswith("<svg ")


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


def test_what_is_no_file_stays_what_it_is(tmp_path: Path) -> None:
    """A pipe, a device: written to, not replaced by a file."""
    pipe = tmp_path / "pipe.svg"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "pytest_aibackend.cli", "graph", "--config", str(ROOT / "config")]
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ran = subprocess.run(
            [*command, "--output", str(pipe), "--format", "mermaid"], check=False, timeout=60
        )
        assert ran.returncode == 0
        assert os.read(reader, 12) == b"flowchart LR"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    told = subprocess.run(
        [*command, "--output", "/dev/stdout", "--format", "dot"], capture_output=True, check=True
    )
    assert told.stdout.startswith(b"digraph ")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "asked", ["graph --config {}", "lint {}/litellm-unified.yaml --format json", "docs lint"]
)
def test_an_output_without_room_is_told(asked: str) -> None:
    words = asked.format(ROOT / "config").split()
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest_aibackend.cli", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.stderr == "aibackend: the output cannot be written: No space left on device\n"
    assert ran.returncode == 2


def test_a_reader_that_has_read_enough_is_no_trouble() -> None:
    command = (
        f"{sys.executable} -m pytest_aibackend.cli graph --format html --config {ROOT / 'config'} | head -c 9"
    )
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("<!doctype", "")


def test_a_page_of_markdown_has_a_fence_around_it(tmp_path: Path) -> None:
    page = tmp_path / "routing.md"
    assert cli.main(["graph", "--config", str(ROOT / "config"), "--output", str(page)]) == 0
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["```mermaid", "flowchart LR"]
    assert lines[-1] == "```"
    assert sum("```" in line for line in lines) == 2


@pytest.mark.parametrize("ending", ["png", "PDF", "yaml"])
def test_an_ending_that_nothing_draws_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    picture = tmp_path / f"a.{ending}"
    asked = ["graph", "--config", str(ROOT / "config"), "--output", str(picture)]
    assert cli.main(asked) == 2
    assert f"a.{ending}: nothing here draws .{ending.lower()}; name a format" in capsys.readouterr().err
    assert not picture.exists()
    assert cli.main([*asked, "--format", "dot"]) == 0
    assert picture.read_text(encoding="utf-8").startswith("digraph ")


def test_a_file_in_the_place_of_the_sources_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "--config", str(ROOT / "config" / "litellm-unified.yaml")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "is a file; `aibackend import` makes sources of a LiteLLM config" in told.err


def test_the_picture_is_named_after_the_directory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT / "config")
    assert cli.main(["graph", "--config", "."]) == 0
    assert "accTitle: Routing of config\n" in capsys.readouterr().out


def test_more_than_github_draws_is_told_with_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_fleet(tmp_path, 260)
    assert cli.main(["graph", "--config", str(tmp_path)]) == 0
    told = capsys.readouterr()
    letters, edges = size_of(told.out)
    assert edges > MOST_EDGES
    assert letters == len(told.out), "there are only plain letters in it"
    limits = f"{letters} letters of {MOST_LETTERS}, {edges} edges of {MOST_EDGES}; use --format svg or html"
    assert limits in told.err


def test_letters_are_counted_as_mermaid_counts_them() -> None:
    """A letter beyond the first plane is two of JavaScript's; edges may be of any kind, seen or not."""
    text = 'flowchart LR\n  a["\N{MATHEMATICAL BOLD CAPITAL A}"]\n  a --> b\n  a ~~~ b\n  a -. "x" .-> b\n'
    assert size_of(text) == (len(text) + 1, 3)
    assert is_drawn_by_github("  a --> b\n" * MOST_EDGES)
    assert not is_drawn_by_github("  a --> b\n" * (MOST_EDGES + 1))
    assert is_drawn_by_github("\N{BROKEN HEART}" * (MOST_LETTERS // 2))
    assert not is_drawn_by_github("\N{BROKEN HEART}" * (MOST_LETTERS // 2) + "x")


def test_sources_that_cannot_be_read_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["graph", "--config", str(tmp_path / "none")]) == 2
    write_fleet(tmp_path, 20)
    assert cli.main(["graph", "--config", str(tmp_path), "--output", str(tmp_path)]) == 2
    assert cli.main(["graph", "--config", str(tmp_path), "--output", str(tmp_path / "no" / "such")]) == 2
    assert "cannot be written" in capsys.readouterr().err
    (tmp_path / "ports.yaml").write_text("a: [", encoding="utf-8")
    assert cli.main(["graph", "--config", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("flowchart LR\n")
    assert "ports.yaml:2:1: error: yaml-syntax" in told.err
    assert "a part is missing" in told.err
    (tmp_path / "providers.yaml").write_text("providers: {a: 1, a: 2}", encoding="utf-8")
    assert cli.main(["graph", "--config", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "duplicate-key" in told.err
    assert "nothing was drawn" in told.err


def test_an_edge_says_what_it_waits_for() -> None:
    node = Node(id="g1", kind=Kind.GROUP, label="a")
    edge = Edge(id="e1", source="g1", target="g1", kind=EdgeKind.CONTEXT_WINDOW, label="1", is_broken=True)
    assert edge.mark == "x1c"
    graph = Graph(title="t", nodes=(node,), edges=(edge,))
    complete(graph)
    assert '"never context window fallback 1"' in render(graph, "mermaid")
