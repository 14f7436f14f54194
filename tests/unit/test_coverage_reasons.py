"""What `make coverage` does not count is explained where it stands."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRAGMA = re.compile(r"#\s*pragma:?\s*no\s+(?:cover|branch)", re.IGNORECASE)
EXPLAINED = re.compile(r"# pragma: no (?:cover|branch) - \w+ .+")


def unexplained(text: str) -> list[str]:
    """Return the lines that are left out without a reason."""
    return [line for line in text.splitlines() if PRAGMA.search(line) and not EXPLAINED.search(line)]


def test_what_is_left_out_has_a_reason() -> None:
    files = [
        file for folder in ("pytest_aibackend", "checks") for file in sorted((ROOT / folder).rglob("*.py"))
    ]
    assert {
        str(file): found for file in files if (found := unexplained(file.read_text(encoding="utf-8")))
    } == {}


def test_a_bare_pragma_is_seen() -> None:
    bare = [
        "a  # pragma: no cover",
        "b  #pragma no branch",
        "c  # pragma: no cover -",
        "d # PRAGMA: no cover: x",
    ]
    good = ["e  # pragma: no cover - the system has no such call", "f  # cover"]
    assert unexplained("\n".join(bare + good)) == bare
