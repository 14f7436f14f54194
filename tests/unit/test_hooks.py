"""The hooks: installed by `make hooks` in a scratch repository, where commits are refused with the reason."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    *(".pre-commit-config.yaml", ".yamllint.yaml", ".secrets.baseline", "pyproject.toml", ".gitignore"),
    *("scripts/check-secrets.py", "scripts/secret_kinds.py"),
)
DEAD = "http://127.0.0.1:9"  # whoever asks the network is refused at once
AWS_KEY = "AKIA" + "Z7QNVXH3KWPLM2RT"  # nobody's
IDENTITY = {
    f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


class Desk:
    """A repository, with the environment of somebody who has no network."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))
        }
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "PIP_INDEX_URL"), DEAD)
        self.environment = {**kept, **IDENTITY, **proxies, "PRE_COMMIT_HOME": str(folder / ".git" / "cache")}
        self.run("git", "init", "--quiet", "-b", "main")

    def run(self, *command: str, status: int = 0) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def commit(self, *, status: int = 0) -> str:
        """Commit everything; return what was said."""
        before = self.head
        self.run("git", "add", "--all")
        said = self.run("git", "commit", "--message", "fix: it", status=status)
        assert (self.head == before) is bool(status)
        assert "Traceback" not in said
        return said

    @property
    def head(self) -> str:
        return self.run("git", "rev-parse", "--quiet", "--verify", "HEAD^{tree}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A repository like ours, in which `make hooks` was run."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "config", folder / "config")
    for name in COPIED:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    desk = Desk(folder)
    desk.run("git", "add", "--all", "--", ":!.venv")
    desk.run("git", "commit", "--quiet", "--message", "chore: as it was")
    stamp = "--old-file=.venv/.dev"  # nothing is installed by a test: make takes it for done
    said = desk.run("make", f"--file={ROOT / 'Makefile'}", stamp, "VENV=.venv", "hooks")
    assert "pre-commit installed at .git/hooks/pre-commit" in said
    (folder / ".git" / "info" / "exclude").write_text(".venv\n", encoding="utf-8")
    return desk


@pytest.fixture
def desk(made: Desk) -> Iterator[Desk]:
    yield made
    made.run("git", "reset", "--quiet", "--hard")
    made.run("git", "clean", "--quiet", "--force", "-d")


def hooks_that_failed(said: str) -> list[str]:
    return re.findall(r"^- hook id: ([\w-]+)\n(?:- duration: .*\n)?- exit code: ", said, re.MULTILINE)


def test_a_wrong_type(desk: Desk) -> None:
    desk.replace("config/providers.yaml", "type: ollama", "type: olama")
    said = desk.commit(status=1)
    assert "config-schema" in hooks_that_failed(said)
    assert re.search(r"config/providers\.yaml:6:\d+: error: [\w-]+: .*'olama'", said)


def test_a_reference_to_nothing(desk: Desk) -> None:
    desk.replace("config/model-mappings.yaml", "provider: vllm", "provider: vlm")
    said = desk.commit(status=1)
    assert "config-consistency" in hooks_that_failed(said)
    assert re.search(r"config/model-mappings\.yaml:\d+:\d+: error: unknown-provider: .*'vlm'", said)
    assert "did you mean 'vllm'?" in said


def test_a_port_that_is_given_twice(desk: Desk) -> None:
    desk.replace("config/ports.yaml", "  port: 8080\n", "  port: 8000\n")
    said = desk.commit(status=1)
    assert "config-consistency" in hooks_that_failed(said)
    assert re.search(r"config/ports\.yaml:\d+:\d+: error: port-conflict: ", said)


def test_a_generated_file_that_was_forgotten(desk: Desk) -> None:
    desk.replace("config/gateway.yaml", "num_retries: 2", "num_retries: 3")
    said = desk.commit(status=1)
    assert hooks_that_failed(said) == ["config-generated"]
    assert "+  num_retries: 3" in said
    desk.run(".venv/bin/aibackend", "generate")
    assert not hooks_that_failed(desk.commit())


@pytest.mark.parametrize(
    ("name", "hook"), [("ports.yaml", "config-schema"), ("litellm-unified.yaml", "config-generated")]
)
def test_a_commit_that_only_deletes(desk: Desk, name: str, hook: str) -> None:
    (desk.folder / "config" / name).unlink()
    said = desk.commit(status=1)
    assert hooks_that_failed(said) == [hook]
    assert f"config/{name}" in said
    desk.run("git", "reset", "--quiet")


def test_what_is_not_committed_is_not_checked(desk: Desk) -> None:
    desk.replace("config/gateway.yaml", "retention:\n    recent: 10", "retention:\n    recent: 11")
    desk.run(".venv/bin/aibackend", "generate")
    desk.run("git", "add", "--all")
    desk.replace("config/providers.yaml", "type: ollama", "type: olama")
    desk.run("git", "commit", "--message", "fix: more backups")


@pytest.mark.parametrize(
    ("name", "text", "hook", "said"),
    [
        ("notes.yaml", "a: 1\na: 2\n", "yamllint", "duplication of key"),
        ("settings.py", f'KEY = "{AWS_KEY}"\n', "detect-secrets", "AWS Access Key"),
        ("unused.py", '"""Words."""\n\nimport os\n', "ruff-check", "F401"),
        ("shape.py", '"""Words."""\n\nx = {1:2}\n', "ruff-format", "would be reformatted"),
    ],
    ids=["yamllint", "detect-secrets", "ruff-check", "ruff-format"],
)
def test_other_files(desk: Desk, name: str, text: str, hook: str, said: str) -> None:
    (desk.folder / name).write_text(text, encoding="utf-8")
    heard = desk.commit(status=1)
    assert hook in hooks_that_failed(heard)
    assert said in heard
    assert AWS_KEY not in heard


def test_our_hooks_are_all_local() -> None:
    """What has to be fetched would not run offline."""
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    assert {hook["language"] for hook in config["repos"][0]["hooks"]} == {"system"}


def test_the_page_names_each_hook() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").partition("| hook | refuses |")[2]
    rows = re.findall(r"^\| (`.*?) \|", page.partition("\n\n")[0], re.MULTILINE)
    assert re.findall(r"`([\w-]+)`", "".join(rows)) == [hook["id"] for hook in config["repos"][0]["hooks"]]


def test_the_hooks_for_others(tmp_path: Path) -> None:
    """Another repository names ours; what is installed for it is taken from here, for there is no network."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", ours)
    published = Desk(ours)
    published.run("git", "add", "--all")
    published.run("git", "commit", "--quiet", "--message", "hooks")
    revision = published.run("git", "rev-parse", "HEAD").strip()
    manifest = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    programs = Path(sys.executable).parent
    hooks = [
        {"id": hook["id"], "language": "system", "entry": f"{shlex.quote(str(programs))}/{hook['entry']}"}
        for hook in manifest
    ]
    shutil.copytree(ROOT / "config", theirs / "config")
    (theirs / "litellm.yaml").write_text("model_lst: []\n", encoding="utf-8")
    config = {"repos": [{"repo": str(ours), "rev": revision, "hooks": hooks}]}
    (theirs / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    desk = Desk(theirs)
    desk.replace("config/model-mappings.yaml", "provider: vllm", "provider: vlm")
    desk.run("git", "add", "--all")
    said = desk.run(str(programs / "pre-commit"), "run", "--all-files", status=1)
    assert hooks_that_failed(said) == ["aibackend-check", "litellm-config-lint"]
    assert "error: unknown-provider: " in said
    assert "litellm.yaml:1:1: error: " in said
    assert "model_lst" in said
