"""Pages against the configuration, the checks and the rules: what has to change, and changing it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pytest_aibackend.findings import Finding, Location, Severity, sort_findings
from pytest_aibackend.pages.blocks import Block, blocks_of, filled
from pytest_aibackend.pages.expected import MEMORIES, PATTERNS, REQUIRED, WHOLE
from pytest_aibackend.pages.parts import PARTS
from pytest_aibackend.sources.backend import Backend, load_backend

__all__ = ["check_pages", "findings_of", "page_with_parts"]

_PORT: Final = re.compile(r"(?:127\.0\.0\.1:|localhost:|\bport )(\d{2,5})\b")
_CONFLICT: Final = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
_READ: Final = ("providers", "model-mappings", "ports", "gateway")
_WRITE: Final = "scripts/check-docs.py --write brings it up to date"


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page: what it says, and what it should say."""

    name: str
    path: Path
    text: str
    expected: str
    findings: tuple[Finding, ...]


def check_pages(root: Path, config_dir: Path, *, write: bool) -> int:
    """Print what does not agree; return 0 where all does, 1 where not, 2 for wrong usage."""
    if not config_dir.is_dir():
        print(f"check-docs: there is no configuration directory {config_dir}", file=sys.stderr)
        return 2
    backend = load_backend(config_dir)
    unread = [finding for role in _READ for finding in backend.load_findings(role)]
    if not unread and write:
        for page in _pages(root, backend):
            if page.text != page.expected:
                page.path.write_text(page.expected, encoding="utf-8")
                print(f"{page.name} written")
    found = unread or findings_of(root, backend)
    for finding in found:
        print(f"{finding}\n  hint: {finding.hint}")
    if not found:
        print(f"{sum(1 for _ in _pages(root, backend))} pages agree with {config_dir} and with the rules")
    return int(bool(found))


def findings_of(root: Path, backend: Backend) -> list[Finding]:
    """Return where pages do not agree with a backend whose sources could be read."""
    pages = {page.name: page for page in _pages(root, backend)}
    found = [finding for page in pages.values() for finding in page.findings]
    for name, page in pages.items():
        found += _conflicts(name, page.text)
        if name.startswith(MEMORIES):
            found += _ports_of_nobody(name, page.text, backend)
    for name, parts in REQUIRED.items():
        if name in pages and any(each.rule == "unreadable-page" for each in pages[name].findings):
            continue
        if name not in pages or not pages[name].text.strip():
            trouble = "empty" if name in pages else "missing"
            found.append(_finding("missing-page", name, None, f"the page is {trouble}", "write it"))
            continue
        there = {block.name for block in blocks_of(pages[name].text, PARTS)[0]}
        found += [
            _finding("missing-part", name, 1, f"the page has no part <!-- {part} -->", "add the two comments")
            for part in parts
            if part not in there
        ]
    return sort_findings(found)


def _conflicts(name: str, text: str) -> Iterator[Finding]:
    """Find what a merge has left for somebody to decide."""
    for match in _CONFLICT.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        message = "a merge left both sides in the page"
        yield _finding("merge-conflict", name, line, message, "keep one of them, and remove the marks")


def _ports_of_nobody(name: str, text: str, backend: Backend) -> Iterator[Finding]:
    """Find the ports of this machine that a memory names beside its generated parts, and no service has."""
    known = {str(entry.port) for entry in backend.ports.values()}
    parts = blocks_of(text, PARTS)[0]
    for match in _PORT.finditer(text):
        if match[1] not in known and not any(part.start <= match.start() < part.end for part in parts):
            line = text.count("\n", 0, match.start()) + 1
            message = f"the page names port {match[1]}, which no service of ports.yaml has"
            yield _finding("unknown-port", name, line, message, "name the service's port as it is now")


def _pages(root: Path, backend: Backend) -> Iterator[Page]:
    there = {path for pattern in PATTERNS for path in root.glob(pattern)}
    for path in sorted(there | {root / name for name in WHOLE}):
        name = path.relative_to(root).as_posix()
        try:
            text = path.read_text(encoding="utf-8") if path in there else ""
        except (OSError, UnicodeDecodeError) as error:
            yield _unreadable(name, path, error)
            continue
        yield _whole(name, path, text) if name in WHOLE else page_with_parts(name, path, text, backend)


def _unreadable(name: str, path: Path, error: OSError | UnicodeDecodeError) -> Page:
    line = error.object.count(b"\n", 0, error.start) + 1 if isinstance(error, UnicodeDecodeError) else None
    reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror
    found = _finding("unreadable-page", name, line, f"the page cannot be read: {reason}", "mend or remove it")
    return Page(name=name, path=path, text="", expected="", findings=(found,))


def _whole(name: str, path: Path, text: str) -> Page:
    expected = WHOLE[name]()
    findings: tuple[Finding, ...] = ()
    if not text:
        findings = (_finding("missing-page", name, None, "the page is missing", _WRITE),)
    elif text != expected:
        message = "the page is not what the code says of itself"
        findings = (_finding("stale-page", name, _first_difference(text, expected), message, _WRITE),)
    return Page(name=name, path=path, text=text, expected=expected, findings=findings)


def page_with_parts(name: str, path: Path, text: str, backend: Backend) -> Page:
    """Return a page that has generated parts, or none."""
    blocks, troubles = blocks_of(text, PARTS)
    findings = [
        _finding("broken-part", name, trouble.line, trouble.message, "mend the comment")
        for trouble in troubles
    ]
    contents = {block.name: PARTS[block.name](backend) for block in blocks}
    for block in blocks:
        findings += _stale(name, block, text[block.start : block.end].strip(), contents[block.name])
    # What stands below a broken comment may be anybody's words.
    expected = text if troubles else filled(text, blocks, contents.__getitem__)
    return Page(name=name, path=path, text=text, expected=expected, findings=tuple(findings))


def _stale(name: str, block: Block, text: str, expected: str) -> Iterator[Finding]:
    if text == expected:
        return
    line = block.line + 1 + _first_difference(text, expected)
    lacks = [row for row in expected.splitlines() if row not in text.splitlines()]
    message = f"the part {block.name} does not agree with the configuration" + (
        f"; it lacks {lacks[0]}" if lacks else "; it says too much"
    )
    yield _finding("stale-part", name, line, message, _WRITE)


def _first_difference(text: str, expected: str) -> int:
    """Return the first line, from 1, in which two texts differ."""
    ours, theirs = text.splitlines(), expected.splitlines()
    same = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)
    return (min(len(ours), len(theirs)) if same is None else same) + 1


def _finding(rule: str, name: str, line: int | None, message: str, hint: str) -> Finding:
    place = Location(file=name, line=line)
    return Finding(
        rule=rule, severity=Severity.ERROR, message=message, hint=hint, location=place, subject=name
    )
