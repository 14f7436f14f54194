"""Every block that a page marks as runnable is run, in a scratch copy of the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from tests.walkthrough import (
    PAGES,
    ROOT,
    Block,
    blocks_of,
    deployed_repository,
    edit,
    is_as_shown,
    scratch_repository,
    shell,
    steps_of,
)

ELSEWHERE = ("stack", "backup")
OFFLINE = [
    page
    for page in PAGES
    if any(block.what == "runnable" and block.argument not in ELSEWHERE for block in blocks_of(page))
]


@pytest.mark.parametrize("page", OFFLINE, ids=[str(page.relative_to(ROOT)) for page in OFFLINE])
def test_page_can_be_followed(page: Path, tmp_path: Path) -> None:
    folder = scratch_repository(tmp_path / "repository")
    for step in steps_of(page):
        if step.run.argument in ELSEWHERE:
            continue
        for block in step.edits:
            edit(block, folder)
        done = shell(step.run, folder)
        where = f"{page.name}, line {step.run.line}:\n{step.run.text}\n"
        assert done.returncode == step.run.exit_code, where + done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr, where + done.stderr
        if step.prints is not None:
            assert is_as_shown(step.prints, done.stdout), where + done.stdout


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deployed_repository(tmp_path_factory.mktemp("deployed") / "repository")


WAYS_BACK = [(page, block) for page in PAGES for block in blocks_of(page) if block.argument == "backup"]


@pytest.mark.parametrize(
    ("page", "block"), WAYS_BACK, ids=[f"{page.stem}-{block.line}" for page, block in WAYS_BACK]
)
def test_the_way_back(page: Path, block: Block, deployed: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(deployed, tmp_path / "repository", symlinks=True))
    (backup,) = (each for each in folder.glob("config/backups/*") if each.suffix != ".sha256")
    # What the canary does is tried elsewhere; here it would only take its ten seconds.
    text = re.sub(r"(backups restore|aibackend reload)", r"\1 --no-canary", block.text)
    done = shell(replace(block, text=text.replace("NAME", backup.name)), folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^(deployed|unchanged: nothing to do)$", done.stdout, re.MULTILINE)
    assert "num_retries: 2" in (folder / "config" / "litellm-unified.yaml").read_text(encoding="utf-8")


def test_the_readme_shows_a_real_run(tmp_path: Path) -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8").partition("    $ cp ")[2]
    commands = ["cp " + shown.partition("\n")[0], *re.findall(r"^    \$ (.*)$", shown, re.MULTILINE)[:2]]
    script = "\n".join(commands).replace(".venv/bin/", "")
    terminal = "export COLUMNS=80; unset CI BUILD_NUMBER"  # with which pytest does not shorten its summary
    block = Block(line=0, what="runnable", argument="", language="sh", text=f"{terminal}\n{script}\n")
    done = shell(block, scratch_repository(tmp_path / "repository"))
    assert done.returncode == 1, done.stdout + done.stderr
    readme = textwrap.dedent("    " + shown.partition("\n    $ echo $?")[0]).split("--config broken\n")[1]
    assert comparable(readme) == comparable(done.stdout)


def comparable(text: str) -> list[str]:
    """Return the lines of a run without how long it took, and where the checks are installed."""
    lines = (re.sub(r" in [\d.]+s$", "", line) for line in text.strip().splitlines())
    return [re.sub(r"^FAILED .*?(checks/\S+).*", r"FAILED \1", line) for line in lines]


def test_every_marker_is_above_a_block() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        markers = re.findall(r"^ *<!-- (?:runnable|prints|into|is)\b.*-->$", text, re.MULTILINE)
        assert len(markers) == len(blocks_of(page)), page.name


SHELL = re.compile(
    r"(?:^ *<!-- (?P<marker>[\w-]+)[^\n]* -->\n+)?^ *```sh\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL
)


def test_every_fenced_shell_block_is_run() -> None:
    """What nobody should run, or only with things of one's own, is indented, or shows what to set."""
    for page in PAGES:
        for block in SHELL.finditer(page.read_text(encoding="utf-8")):
            assert block["marker"] in ("runnable", "client"), f"{page.name}: {block['text']}"


SCRIPTS = [
    (page, match[1])
    for page in PAGES
    for match in re.finditer(
        r"^```javascript\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
]


@pytest.mark.parametrize("text", [text for _, text in SCRIPTS], ids=[f"{n}" for n, _ in enumerate(SCRIPTS)])
def test_javascript_is_javascript(text: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node here")
    script = tmp_path / "example.mjs"
    script.write_text(text, encoding="utf-8")
    done = subprocess.run([node, "--check", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    script.write_text(text.replace("(", "((", 1), encoding="utf-8")
    assert subprocess.run([node, "--check", str(script)], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\n...\nc", "a\nb\nb\nc\n", True),
        ("a\n...\nc", "a\nc\n", True),
        ("a", "a\nb\n", False),
        ("a\n...", "b\na\n", False),
    ],
)
def test_output_is_compared_line_by_line(shown: str, printed: str, same: bool) -> None:
    assert is_as_shown(shown, printed) is same
