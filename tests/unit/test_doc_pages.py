"""scripts/check-docs.py: the pages and the memories agree with config/ and with the rules."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import pytest_aibackend
from pytest_aibackend.pages.blocks import blocks_of, filled
from pytest_aibackend.pages.check import check_pages, findings_of, page_with_parts
from pytest_aibackend.pages.expected import REQUIRED, WHOLE
from pytest_aibackend.pages.parts import PARTS
from pytest_aibackend.pages.tables import TABLES
from pytest_aibackend.sources.backend import load_backend

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "check-docs.py"
MEMORIES = ROOT / ".serena" / "memories"
NAMES = (
    "01-architecture",
    "02-provider-registry",
    "03-routing-config",
    "04-model-mappings",
    "05-integration-guide",
    "06-troubleshooting-patterns",
    "07-operational-runbooks",
    "08-testing-patterns",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the pages and the configuration."""
    for name in {*REQUIRED, *WHOLE}:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path


def told(root: Path) -> list[str]:
    return [str(finding) for finding in findings_of(root, load_backend(root / "config"))]


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_repository_agrees_with_itself() -> None:
    found = findings_of(ROOT, load_backend(ROOT / "config"))
    assert not found, "\n".join(map(str, found))


def test_the_eight_memories() -> None:
    assert sorted(path.stem for path in MEMORIES.iterdir()) == sorted(NAMES)
    for name in NAMES:
        text = (MEMORIES / f"{name}.md").read_text(encoding="utf-8")
        assert text.count("\nThe truth: ") == 1, f"{name} does not say where the truth is"
        assert len(text.splitlines()) < 90, f"{name} is no longer short"


@pytest.mark.parametrize("name", NAMES)
def test_paths_that_a_memory_names_exist(name: str) -> None:
    text = (MEMORIES / f"{name}.md").read_text(encoding="utf-8")
    text = filled(text, blocks_of(text, PARTS)[0], lambda part: part)
    named = [
        word
        for word in re.findall(r"`([\w.-]+(?:/[\w.-]*)+)`", text)
        if not word.startswith(("/", "os.environ/"))
    ]
    places = (ROOT, ROOT / "pytest_aibackend")
    assert [word for word in named if not any((place / word).exists() for place in places)] == []


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        (
            "ports.yaml",
            "  port: 8001\n",
            "  port: 8005\n",
            {".serena/memories/02-provider-registry.md", "QUICK-REFERENCE.md"},
        ),
        (
            "providers.yaml",
            "  llama_cpp_native:\n    type",
            "  native:\n    type",
            {
                ".serena/memories/02-provider-registry.md",
                ".serena/memories/04-model-mappings.md",
                "docs/architecture.md",
            },
        ),
        (
            "providers.yaml",
            "base_url: http://127.0.0.1:8001",
            "base_url: http://127.0.0.1:8005",
            {".serena/memories/02-provider-registry.md", "docs/architecture.md"},
        ),
        (
            "gateway.yaml",
            "url: http://127.0.0.1:4000",
            "url: http://127.0.0.1:4001",
            {"docs/architecture.md", "docs/consuming-api.md"},
        ),
        ("gateway.yaml", "    port: 6379", "    port: 6380", {"docs/architecture.md"}),
        (
            "model-mappings.yaml",
            "  nomic-embed-text:\n",
            "  embed:\n",
            {".serena/memories/04-model-mappings.md"},
        ),
        (
            "model-mappings.yaml",
            "chain: [qwen-coder-vllm, llama3.1:8b]",
            "chain: [llama3.1:8b]",
            {".serena/memories/03-routing-config.md"},
        ),
        ("gateway.yaml", "num_retries: 2", "num_retries: 3", {".serena/memories/03-routing-config.md"}),
    ],
    ids=["port", "provider", "address", "gateway", "cache", "name", "chain", "setting"],
)
def test_a_change_of_the_configuration_is_missed(
    copy: Path, file: str, old: str, new: str, stale: set[str]
) -> None:
    assert told(copy) == []
    replace(copy / "config" / file, old, new)
    found = findings_of(copy, load_backend(copy / "config"))
    assert {finding.rule for finding in found} == {"stale-part"}
    assert stale <= {finding.location.file for finding in found}
    for finding in found:
        line = (
            (copy / finding.location.file)
            .read_text(encoding="utf-8")
            .splitlines()[(finding.location.line or 0) - 1]
        )
        assert line.startswith(("|", "  ", "export ")), "the finding points at the row"
    assert check_pages(copy, copy / "config", write=True) == 0
    assert told(copy) == []


