"""`aibackend diff` on real git histories, directories and files."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import pytest_aibackend.diff
from pytest_aibackend.cli import main
from tests.histories import History, begin

SCHEMA = json.loads(
    Path(pytest_aibackend.diff.__file__).with_name("diff.schema.json").read_text(encoding="utf-8")
)
LITELLM = """\
model_list:
  - model_name: m
    litellm_params: {model: openai/m, api_base: "http://127.0.0.1:8000/v1", api_key: none}
"""


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    return begin(tmp_path / "repository", monkeypatch)


def rules(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["diff", *arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    return [change["rule"] for change in document["changes"]]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["diff", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def test_revisions_branches_and_the_working_tree(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.git("checkout", "--quiet", "-b", "change")
    history.replace("ports.yaml", "8001", "8009")
    history.replace("providers.yaml", "8001", "8009")
    history.commit("move vllm")
    history.git("checkout", "--quiet", "main")
    history.replace("gateway.yaml", "ttl: 3600", "ttl: 60")
    history.commit("shorter")
    moved = ["port-moved", "deployment-moved", "deployment-moved", "deployment-moved", "provider-moved"]
    assert rules(capsys, "main...change") == moved
    assert sorted(rules(capsys, "main..change")) == sorted([*moved, "cache-lifetime-changed"])
    assert rules(capsys, "HEAD~1", "HEAD") == ["cache-lifetime-changed"]
    assert rules(capsys, "HEAD~1..") == ["cache-lifetime-changed"]
    assert rules(capsys, "HEAD") == []
    before = history.git("status", "--porcelain")
    history.replace("gateway.yaml", "num_retries: 2", "num_retries: 4")
    assert rules(capsys, "HEAD") == ["retries-changed"]
    assert rules(capsys, "HEAD", "config") == ["retries-changed"]
    assert rules(capsys, "main~1:config", "main:config") == ["cache-lifetime-changed"]
    assert (before, history.git("status", "--porcelain")) == ("", "M config/gateway.yaml")


def test_comments_and_reordered_lines_print_that_nothing_changes(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.replace(
        "gateway.yaml", "  num_retries: 2\n  allowed_fails: 3\n", "  allowed_fails: 3 # x\n  num_retries: 2\n"
    )
    history.commit("comments")
    assert main(["diff", "HEAD~1..HEAD", "--fail-on", "info"]) == 0
    assert capsys.readouterr().out == "HEAD~1:config -> HEAD:config: no change in meaning\n"


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_exit_codes_and_forms(history: History, capsys: pytest.CaptureFixture[str], form: str) -> None:
    history.replace("ports.yaml", "8001", "8009")
    for classes, expected in ((["breaking"], 1), (["security"], 0), (["security", "breaking"], 1), ([], 0)):
        failing = [f"--fail-on={one}" for one in classes]
        assert main(["diff", "HEAD", "--format", form, *failing]) == expected
        out = capsys.readouterr().out
        assert "port-moved" in out
        assert "8009" in out


def test_from_a_subdirectory_and_for_another_directory(
    history: History, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (history.folder / "deploy").mkdir()
    history.git("mv", "config", "deploy/configuration")
    history.commit("moved")
    monkeypatch.chdir(history.folder / "deploy")
    assert rules(capsys, "HEAD", "--config", "configuration") == []
    assert rules(capsys, "HEAD~1:config", "HEAD:./configuration") == []
    assert "there is no deploy/configuration at revision HEAD~1" in refusal(
        capsys, "HEAD~1", "--config", "configuration"
    )


def test_what_cannot_be_read_is_said(
    history: History, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert "'nowhere' is neither a path nor a revision" in refusal(capsys, "nowhere")
    assert "'--all' is neither" not in refusal(capsys, "main..no-such-branch")
    assert "there is no other at revision main" in refusal(capsys, "main..HEAD", "--config", "other")
    assert "name another one to compare it with" in refusal(capsys, "config")
    assert "providers.yaml is one of the source files" in refusal(capsys, "config/providers.yaml", "config")
    history.git("branch", "config")
    assert "write ./config, or config:config" in refusal(capsys, "config", "main")
    history.replace("providers.yaml", "providers:\n", "providers: [\n")
    history.commit("broken")
    message = refusal(capsys, "HEAD~1", "HEAD")
    assert "HEAD:config/providers.yaml:" in message
    assert "yaml-syntax" in message
    assert "/tmp" not in message
    (history.config / "providers.yaml").unlink()
    assert "missing-file" in refusal(capsys, "HEAD~1")


def test_outside_a_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    assert "is in no git repository" in refusal(capsys, "main..HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in refusal(capsys, "main..HEAD")


def test_what_a_ci_does_wrong_is_said(
    history: History, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "an argument is empty" in refusal(capsys, "main", "")
    assert "standard input can be read once" in refusal(capsys, "-", "-")
    assert "'-x' is neither a path nor a revision" in refusal(capsys, "main..-x")
    history.git("switch", "--quiet", "--orphan", "unrelated")
    history.git("commit", "--quiet", "--allow-empty", "--message", "nothing in common")
    assert "main and HEAD have no commit in common here" in refusal(capsys, "main...HEAD")
    assert "or each side as REVISION:DIR" in refusal(capsys, "main..HEAD")
    history.git(
        "clone", "--quiet", "--depth=1", "--branch=main", history.folder.as_uri(), str(tmp_path / "s")
    )
    monkeypatch.chdir(tmp_path / "s")
    assert "the clone is shallow: fetch the whole history" in refusal(capsys, "main~1..main")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    message = refusal(capsys, "main")
    assert "belongs to somebody else" in message
    assert f"safe.directory '{tmp_path / 's'}" in message


def test_standard_input_is_a_side(
    history: History, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in (["-", "new.yaml"], ["new.yaml", "-"]):
        Path("new.yaml").write_text(LITELLM, encoding="utf-8")
        given = io.TextIOWrapper(io.BytesIO(LITELLM.replace("8000", "8080").encode()))
        monkeypatch.setattr("sys.stdin", given)
        assert rules(capsys, *side) == ["deployment-moved"]


def test_what_cannot_be_read_to_its_end_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_aibackend.litellm.lint.includes.WRITER_MS", 10)
    monkeypatch.chdir(tmp_path)
    Path("new.yaml").write_text(LITELLM, encoding="utf-8")
    os.mkfifo("pipe")
    assert "pipe cannot be read: nobody writes to this pipe" in refusal(capsys, "pipe", "new.yaml")
    assert "/dev/zero: error: file-too-large" in refusal(capsys, "/dev/zero", "new.yaml")
    for opened, why in {"<&-": "is closed", "0>written": "cannot be read: Bad file descriptor"}.items():
        command = f'"$0" -m pytest_aibackend.cli diff - new.yaml {opened}'
        done = subprocess.run(
            ["sh", "-c", command, sys.executable], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert f"standard input {why}" in done.stderr
        assert "Traceback" not in done.stderr


def test_lines_are_folded_and_none_ends_in_blanks(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.replace("gateway.yaml", "litellm:unified", "n" * 50)
    assert main(["diff", "HEAD"]) == 0
    out = capsys.readouterr().out
    assert out == (
        "Performance\n"
        "~  cache-namespace-changed  litellm_settings.cache_params.namespace was 'litellm:unified', is\n"
        f"                            {'n' * 50!r}\n"
        "                            The cache is empty at first: answers take longer.\n"
        "\n"
        "HEAD:config -> config: 1 change in meaning: 1 performance\n"
    )


def test_an_error_in_a_source_is_a_note(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.replace("providers.yaml", "type: vllm", "type: vlm")
    assert main(["diff", "HEAD", "--json"]) == 0
    (note,) = json.loads(capsys.readouterr().out)["notes"]
    assert "config has 1 error" in note
    assert "providers.yaml:" in note


def test_litellm_files_with_includes_and_at_a_revision(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    (history.folder / "config.yaml").write_text("include: [models.yaml]\n", encoding="utf-8")
    (history.folder / "models.yaml").write_text(LITELLM, encoding="utf-8")
    history.commit("files")
    (history.folder / "models.yaml").write_text(LITELLM.replace("8000", "8080"), encoding="utf-8")
    (history.folder / "other.yaml").write_text(LITELLM, encoding="utf-8")
    assert rules(capsys, "other.yaml", "models.yaml") == ["deployment-moved"]
    assert rules(capsys, "HEAD:config.yaml", "config.yaml") == ["deployment-moved"]
    assert rules(capsys, "HEAD", "--config", "config.yaml") == ["deployment-moved"]
    assert main(["diff", "config", "config/litellm-unified.yaml"]) == 0
    out = capsys.readouterr().out
    assert "no change in meaning" in out
    assert "is LiteLLM's file" in out


def test_no_secret_is_shown(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "sk-live-0123456789abcdef"
    history.replace("gateway.yaml", "  drop_params: true\n", f"  drop_params: true\n  openai_key: {secret}\n")
    for form in ("text", "markdown", "json"):
        assert main(["diff", "HEAD", "--format", form]) == 0
        out = capsys.readouterr().out
        assert "secret-inlined" in out
        assert "0123456789" not in out
