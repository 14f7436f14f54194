"""The documentation site: it builds without a warning, has every page, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.browser import Page, browser, find_chromium
from tests.walkthrough import PAGES, ROOT

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("browser")]
MERMAID = ROOT / "tests" / "mermaid" / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=[\"']?(https?:|//)", re.IGNORECASE
)
LINKED = re.compile(r"<link\b[^>]*\bhref=[\"']?(?:https?:|//)", re.IGNORECASE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    target = tmp_path_factory.mktemp("site") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium or Chrome on PATH")
    with browser(program) as page:
        yield page


def test_every_page_is_on_the_site(site: Path) -> None:
    there = {page.stem for page in site.glob("*.html")}
    assert {page.stem for page in PAGES if page.parent in (ROOT, ROOT / "docs")} - {"README"} <= there
    assert {"systemd", "index"} <= there
    assert (site / "search" / "search_index.json").stat().st_size > 10_000


def test_nothing_is_named_to_be_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert not LOADED.search(text), page.name
        assert not LINKED.search(text), page.name
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:", style.read_text(encoding="utf-8")), style.name
    for script in site.glob("assets/javascripts/*.js"):
        assert "unpkg.com" not in script.read_text(encoding="utf-8"), script.name


def test_nothing_is_asked_for_elsewhere(site: Path, chromium: Page) -> None:
    for name in ("index.html", "architecture.html", "checks.html", "CONFIG-SCHEMA.html"):
        chromium.requests.clear()
        chromium.open(site / name)
        assert chromium.requests
        assert [url for url in chromium.requests if not url.startswith(("file:", "data:", "about:"))] == []


def test_diagrams_are_drawn(site: Path, chromium: Page, tmp_path: Path) -> None:
    if not MERMAID.is_file():
        pytest.skip("Mermaid is not installed: npm install in tests/mermaid")
    chromium.open(site / "architecture.html", width=1400)
    drawn = (
        "new Promise(done => { const look = () => {"
        " const drawn = document.querySelectorAll('div.mermaid').length;"
        " drawn && !document.querySelector('pre.mermaid') ? done(drawn) : setTimeout(look, 100) }; look() })"
    )
    diagrams = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").count("```mermaid")
    assert chromium.ask(drawn) == diagrams
    assert chromium.ask("[...document.querySelectorAll('div.mermaid')].every(e => e.offsetHeight > 100)")
    assert len(chromium.screenshot(tmp_path / "architecture.png")) > 50_000
