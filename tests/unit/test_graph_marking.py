"""The graphs before and after a change: what is marked, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.graph.build import build_graph
from pytest_aibackend.graph.marking import mark_differences
from pytest_aibackend.graph.mermaid import render
from pytest_aibackend.graph.model import Graph, Mark
from pytest_aibackend.sources.backend import load_backend

FILES = {
    "providers": {
        "providers": {
            "near": {
                "type": "ollama", "base_url": "http://127.0.0.1:11434", "status": "active",
                "models": ["one", "two"],
            },
            "far": {
                "type": "vllm", "base_url": "http://127.0.0.1:8001", "status": "active", "models": ["three"],
            },
        }
    },
    "model-mappings": {
        "exact_matches": {
            "one": {"provider": "near"}, "two": {"provider": "near"}, "three": {"provider": "far"},
        },
        "fallback_chains": {"one": {"chain": ["two", "three"]}},
    },
    "ports": {"ports": {"ollama": {"port": 11434}, "vllm": {"port": 8001}}},
}  # fmt: skip

Change = Callable[[dict[str, Any]], None]


def graph_of(folder: Path, change: Change | None = None) -> Graph:
    files = yaml.safe_load(yaml.safe_dump(FILES))
    if change:
        change(files)
    folder.mkdir()
    for name, data in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return build_graph(load_backend(folder))


def marked(graph: Graph) -> set[str]:
    """Return what is marked in words: a box by its label, a way by those of its ends."""
    names = {node.id: node.label for node in graph.nodes}
    names |= {
        edge.id: f"{names[edge.source]} > {names[edge.target]} {edge.label}".rstrip() for edge in graph.edges
    }
    return {names[one] for one in graph.marks}


def reorder(files: dict[str, Any]) -> None:
    routes = files["model-mappings"]["exact_matches"]
    files["model-mappings"]["exact_matches"] = dict(reversed(routes.items()))
    files["providers"]["providers"]["near"]["description"] = "a note"


def rename(files: dict[str, Any]) -> None:
    routes = files["model-mappings"]["exact_matches"]
    routes["second"] = {**routes.pop("two"), "backend_model": "two"}
    files["model-mappings"]["fallback_chains"]["one"]["chain"][0] = "second"


def swap_fallbacks(files: dict[str, Any]) -> None:
    files["model-mappings"]["fallback_chains"]["one"]["chain"].reverse()


def move(files: dict[str, Any]) -> None:
    files["model-mappings"]["exact_matches"]["two"] = {"provider": "far", "backend_model": "three"}


@pytest.mark.parametrize(
    ("change", "gone", "new"),
    [
        (reorder, set(), set()),
        (
            rename,
            {"two", "two > near", "two > two", "one > two 1"},
            {"second", "two", "second > two", "two > near", "one > second 1"},
        ),
        (swap_fallbacks, {"one > two 1", "one > three 2"}, {"one > three 1", "one > two 2"}),
        (move, {"two", "two > two", "two > near"}, {"three", "two > three", "three > far"}),
    ],
    ids=["reorder", "rename", "swap fallbacks", "move"],
)
def test_what_is_marked(tmp_path: Path, change: Change, gone: set[str], new: set[str]) -> None:
    old, later = mark_differences(graph_of(tmp_path / "old"), graph_of(tmp_path / "new", change))
    assert marked(old) == gone
    assert marked(later) == new
    assert set(old.marks.values()) <= {Mark.GONE}
    assert set(later.marks.values()) <= {Mark.NEW}


def test_there_and_back_marks_the_same(tmp_path: Path) -> None:
    one, other = graph_of(tmp_path / "one"), graph_of(tmp_path / "other", rename)
    old, new = mark_differences(one, other)
    back_old, back_new = mark_differences(other, one)
    assert set(old.marks) == set(back_new.marks)
    assert set(new.marks) == set(back_old.marks)


def test_marks_in_mermaid(tmp_path: Path) -> None:
    _, new = mark_differences(graph_of(tmp_path / "old"), graph_of(tmp_path / "new", swap_fallbacks))
    lines = render(new).splitlines()
    ways = [line for line in lines if "-->" in line or ".->" in line]
    styled = next(line for line in lines if line.startswith("  linkStyle ")).split()[1].split(",")
    assert [ways[int(place)].split('"')[1] for place in styled] == ["fallback 1, new", "fallback 2, new"]
    assert not any("new" in line for line in render(graph_of(tmp_path / "again")).splitlines())
