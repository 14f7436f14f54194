"""What a graph is made of: plain data that every format draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import PurePath
from typing import Final

from pytest_aibackend.findings import Finding, Severity
from pytest_aibackend.sources.secrets import redact_text

__all__ = [
    "COLUMNS",
    "NOTHING",
    "Edge",
    "EdgeKind",
    "Graph",
    "Kind",
    "Mark",
    "Node",
    "counted",
    "shown",
    "shown_finding",
    "shown_place",
]


class Kind(StrEnum):
    """What a node stands for; the order is that of a request's way."""

    NAME = "name"
    GROUP = "group"
    DEPLOYMENT = "deployment"
    PROVIDER = "provider"
    PORT = "port"


COLUMNS: Final[Mapping[Kind, str]] = {
    Kind.NAME: "Other names",
    Kind.GROUP: "Model groups",
    Kind.DEPLOYMENT: "Deployments",
    Kind.PROVIDER: "Providers",
    Kind.PORT: "Ports",
}


NOTHING: Final = "There is nothing to draw: the sources name no model and no provider."


class EdgeKind(StrEnum):
    """Why one node leads to another; the last three are fallbacks, and what each waits for."""

    LEADS = "leads"
    FALLBACK = "fallback"
    CONTEXT_WINDOW = "context window fallback"
    CONTENT_POLICY = "content policy fallback"


class Mark(StrEnum):
    """How a part of one graph stands to another graph."""

    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One box."""

    id: str  # a letter and a number: safe in every format
    kind: Kind
    label: str
    detail: str = ""  # what it is, in a few words
    is_missing: bool = False  # it is named in the sources, and not there for the gateway
    is_idle: bool = False  # it is there, and its status keeps it out of use
    findings: tuple[Finding, ...] = ()

    @property
    def state(self) -> str:
        """Return "error", "warning" or "sound"."""
        if self.is_missing or any(each.severity is Severity.ERROR for each in self.findings):
            return "error"
        return "warning" if self.findings else "sound"

    @property
    def classes(self) -> str:
        """Return the words by which a style sheet knows it."""
        words = (self.kind, self.state, "missing" if self.is_missing else "", "idle" if self.is_idle else "")
        return " ".join(filter(None, words))

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the ids of the rules that found something here, each once."""
        return tuple(dict.fromkeys(each.rule for each in self.findings))


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """One way from a node to another."""

    id: str
    source: str
    target: str
    kind: EdgeKind = EdgeKind.LEADS
    label: str = ""  # the place in an order, or a weight
    is_broken: bool = False  # it is written in the sources, and does not happen

    @property
    def is_fallback(self) -> bool:
        """Say whether it is taken only when the source has failed."""
        return self.kind is not EdgeKind.LEADS

    @property
    def mark(self) -> str:
        """Return the label with a letter for what a fallback waits for, `x` before one that never happens."""
        letter = {EdgeKind.CONTEXT_WINDOW: "c", EdgeKind.CONTENT_POLICY: "p"}.get(self.kind, "")
        return f"{'x' if self.is_broken else ''}{self.label}{letter}"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The whole picture, in an order that depends on nothing but the sources."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    findings: tuple[Finding, ...] = ()  # those that belong to no node
    marks: Mapping[str, Mark] = field(default_factory=dict)  # by the ids of nodes and edges

    @cached_property
    def by_id(self) -> Mapping[str, Node]:
        """Return the nodes by their ids."""
        return {node.id: node for node in self.nodes}

    def of(self, kind: Kind) -> tuple[Node, ...]:
        """Return the nodes of a kind."""
        return tuple(node for node in self.nodes if node.kind is kind)

    @cached_property
    def leads(self) -> Mapping[str, tuple[Edge, ...]]:
        """Return the edges that are no fallbacks, by their source."""
        return _grouped(edge for edge in self.edges if not edge.is_fallback)

    @cached_property
    def fallbacks(self) -> Mapping[str, tuple[Edge, ...]]:
        """Return the fallbacks, by their source."""
        return _grouped(edge for edge in self.edges if edge.is_fallback)

    def edges_into(self, node: str) -> tuple[Edge, ...]:
        """Return the edges that end at a node."""
        return self._into.get(node, ())

    @cached_property
    def _into(self) -> Mapping[str, tuple[Edge, ...]]:
        return _grouped(self.edges, by="target")

    @cached_property
    def all_findings(self) -> tuple[Finding, ...]:
        """Return every finding once, those at nodes first."""
        at_nodes = (finding for node in self.nodes for finding in node.findings)
        return tuple(dict.fromkeys((*at_nodes, *self.findings)))

    @property
    def summary(self) -> str:
        """Return what is in the picture, counted."""
        count = Counter(node.kind for node in self.nodes if not node.is_missing)
        fallbacks = sum(edge.is_fallback and not edge.is_broken for edge in self.edges)
        parts = [
            counted(count[Kind.GROUP], "model group"),
            counted(count[Kind.DEPLOYMENT], "deployment"),
            counted(count[Kind.PROVIDER], "provider"),
            counted(fallbacks, "fallback"),
        ]
        errors = sum(each.severity is Severity.ERROR for each in self.all_findings)
        warnings = len(self.all_findings) - errors
        parts += [counted(errors, "error")] if errors else []
        parts += [counted(warnings, "warning")] if warnings else []
        return ", ".join(parts)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def shown(text: object) -> str:
    """Return a name as a picture may show it: no secret, and no letter that cannot be seen."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in redact_text(str(text))
    )


def shown_place(finding: Finding) -> str:
    """Return where a finding is, by the file's name alone: a picture travels, the directory stays."""
    place = finding.location
    return shown(replace(place, file=PurePath(place.file).name))


def shown_finding(finding: Finding) -> str:
    """Return a finding in one line, with its hint."""
    told = f"{finding.severity}: {finding.rule}: {finding.message} ({finding.hint})"
    return f"{shown_place(finding)}: {shown(told)}"


def _grouped(edges: Iterable[Edge], *, by: str = "source") -> dict[str, tuple[Edge, ...]]:
    found: dict[str, list[Edge]] = {}
    for edge in edges:
        found.setdefault(getattr(edge, by), []).append(edge)
    return {end: tuple(some) for end, some in found.items()}
