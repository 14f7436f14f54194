"""SECURITY.md: what is offline opens no connection, and code that a configuration names is not run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.walkthrough import ROOT, environment, scratch_repository

# Python itself tells the hook of every connection and every look-up of a name.
WATCHED = """
import sys
from pytest_aibackend.cli import main

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        with open("asked", "a") as asked:
            print(event, arguments, file=asked)

sys.addaudithook(watch)
sys.exit(main(sys.argv[1:]))
"""
# What is imported runs.
TRAP = "open('run', 'w').close()\n\nclass Handler:\n    pass\n\nhandler = Handler()\n"
COMMANDS = (
    "check",
    "check --json --critical",
    "lint config/litellm-unified.yaml with-code.yaml",
    "diff HEAD",
    "diff config examples/embedded",
    "graph --output graph.html",
    "generate",
    "generate --check",
    "import with-code.yaml --output imported",
    "schema litellm",
    "docs checks",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scratch copy, with a configuration that names a callback of one's own."""
    folder = scratch_repository(tmp_path_factory.mktemp("offline") / "repository")
    text = (folder / "config" / "litellm-unified.yaml").read_text(encoding="utf-8")
    with_code = text.replace("litellm_settings:\n", "litellm_settings:\n  callbacks: [trap.handler]\n")
    assert with_code != text
    (folder / "with-code.yaml").write_text(with_code.partition("\n\n")[2], encoding="utf-8")
    (folder / "trap.py").write_text(TRAP, encoding="utf-8")
    return folder


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "asked").write_text("")
    return subprocess.run(
        [sys.executable, "-c", WATCHED, *command.split()],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_offline_is_offline_and_runs_nothing(command: str, folder: Path) -> None:
    done = run(command, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "asked").read_text() == ""
    assert not list(folder.rglob("run"))


def test_the_watch_sees_a_connection(folder: Path) -> None:
    run("check --live -k redis", folder)
    assert "socket.connect" in (folder / "asked").read_text()


def test_the_page_names_each_of_them() -> None:
    promise = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("**Offline is offline.**")[2]
    named = promise.partition("\n- ")[0]
    assert all(f"`{word}`" in named for word in ("lint", "diff", "graph", "generate", "import"))
