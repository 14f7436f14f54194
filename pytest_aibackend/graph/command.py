"""`aibackend graph`: draw what the gateway does, with what is wrong marked."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from pytest_aibackend.graph.build import NEEDED, build_graph
from pytest_aibackend.graph.model import Graph
from pytest_aibackend.litellm.command import OK, REFUSED, USAGE, write_atomically
from pytest_aibackend.sources.backend import FILES, Backend, load_backend

__all__ = ["FORMATS", "draw"]

FORMATS: Final = {"mermaid": "mermaid", "dot": "dot", "svg": "svg", "html": "page"}  # and their modules
_ENDINGS: Final = {
    **dict.fromkeys((".mmd", ".mermaid", ".md", ".markdown", ".txt", ""), "mermaid"),
    **dict.fromkeys((".dot", ".gv"), "dot"),
    **dict.fromkeys((".html", ".htm"), "html"),
    ".svg": "svg",
}


def draw(config_dir: Path, *, picture: str | None, output: Path | None) -> int:
    """Draw the sources of a directory, as `picture` or as the output's ending says, else as Mermaid.

    Return 0 when it is drawn, whatever is marked in it; 1 when a source cannot be read, so that nothing, or
    not all, could be drawn; 2 when a path cannot be used.
    """
    if config_dir.is_file():
        return _say(f"{config_dir} is a file; `aibackend import` makes sources of a LiteLLM config", USAGE)
    if not config_dir.is_dir():
        return _say(f"there is no directory {config_dir}; name it with --config DIR", USAGE)
    if output is not None and output.is_dir():
        return _say(f"{output} is a directory; name a file", USAGE)
    ending = output.suffix.lower() if output else ""
    picture = picture or _ENDINGS.get(ending)
    if picture is None:
        return _say(f"{output}: nothing here draws {ending}; name a format with --format", USAGE)
    backend = load_backend(config_dir)
    unread = _tell_unread(backend)
    if not backend.is_loaded(*NEEDED):
        return _say("nothing was drawn: a source cannot be read", REFUSED)
    graph = build_graph(backend)
    text = render(graph, picture)
    if picture == "mermaid" and ending in (".md", ".markdown"):
        text = f"```mermaid\n{text}```\n"
    if output is None or str(output) == "-":
        sys.stdout.write(text)
    else:
        try:
            write_atomically(output, text.encode("utf-8"))
        except OSError as error:
            return _say(f"{output} cannot be written: {error.strerror}", USAGE)
        print(f"{output} written: {graph.summary}", file=sys.stderr)
    return _say("a part is missing from the picture: a source cannot be read", REFUSED) if unread else OK


def render(graph: Graph, picture: str) -> str:
    """Return the graph in one of FORMATS."""
    text = str(import_module(f"pytest_aibackend.graph.{FORMATS[picture]}").render(graph))
    if picture == "mermaid":
        from pytest_aibackend.graph.mermaid import MOST_EDGES, MOST_LETTERS, is_drawn_by_github, size_of

        if not is_drawn_by_github(text):
            letters, edges = size_of(text)
            _say(
                f"this is more than GitHub draws of Mermaid: {letters} letters of {MOST_LETTERS},"
                f" {edges} edges of {MOST_EDGES}; use --format svg or html",
                OK,
            )
    return text


def _tell_unread(backend: Backend) -> bool:
    """Print why files cannot be read; say whether one of the sources is among them."""
    unread = [role for role in FILES if not backend.is_loaded(role)]
    for role in unread:
        for finding in backend.load_findings(role):
            print(f"{finding}\n  hint: {finding.hint}", file=sys.stderr)
    return any(role != "generated" for role in unread)


def _say(text: str, status: int) -> int:
    print(f"aibackend graph: {text}", file=sys.stderr)
    return status
