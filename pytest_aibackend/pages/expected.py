"""Which pages there must be, and what of them is generated from what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from pytest_aibackend.diff.documentation import render as render_changes
from pytest_aibackend.reporting.catalogue import render as render_checks
from pytest_aibackend.reporting.lint_catalogue import render as render_lint
from pytest_aibackend.sources.documentation import render as render_schema

__all__ = ["MEMORIES", "PATTERNS", "REQUIRED", "WHOLE"]

MEMORIES: Final = ".serena/memories/"

# Where generated parts may stand.
PATTERNS: Final = ("*.md", "docs/**/*.md", f"{MEMORIES}*.md")

# Pages that are nothing but generated; every rule has its section in one of them.
WHOLE: Final[Mapping[str, Callable[[], str]]] = {
    "docs/checks.md": cache(render_checks),
    "docs/lint.md": cache(render_lint),
    "docs/changes.md": cache(render_changes),
    "CONFIG-SCHEMA.md": cache(render_schema),
}

# Pages that must be there, and the parts that each must have.
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    ".serena/memories/01-architecture.md": (),
    ".serena/memories/02-provider-registry.md": ("providers", "ports"),
    ".serena/memories/03-routing-config.md": ("fallbacks", "settings"),
    ".serena/memories/04-model-mappings.md": ("model-groups",),
    ".serena/memories/05-integration-guide.md": (),
    ".serena/memories/06-troubleshooting-patterns.md": ("checks",),
    ".serena/memories/07-operational-runbooks.md": (),
    ".serena/memories/08-testing-patterns.md": (),
    "QUICK-REFERENCE.md": ("ports",),
    "docs/architecture.md": ("surroundings",),
    "docs/consuming-api.md": ("client",),
}
