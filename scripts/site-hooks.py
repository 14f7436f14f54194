"""Pages of the site outside of docs/, links between them, diagrams and search without a CDN."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.superfences import fence_code_format

ROOT: Final = Path(__file__).resolve().parents[1]
# Where the pages that do not stand in docs/ come on the site.
PLACES: Final = {
    "QUICK-REFERENCE.md": "QUICK-REFERENCE.md",
    "CONFIG-SCHEMA.md": "CONFIG-SCHEMA.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "SECURITY.md": "SECURITY.md",
    "deploy/systemd/README.md": "systemd.md",
    "deploy/systemd": "systemd.md",
    "README.md": "index.md",
    "docs/index.md": "pages.md",
}
MERMAID: Final = ROOT / "tests" / "mermaid" / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
LINK: Final = re.compile(r"(?<!!)\[([^]\n]*)]\(([^)\s]+)\)")
CODE: Final = re.compile(r"<code>([^<\n]*)</code>")
WORD: Final = re.compile(r"(?:&[#\w]+;|[^\s&<]){2,30}(?![^\s<])")  # longer ones may have to be broken
# The theme loads these two from there when they are missing; they are not.
ELSEWHERE: Final = re.compile(r"https://unpkg\.com/[\w.@/-]+")

log = logging.getLogger("mkdocs.hooks.site")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have Mermaid diagrams drawn, where Mermaid is here."""
    if not MERMAID.is_file():
        log.info("Mermaid is not installed (npm install in tests/mermaid): diagrams are shown as their text")
        return config
    fence = {"name": "mermaid", "class": "mermaid", "format": fence_code_format}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    config.extra_javascript = ["assets/mermaid.min.js"]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand elsewhere."""
    for source, place in PLACES.items():
        if (ROOT / source).is_file():
            if already := files.get_file_from_path(place):
                files.remove(already)
            files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    if MERMAID.is_file():
        files.append(File.generated(config, "assets/mermaid.min.js", abs_src_path=str(MERMAID)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead each link to where its page is on the site; what is not on it keeps its text alone."""
    here = (ROOT / _source_of(page.file.src_uri)).parent

    def lead(match: re.Match[str]) -> str:
        text, target = match.groups()
        name, hash_, anchor = target.partition("#")
        if "://" in target or not name:
            return match[0]
        wanted = (here / name).resolve().relative_to(ROOT).as_posix()
        place = PLACES.get(wanted) or (wanted.removeprefix("docs/") if wanted.startswith("docs/") else None)
        return text if place is None else f"[{text}]({place}{hash_}{anchor})"

    return LINK.sub(lead, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Keep options and names whole: a browser would begin a new line after any of their hyphens."""

    def keep(match: re.Match[str]) -> str:
        words = WORD.sub(r'<span class="word">\g<0></span>', match[1])
        return f"<code>{words}</code>"

    return CODE.sub(keep, html)


def on_post_build(config: MkDocsConfig) -> None:
    """Take out of the theme's script what it would load from elsewhere."""
    for script in Path(config.site_dir).glob("assets/javascripts/*.js"):
        text = script.read_text(encoding="utf-8")
        if ELSEWHERE.search(text):
            script.write_text(ELSEWHERE.sub("data:text/javascript,", text), encoding="utf-8")


def _source_of(place: str) -> str:
    for source, there in PLACES.items():
        if there == place and (ROOT / source).is_file():
            return source
    return f"docs/{place}"