@pytest.mark.parametrize(
    ("name", "part"), [(name, part) for name, parts in REQUIRED.items() for part in parts]
)
def test_no_row_can_be_taken_out(name: str, part: str) -> None:
    """Neither a row nor a letter of one: each is told with page, line and the command that mends it."""
    backend = load_backend(ROOT / "config")
    text = (ROOT / name).read_text(encoding="utf-8")
    (block,) = [each for each in blocks_of(text, PARTS)[0] if each.name == part]
    lines = text.splitlines(keepends=True)
    end = text.count("\n", 0, block.end)
    rows = [number for number in range(block.line, end) if re.search(r"\w", lines[number])]
    assert rows
    for number in rows:
        for instead in ("", lines[number].replace("e", "x", 1).replace("6", "7", 1)):
            if instead == lines[number]:
                continue
            broken = "".join([*lines[:number], instead, *lines[number + 1 :]])
            (found,) = page_with_parts(name, ROOT / name, broken, backend).findings
            assert found.rule == "stale-part"
            assert (found.location.file, found.location.line) == (name, number + 1), lines[number]
            assert found.hint.startswith("scripts/check-docs.py --write ")


def test_a_rule_that_no_page_has(copy: Path) -> None:
    replace(copy / "docs" / "checks.md", "### port-conflict\n", "### another\n")
    (found,) = told(copy)
    assert re.match(r"docs/checks\.md:\d+: error: stale-page: ", found)


def test_pages_and_parts_that_are_missing(copy: Path) -> None:
    (copy / ".serena/memories/05-integration-guide.md").unlink()
    (copy / "docs/lint.md").unlink()
    page = copy / ".serena/memories/03-routing-config.md"
    page.write_text(page.read_text(encoding="utf-8").partition("<!-- settings -->")[0], encoding="utf-8")
    memory = ".serena/memories/03-routing-config.md"
    assert told(copy) == [
        f"{memory}:1: error: missing-part: the page has no part <!-- settings -->",
        ".serena/memories/05-integration-guide.md: error: missing-page: the page is missing",
        "docs/lint.md: error: missing-page: the page is missing",
    ]
    assert check_pages(copy, copy / "config", write=True) == 1
    assert [finding.partition(":")[0] for finding in told(copy)] == [
        ".serena/memories/03-routing-config.md",
        ".serena/memories/05-integration-guide.md",
    ]


def test_a_memory_that_says_nothing_or_names_a_port_of_nobody(copy: Path) -> None:
    empty, wrong = ".serena/memories/01-architecture.md", ".serena/memories/05-integration-guide.md"
    (copy / empty).write_text("\n", encoding="utf-8")
    lines = len((ROOT / wrong).read_text(encoding="utf-8").splitlines())
    with (copy / wrong).open("a", encoding="utf-8") as file:
        file.write(
            "The gateway is at port 4000, http://127.0.0.1:4000.\nIt was at http://localhost:4001/v1.\n"
        )
    names = "the page names port 4001, which no service of ports.yaml has"
    assert told(copy) == [
        f"{empty}: error: missing-page: the page is empty",
        f"{wrong}:{lines + 2}: error: unknown-port: {names}",
    ]


def test_a_ninth_memory_is_read_as_the_eight(copy: Path) -> None:
    page = copy / ".serena/memories/09-more.md"
    page.write_text("# More\n\nIt listens on 127.0.0.1:4001.\n", encoding="utf-8")
    names = "the page names port 4001, which no service of ports.yaml has"
    assert told(copy) == [f".serena/memories/09-more.md:3: error: unknown-port: {names}"]


def test_what_a_merge_left(copy: Path) -> None:
    page = copy / "docs/architecture.md"
    lines = len(page.read_text(encoding="utf-8").splitlines())
    with page.open("a", encoding="utf-8") as file:
        file.write("<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> topic\n")
    left = "error: merge-conflict: a merge left both sides in the page"
    assert told(copy) == [f"docs/architecture.md:{lines + line}: {left}" for line in (1, 5)]


def test_pages_that_cannot_be_read(copy: Path) -> None:
    memory = copy / ".serena/memories/02-provider-registry.md"
    memory.write_bytes(b"# Providers\n\ncaf\xe9\n")
    (copy / "docs/gone.md").symlink_to("nowhere")
    (copy / "docs/lint.md").unlink()
    (copy / "docs/lint.md").mkdir()
    cannot = "error: unreadable-page: the page cannot be read"
    assert told(copy) == [
        f".serena/memories/02-provider-registry.md:3: {cannot}: it is not UTF-8",
        f"docs/gone.md: {cannot}: No such file or directory",
        f"docs/lint.md: {cannot}: Is a directory",
    ]
    assert check_pages(copy, copy / "config", write=True) == 1
    assert memory.read_bytes() == b"# Providers\n\ncaf\xe9\n"


