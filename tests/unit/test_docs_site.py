"""The documentation site: it builds without a warning, has every page, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.fakes.browser import Page
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


def waited(condition: str) -> str:
    """Return what says whether something has come true within half a minute."""
    return (
        "new Promise(done => { const end = Date.now() + 30000; const look = () => "
        f"({condition}) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 50); look() }})"
    )


def test_every_page_is_on_the_site(site: Path) -> None:
    there = {page.stem for page in site.glob("*.html")}
    assert {page.stem for page in PAGES if page.parent in (ROOT, ROOT / "docs")} - {"README"} <= there
    assert {"systemd", "index", "pages"} <= there
    home, pages = ((site / f"{name}.html").read_text(encoding="utf-8") for name in ("index", "pages"))
    assert "Your LLM gateway has a configuration" in home, "the site begins as the repository does"
    assert "every message that is no finding" in pages
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


def test_every_link_leads_somewhere(site: Path) -> None:
    """Within the site, to a file that is there, and to an anchor that it has."""
    anchors = {
        page.name: set(re.findall(r"\bid=[\"']?([^\"'\s>]+)", page.read_text(encoding="utf-8")))
        for page in site.glob("*.html")
    }
    followed = 0
    for page in site.glob("*.html"):
        if page.name == "404.html":  # its addresses are those of a server
            continue
        for target in re.findall(r"<a\b[^>]*\bhref=[\"']?([^\"'\s>]+)", page.read_text(encoding="utf-8")):
            name, _, anchor = unescape(target).partition("#")
            if re.match(r"https?:|mailto:", name):
                continue
            name = unquote(name)
            name = page.name if name in ("", ".") else name
            assert (site / name).exists(), f"{page.name}: {target}"
            assert not anchor or unquote(anchor) in anchors[name], f"{page.name}: {target}"
            followed += 1
    assert followed > 1000


def test_the_search_works_without_a_server(site: Path, chromium: Page) -> None:
    chromium.open(site / "index.html", width=1400)
    chromium.press("/")
    focused = "document.activeElement.matches('.md-search__input')"
    assert chromium.ask(waited(focused))
    chromium.type("unknown-provider")
    chromium.ask("document.activeElement.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}))")
    found = "document.querySelector('.md-search-result__item a[href*=\"checks.html\"]')"
    assert chromium.ask(waited(f"{found} !== null"))
    assert "unknown-provider" in chromium.ask(f"{found}.closest('li').textContent")


def test_colours_follow_the_system(site: Path, chromium: Page) -> None:
    seen = []
    for prefers in ("light", "dark", "light"):
        features = [{"name": "prefers-color-scheme", "value": prefers}]
        chromium("Emulation.setEmulatedMedia", features=features)
        chromium.open(site / "ci.html")
        colour = chromium.ask("getComputedStyle(document.body).backgroundColor")
        seen.append(sum(int(part) for part in re.findall(r"\d+", colour)[:3]) > 384)
    assert seen == [True, False, True]


def test_an_option_is_not_broken_in_two(site: Path, chromium: Page) -> None:
    """At any width: a browser would begin a new line after a hyphen."""
    for width in (1000, 400):
        chromium.open(site / "troubleshooting.html", width=width)
        broken = chromium.ask(
            "[...document.querySelectorAll('code .word')].filter(e => e.getClientRects().length > 1).length"
        )
        words = chromium.ask("[...document.querySelectorAll('code .word')].map(e => e.textContent)")
        assert broken == 0
        assert {"--config", "--output", "aibackend"} <= set(words)
        assert chromium.ask("document.documentElement.scrollWidth <= innerWidth")


def test_diagrams_are_drawn(site: Path, chromium: Page, tmp_path: Path) -> None:
    if not MERMAID.is_file():
        pytest.skip("Mermaid is not installed: npm install in tests/mermaid")
    chromium.open(site / "architecture.html", width=1400)
    assert chromium.ask(
        waited("document.querySelector('div.mermaid') && !document.querySelector('pre.mermaid')")
    )
    drawn = "document.querySelectorAll('div.mermaid').length"
    diagrams = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").count("```mermaid")
    assert chromium.ask(drawn) == diagrams
    assert chromium.ask("[...document.querySelectorAll('div.mermaid')].every(e => e.offsetHeight > 100)")
    assert len(chromium.screenshot(tmp_path / "architecture.png")) > 50_000
