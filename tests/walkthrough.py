"""A page of the documentation, followed: the blocks of it that say what to do, and a place to do it in.

A comment right above a block says what it is; readers do not see it.

    <!-- runnable -->                 a shell block that ends with 0
    <!-- runnable: exit 1 -->         one that ends with 1
    <!-- runnable: backup -->         one that needs a reload to have been; NAME is the backup that it made
    <!-- runnable: stack -->          one that needs the embedded stack (tests/stack/test_consuming_api.py)
    <!-- prints -->                   what the block before it prints; a line `...` stands for any lines
    <!-- into FILE, under KEY -->     lines to add in FILE below the line `KEY:`, which the block may repeat
    <!-- into FILE, above KEY -->     lines to add before it
    <!-- is FILE -->                  a whole file
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob(".serena/memories/*.md")),
    ROOT / "deploy" / "systemd" / "README.md",
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_BLOCK = re.compile(
    r"^(?P<indent> *)<!-- (?P<what>runnable|prints|into|is)(?P<rest>[^>\n]*) -->\n"
    r" *```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_COPIED = (".serena", "config", "examples", "scripts", "checks", "deploy", "docs")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One marked block of a page."""

    line: int
    what: str
    argument: str
    language: str
    text: str

    @property
    def exit_code(self) -> int:
        found = re.search(r"exit (\d+)", self.argument)
        return int(found[1]) if found else 0


@dataclass(frozen=True, kw_only=True)
class Step:
    """A block that is run, what has to be written before it, and what it prints if the page shows it."""

    edits: tuple[Block, ...]
    run: Block
    prints: str | None


def blocks_of(page: Path) -> list[Block]:
    """Return the marked blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            line=text.count("\n", 0, match.start()) + 1,
            what=match["what"],
            argument=match["rest"].lstrip(": "),
            language=match["language"],
            text=textwrap.dedent(match["text"]),
        )
        for match in _BLOCK.finditer(text)
    ]


def steps_of(page: Path) -> Iterator[Step]:
    """Yield what a reader does, in order."""
    blocks = blocks_of(page)
    edits: list[Block] = []
    for number, block in enumerate(blocks):
        if block.what in ("into", "is"):
            edits.append(block)
        elif block.what == "runnable":
            following = blocks[number + 1] if number + 1 < len(blocks) else None
            shown = following.text if following and following.what == "prints" else None
            yield Step(edits=tuple(edits), run=block, prints=shown)
            edits.clear()
    assert not edits, f"{page.name}: nothing is run after the block of line {edits[0].line}"


def scratch_repository(target: Path) -> Path:
    """Return a copy of what the pages speak of, as a git repository with one commit.

    `config.yaml` in it is a LiteLLM configuration that somebody wrote by hand; `.venv` is set up.
    """
    for name in _COPIED:
        ignored = shutil.ignore_patterns("__pycache__", ".aibackend", "backups")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for page in ROOT.glob("*.md"):
        shutil.copy(page, target)
    generated = (ROOT / "config" / "litellm-unified.yaml").read_text(encoding="utf-8")
    (target / "config.yaml").write_text(generated.partition("\n\n")[2], encoding="utf-8")
    (target / ".gitignore").write_text(".venv\n.aibackend/\n", encoding="utf-8")
    (target / ".venv").mkdir()
    (target / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    for words in ("init --quiet -b main", "add .", "commit --quiet -m before"):
        subprocess.run(["git", *words.split()], cwd=target, env=environment(target), check=True)
    return target


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a reader whose virtual environment is active."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_", "GIT_", "LITELLM_"))
    }
    identity = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (
        ("NAME", "reader"), ("EMAIL", "reader@example.org"))}  # fmt: skip
    programs = Path(sys.executable).parent
    return {
        **kept,
        **identity,
        "HOME": str(home),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
        "GIT_EDITOR": "true",
    }


def deployed_repository(target: Path) -> Path:
    """Return a copy in which a change was committed and deployed, with no service to be told of it."""
    folder = scratch_repository(target)
    gateway = folder / "config" / "gateway.yaml"
    text = gateway.read_text(encoding="utf-8").replace("num_retries: 2", "num_retries: 3")
    service = "kind: systemd-user\n    name: litellm.service"
    assert service in text
    gateway.write_text(text.replace(service, "kind: none"), encoding="utf-8")
    deploy = "scripts/reload-litellm-config.sh --force --no-canary && git commit --quiet --all -m change"
    done = shell(Block(line=0, what="runnable", argument="", language="sh", text=deploy), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("deployed\n")
    return folder


def edit(block: Block, folder: Path) -> None:
    """Do what an `into` or an `is` block says."""
    name, _, where = block.argument.partition(", ")
    target = folder / name
    if block.what == "is":
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text, encoding="utf-8")
        return
    preposition, _, key = where.partition(" ")
    lines = target.read_text(encoding="utf-8").splitlines(keepends=True)
    (place,) = [number for number, line in enumerate(lines) if line.rstrip() == f"{key}:"]
    place += {"under": 1, "above": 0}[preposition]
    body = block.text.removeprefix(f"{key}:\n")
    target.write_text("".join([*lines[:place], body, *lines[place:]]), encoding="utf-8")


def shell(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell block."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def is_as_shown(shown: str, printed: str) -> bool:
    """Say whether `printed` is what the page shows, where `...` stands for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()) + r"\s*\n"
        for line in shown.strip().splitlines()
    )
    return re.fullmatch(pattern, printed.strip("\n") + "\n") is not None