def test_the_script(copy: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(SCRIPT), "--root", str(copy), *arguments],
            env={"PYTHONPATH": str(Path(pytest_aibackend.__file__).parents[1]), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run().returncode == 0
    replace(copy / "config" / "ports.yaml", "  port: 6379\n", "  port: 6380\n")
    done = run()
    assert done.returncode == 1
    assert "it lacks | 6380 | `redis`" in done.stdout
    assert run("--write").returncode == 0
    assert run().returncode == 0
    (copy / "config" / "ports.yaml").write_text("a: [\n", encoding="utf-8")
    done = run("--write")
    assert done.returncode == 1
    assert "ports.yaml:2:1: error: " in done.stdout
    assert run("--config", str(copy / "none")).returncode == 2
    assert "Traceback" not in done.stderr


def test_the_script_outside_of_the_environment() -> None:
    command = [sys.executable, "-S", "-E", str(SCRIPT)]  # -S: nothing that is installed is seen
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("check-docs: aibackend is not installed for this Python\n  hint: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- ports -->\n", "<!-- ports --> is never closed"),
        ("<!-- ports -->\n<!-- ports -->\n<!-- /ports -->\n", "<!-- ports --> is never closed"),
        ("<!-- /ports -->\n", "<!-- /ports --> closes nothing"),
        ("<!-- ports -->\n<!-- /providers -->\n<!-- /ports -->\n", "<!-- /providers --> closes nothing"),
        ("<!-- prots -->\n<!-- /prots -->\n", "<!-- /prots --> closes nothing; known are checks, "),
    ],
)
def test_a_comment_that_does_not_do_what_it_seems_to(text: str, message: str) -> None:
    _, troubles = blocks_of(text, PARTS)
    assert [trouble.message.startswith(message) for trouble in troubles] == [True]


HOSTILE = st.text(st.sampled_from("ab|`*_<>&@\\\"' \n[]()-!#"), min_size=1, max_size=12)


@given(HOSTILE, HOSTILE)
def test_no_name_breaks_a_table(name: str, description: str) -> None:
    """A row stays one row of its table, and no part of it ends the generated part."""
    provider = {
        "type": "ollama",
        "base_url": "http://127.0.0.1:11434",
        "description": description,
        "models": [name],
    }
    sources = {
        "providers.yaml": {"providers": {name: provider}},
        "model-mappings.yaml": {
            "exact_matches": {name: {"provider": name}},
            "fallback_chains": {name: [description, name], "default": [name]},
        },
        "ports.yaml": {name: {"port": 11434, "description": description}},
        "gateway.yaml": {"router_settings": {name: description}},
    }
    with tempfile.TemporaryDirectory() as folder:
        for file, data in sources.items():
            Path(folder, file).write_text(yaml.safe_dump(data), encoding="utf-8")
        backend = load_backend(Path(folder))
        for table in (make(backend) for make in TABLES.values()):
            rows = table.splitlines()
            assert {len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) for row in rows} == {
                rows[1].count("|")
            }
        for part in (make(backend) for make in PARTS.values()):
            assert blocks_of(part, PARTS) == ([], [])
            assert part.count("```") in (0, 2)
            assert part.count('"') % 2 == 0 or "```mermaid" not in part


PIECES = st.sampled_from(
    [
        "words\n",
        "\n",
        "<!-- ports -->\n",
        "<!-- /ports -->\n",
        "<!-- checks -->\n",
        "<!-- /checks -->\n",
        "`<!-- x -->`\n",
    ]
)


@given(st.lists(PIECES).map("".join))
def test_to_fill_a_page_twice_is_to_fill_it_once(text: str) -> None:
    blocks, troubles = blocks_of(text, PARTS)
    once = filled(text, blocks, lambda name: f"the {name}")
    assert filled(once, blocks_of(once, PARTS)[0], lambda name: f"the {name}") == once
    if not troubles:
        assert markers(once) == markers(text)


def markers(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("<!--")]


def test_a_page_with_a_broken_comment_is_not_written(copy: Path) -> None:
    page = copy / "QUICK-REFERENCE.md"
    replace(page, "<!-- /ports -->", "no end\n\n<!-- checks -->\n\n<!-- /checks -->")
    before = page.read_text(encoding="utf-8")
    assert check_pages(copy, copy / "config", write=True) == 1
    assert page.read_text(encoding="utf-8") == before
