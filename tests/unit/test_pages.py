"""What the README and the pages say of commands, options, keys, exit codes and output is so."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.cli import build_parser, main
from pytest_aibackend.deploy.report import EXIT
from pytest_aibackend.sources.models import Deploy
from tests.walkthrough import NAMES, PAGES, ROOT

COMMAND = re.compile(
    r"(?:^ *(?:\$ )?|`)(?:[A-Z_]+=\S+ )?(?:sudo -u litellm /opt/aibackend/bin/)?(aibackend [^`\n]*)",
    re.MULTILINE,
)
MESSAGE = re.compile(
    r"^\| `aibackend [^`]*` \|(?=.*\|.*\|$)", re.MULTILINE
)  # a row of docs/troubleshooting.md
LINK = re.compile(r"(?<!!)\[[^]\n]*]\(([^)\s]+)\)")


def commands() -> list[str]:
    found = {
        re.split(r"\s+(?:#|&|>|\\?\||--\s)|\s{2,}", re.sub(r"[][]", "", match[1]) + " ")[0].strip()
        for page in PAGES
        for match in COMMAND.finditer(MESSAGE.sub("|", page.read_text()))
    }
    return sorted(found)


def test_there_are_commands() -> None:
    assert {"aibackend reload", "aibackend serve", "aibackend backups verify --all"} <= set(commands())


@pytest.mark.parametrize("line", commands())
def test_command_of_the_documentation_exists(line: str) -> None:
    words = shlex.split(line.rstrip("."))[1:]
    if words[0] == "COMMAND":
        assert words[1:] == ["--help"]
    elif words[0] == "check":  # what it does not know itself goes to pytest
        assert callable(build_parser().parse_known_args(words)[0].run)
    elif len(words) == 1:  # named in a sentence, perhaps without what it needs
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args([*words, "--help"])
        assert ended.value.code == 0
    else:
        assert callable(build_parser().parse_args(words).run)


# pytest and the scripts, where a page names them with what to give them.
PROGRAM = re.compile(
    r"(?:^ *|`|^)(?:\.venv/bin/)?((?:pytest|scripts/[\w-]+\.(?:sh|py)) (?=[\[\w./-]*[\]/.-])[^`\n]*)",
    re.MULTILINE,
)


def programs() -> list[str]:
    told = (match[1] for page in PAGES for match in PROGRAM.finditer(page.read_text(encoding="utf-8")))
    return sorted({re.sub(r"[][]|\s+#.*", "", line) for line in told})


@pytest.fixture(scope="module")
def help_of_pytest() -> str:
    command = [sys.executable, "-m", "pytest", "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("line", programs())
def test_options_and_files_of_a_program_exist(line: str, help_of_pytest: str) -> None:
    program, *words = line.split()
    known = help_of_pytest
    if program != "pytest":
        script = (ROOT / program).read_text(encoding="utf-8")
        known = script + (ROOT / "scripts" / "lib.sh").read_text(encoding="utf-8")
    for word in words:
        if word.startswith("-"):
            assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", known), word
        elif "/" in word:
            assert (ROOT / word).exists(), word


@pytest.mark.parametrize("page", ["QUICK-REFERENCE.md", "CHANGELOG.md"])
def test_page_names_every_command(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (choices,) = [each.choices for each in build_parser()._actions if isinstance(each.choices, dict)]
    assert len(choices) > 15
    assert [name for name in choices if not re.search(rf"`(?:aibackend )?{name}\b", text)] == []


def test_programs_are_seen() -> None:
    assert {
        "pytest checks/ -m critical",
        "pytest --live",
        "scripts/check-docs.py --write",
        "scripts/validate-all-configs.sh --json --critical --live",
    } <= set(programs())


def test_the_readme_lists_the_checks_as_they_are() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## What comes out")[2]
    rows = re.findall(r"^\| (\d+) ([\w-]+)[^|]*\| *(\w*) *\| *([^|]*?) *\|$", table, re.MULTILINE)
    wanted = [
        (
            str(check.number),
            check.slug,
            "critical" if check.critical else "",
            "all of it" if check.live else "who listens" if check.number == 6 else "",
        )
        for check in CHECKS.values()
    ]
    assert rows == wanted


def test_exit_codes_of_the_table() -> None:
    table = (
        (ROOT / "docs" / "operations.md").read_text().partition("| exit status | |")[2].partition("\n\n")[0]
    )
    assert {int(code) for code in re.findall(r"^\| (\d) \|", table, re.MULTILINE)} == {
        code for code in EXIT.values() if code < 128
    }


def test_keys_of_deploy() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    table = page.partition("| key | | default |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(Deploy.model_fields)
    assert f"`{Deploy().state_dir}`" in table
    assert f"`{Deploy().url}`" in table


def test_the_linter_says_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "from-validate-config.md").read_text()
    shown = textwrap.dedent(page.partition("    $ cat config.yaml\n")[2].partition("\n## ")[0])
    config, _, said = shown.partition("$ litellm ")
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(config)
    assert main(["lint", "config.yaml"]) == 1
    assert capsys.readouterr().out.strip() == said.partition("$ aibackend lint config.yaml\n")[2].strip()


def anchors(page: Path) -> set[str]:
    """Return what GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        led_to = page.parent / name if name else page
        assert led_to.exists(), target
        assert not anchor or anchor in anchors(led_to), target


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):(?!=)", makefile, re.MULTILINE))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:^ +|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"check", "lint", "test"} <= named <= targets


def test_layers_of_the_architecture() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = page.partition("## Layers")[2].partition("```mermaid\n")[2].partition("```")[0]
    drawn = [set(label.split(", ")) for label in re.findall(r'\["([^"]+)"\]', picture)]
    assert drawn == [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]
    packages = re.findall(r"^\| (`\w+`.*?) \|", page, re.MULTILINE)
    assert {name for row in packages for name in re.findall(r"`(\w+)`", row)} <= set().union(*drawn)


def test_overview_lists_every_page() -> None:
    overview = ROOT / "docs" / "index.md"
    listed = {
        (overview.parent / target).resolve() for target in LINK.findall(overview.read_text(encoding="utf-8"))
    }
    pages = {page for page in PAGES if ".serena" not in page.parts} - {overview, ROOT / "README.md"}
    assert pages <= listed
