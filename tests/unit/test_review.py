"""What a reviewer reads, on real git histories; and the step of the workflow that prints it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import pytest_aibackend.review.command
from pytest_aibackend.cli import main
from pytest_aibackend.review.announcement import TYPES, read_announcement
from pytest_aibackend.review.body import MOST_LETTERS
from pytest_aibackend.review.command import ReviewOptions, review
from tests.histories import History, begin

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "review-pull-request.py"
WORKFLOW = ROOT / ".github" / "workflows" / "pr-validation.yml"
POINTS = ("title", "configuration", "breaking changes", "security impact", "performance impact", "changelog")
CLOUD = """\
  openai:
    type: openai
    base_url: https://api.openai.com/v1
    requires_api_key: true
    env_var: OPENAI_API_KEY
    models: [gpt-5-mini]

metadata:
"""


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    made = begin(tmp_path / "repository", monkeypatch)
    made.git("checkout", "--quiet", "-b", "change")
    return made


class Read:
    """A comment, as somebody reads it."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        rows = re.findall(r"^\| (✅|⚠️|❌) \| ([a-z ]+) \| (.*) \|$", text, re.MULTILINE)
        self.sign = {point: sign for sign, point, _ in rows}
        self.said = {point: said for _, point, said in rows}
        assert tuple(self.sign) == POINTS
        self.pictures = re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def read(
    capsys: pytest.CaptureFixture[str], title: str | None = "feat: it", body: str = "", **options: Any
) -> Read:
    status = review(
        ReviewOptions(**{"base": "main", "head": "change", "title": title, "body": body} | options)
    )
    return Read(status, capsys.readouterr().out)


def rename_a_model(history: History) -> None:
    history.replace("model-mappings.yaml", "  nomic-embed-text:\n", "  embeddings:\n")
    before = "    provider: ollama\n    description: Embeddings"
    after = before.replace("\n", "\n    backend_model: nomic-embed-text\n")
    history.replace("model-mappings.yaml", before, after)
    history.commit("rename")


def test_a_renamed_model_must_be_announced(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    rename_a_model(history)
    found = read(capsys)
    assert found.status == 1
    assert found.sign["breaking changes"] == "❌"
    assert found.said["breaking changes"].startswith("`name-changed`; announce them: `!` before the colon")
    assert found.said["configuration"].startswith("1 change in meaning: 1 breaking")
    assert "| changed | `name-changed` | " in found.text
    assert "| `nomic-embed-text` | " in found.text, "what its clients would notice"
    before, after = found.pictures
    assert 'nomic-embed-text<br/>route<br/>gone"' in before
    assert 'embeddings<br/>route"' not in before
    assert 'embeddings<br/>route<br/>new"' in after
    assert before.count("<br/>gone") == after.count("<br/>new") == 2, "the group and its deployment"


@pytest.mark.parametrize(
    ("title", "body", "status"),
    [
        ("feat!: it", "", 0),
        ("feat(config)!: it", "", 0),
        ("feat: it", "Why.\r\n\r\nBREAKING CHANGE: nomic-embed-text is now embeddings\r\n", 0),
        ("feat: it", "BREAKING-CHANGE: as the specification has it, too", 0),
        ("feat: it", "not a BREAKING CHANGE: really", 1),
        ("feat: it", "BREAKING CHANGE:\n", 1),
        ("feat: it", "<!-- say here\nBREAKING CHANGE: why -->\n", 1),
        ("feat: it!", "", 1),
    ],
)
def test_how_a_breaking_change_is_announced(
    history: History, capsys: pytest.CaptureFixture[str], title: str, body: str, status: int
) -> None:
    rename_a_model(history)
    found = read(capsys, title, body)
    assert found.status == status
    assert found.sign["breaking changes"] == ("❌" if status else "✅")


def test_what_stops_it_is_an_annotation_on_github(
    history: History, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    history.replace("ports.yaml", "  port: 8001\n", "  port: [8001%0A::notice::x\n")
    history.commit("broken")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert (
        review(ReviewOptions(base="main", head="change", title="::error::fooled", body="\n::error::x")) == 1
    )
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(POINTS)
    title, configuration = (line for line in lines if line.startswith("::"))
    assert title.startswith("::error title=review, title::it must read `type(scope): what changes`")
    assert configuration.startswith("::error title=review, configuration::the new side cannot be read: ")
    assert not re.search("%(?!25)", configuration)


def test_a_moved_port(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.replace("ports.yaml", "8001", "8005")
    history.replace("providers.yaml", "8001", "8005")
    history.commit("move vllm")
    found = read(capsys, "fix: vllm on 8005")
    assert found.status == 1
    assert "`port-moved`" in found.said["breaking changes"]
    assert "8005" in found.text


def test_a_fallback_to_a_cloud(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.replace("providers.yaml", "\nmetadata:\n", f"\n{CLOUD}")
    history.replace(
        "model-mappings.yaml", "chain: [mistral-7b, llama3.2:3b]", "chain: [mistral-7b, gpt-5-mini]"
    )
    history.commit("a cloud")
    found = read(capsys, "feat!: a cloud when all is down")
    assert found.status == 0
    assert "`cloud-fallback-added`" in found.said["breaking changes"]
    assert "announced by the `!` in the title" in found.said["breaking changes"]
    assert found.sign["security impact"] == "⚠️"
    assert "`cloud-fallback-added`" in found.said["security impact"]
    assert "`outside-endpoint-added`" in found.said["security impact"]
    assert "api.openai.com" in found.text


def test_what_only_concerns_speed(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.replace("gateway.yaml", "simple-shuffle", "least-busy")
    history.replace("gateway.yaml", "num_retries: 2", "num_retries: 5")
    history.commit("faster")
    found = read(capsys, "perf: ask who is least busy")
    assert found.status == 0
    assert found.said["performance impact"] == "`routing-strategy-changed`, `retries-changed`"
    assert found.sign["performance impact"] == "⚠️"
    assert (
        found.said["security impact"]
        == found.said["breaking changes"].removesuffix(" in the configuration")
        == "none"
    )


def test_comments_and_order_mean_nothing(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    path = history.config / "gateway.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text("# by the letter\n" + yaml.safe_dump(data, sort_keys=True), encoding="utf-8")
    assert main(["generate"]) == 0
    capsys.readouterr()
    history.commit("order")
    found = read(capsys, "style: keys in order")
    assert found.status == 0
    assert set(found.sign.values()) == {"✅"}
    assert len(found.pictures) == 1, "the routing is the same before and after"
    assert "<details><summary>before and after, the same</summary>" in found.text, "and so folded"
    assert found.said["configuration"] == "no change in meaning"


def test_the_pictures_are_those_of_the_graph_with_marks(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph"]) == 0
    drawn_before = capsys.readouterr().out
    rename_a_model(history)
    assert main(["graph"]) == 0
    drawn_after = capsys.readouterr().out
    assert [without_marks(picture) for picture in read(capsys).pictures] == [drawn_before, drawn_after]


def without_marks(picture: str) -> str:
    plain = re.sub(r'(?:<br/>|, )(?:new|gone)"', '"', picture)
    lines = re.sub(r'-- "(?:new|gone)" -->', "-->", plain).splitlines(keepends=True)
    return "".join(line for line in lines if not re.search(r"^  (class\w* .*(new|gone)|linkStyle)", line))


def test_what_the_base_did_meanwhile_is_not_this_change(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    history.replace("gateway.yaml", "num_retries: 2", "num_retries: 5")
    history.commit("retries")
    history.git("checkout", "--quiet", "main")
    rename_a_model(history)
    found = read(capsys, "fix: retries")
    assert found.status == 0
    assert found.said["breaking changes"] == "none in the configuration"
    assert found.said["performance impact"] == "`retries-changed`"


def test_a_new_side_that_cannot_be_read(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.replace("ports.yaml", "  port: 8001\n", "  port: [8001\n")
    history.commit("broken")
    found = read(capsys)
    assert found.status == 1
    assert found.sign["configuration"] == "❌"
    assert re.search(
        r"the new side cannot be read: \w+:config/ports\.yaml:\d+:\d+: error: ", found.said["configuration"]
    )
    assert found.said["breaking changes"] == "not known, for nothing could be compared"
    assert "Traceback" not in found.text


def test_an_old_side_that_cannot_be_read(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.git("checkout", "--quiet", "main")
    history.replace("ports.yaml", "  port: 8001\n", "  port: [8001\n")
    history.commit("broken")
    history.git("checkout", "--quiet", "-B", "change")
    history.replace("ports.yaml", "  port: [8001\n", "  port: 8001\n")
    history.commit("mended")
    found = read(capsys, "fix: it parses again")
    assert found.status == 0
    assert found.sign["configuration"] == "⚠️"
    assert found.pictures, "the routing can be drawn, though"


def test_two_sides_that_cannot_be_read(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    for branch in ("main", "change"):
        history.git("checkout", "--quiet", "-B", branch)
        (history.config / "providers.yaml").write_text(f"{branch}: [\n", encoding="utf-8")
        history.commit("broken")
    found = read(capsys)
    assert found.status == 1
    assert found.pictures == []
    assert "There is nothing to draw." in found.text


def test_a_configuration_that_is_new_or_gone(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    history.git("rm", "-r", "--quiet", "config")
    history.commit("gone")
    found = read(capsys)
    assert found.status == 1
    assert "there is no config at revision" in found.said["configuration"]
    found = read(capsys, base="change", head="main")
    assert found.status == 0, "main is where both parted: nothing changed"
    assert found.said["configuration"] == "no change in meaning"


@pytest.mark.parametrize(
    ("title", "touched", "sign"),
    [
        ("feat: a page", "README.md", "⚠️"),
        ("feat: a page", "CHANGELOG.md", "✅"),
        ("docs: a page", "README.md", "✅"),
        ("docs!: a page", "README.md", "⚠️"),
        ("test: a change", "config/gateway.yaml", "⚠️"),
    ],
)
def test_the_changelog(
    history: History, capsys: pytest.CaptureFixture[str], title: str, touched: str, sign: str
) -> None:
    path = history.folder / touched
    text = path.read_text(encoding="utf-8") if path.exists() else "words\n"
    path.write_text(text.replace("num_retries: 2", "num_retries: 3"), encoding="utf-8")
    history.commit("a change")
    found = read(capsys, title)
    assert found.status == 0
    assert found.sign["changelog"] == sign


@pytest.mark.parametrize(
    "title",
    [
        *(f"{kind}: it" for kind in TYPES),
        *("fix(config): it", "feat(a, b)!: it", "fix: it: that (is) what!", "Feat: it", "FIX(config): it"),
    ],
)
def test_titles_that_are_taken(title: str) -> None:
    assert read_announcement(title, "").problem is None


@pytest.mark.parametrize(
    "title",
    [
        *("", "it", "feature: it", "fix:it", "fix: ", "fix : it", "fix(): it", "fix(a: it"),
        *("!fix: it", "fix!!: it", "fix: it\nBREAKING CHANGE: no"),
    ],
)
def test_titles_that_are_refused(title: str) -> None:
    assert read_announcement(title, "").problem is not None


def test_a_refused_title_stops_it(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    found = read(capsys, "Update config")
    assert found.status == 1
    assert found.sign["title"] == "❌"
    assert "`type(scope): what changes`" in found.said["title"]


def test_without_a_title_the_newest_message_is_read(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    rename_a_model(history)
    history.git("commit", "--quiet", "--amend", "--message", "feat: it\n\nBREAKING CHANGE: another name")
    found = read(capsys, title=None)
    assert found.status == 0
    assert "announced by `BREAKING CHANGE:`" in found.said["breaking changes"]


def test_a_comment_stays_as_short_as_github_takes_it(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "".join(f"      - name: model-{n}-with-a-name-that-is-not-short\n" for n in range(700))
    history.replace("providers.yaml", "    models:\n      - name: llama3.1:8b\n",
                    f"    models:\n{lines}      - name: llama3.1:8b\n")  # fmt: skip
    history.commit("many")
    found = read(capsys)
    assert found.status == 0
    assert len(found.text) <= MOST_LETTERS
    assert found.pictures == []
    assert "The picture is too large for a comment" in found.text
    assert found.text.count("```") % 2 == 0


def test_revisions_that_cannot_be_compared(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(**options: Any) -> str:
        assert review(ReviewOptions(**{"base": "main", "head": "change", "title": "fix: it"} | options)) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    assert (
        refused(base="nowhere")
        == f"review: 'nowhere' is no revision of {history.folder}; fetch it, or name --base and --head\n"
    )
    assert "is no revision" in refused(head="--output=x")
    history.git("checkout", "--quiet", "--orphan", "other")
    history.commit("another beginning")
    assert "fetch the whole history" in refused(head="other")
    assert "is in no git repository" in refused(config=Path("../elsewhere"))


def test_a_bug_of_ours_is_not_a_verdict(
    history: History, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(pytest_aibackend.review.command, "judge", broken)
    assert review(ReviewOptions(base="main", head="change", title="fix: it")) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("review: this is a bug of aibackend, not of the pull request\n")


def step() -> dict[str, Any]:
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    (found,) = [one for one in job["steps"] if "run" in one]
    return dict(found)


def test_the_step_of_the_workflow(history: History, tmp_path: Path) -> None:
    """The step's own line, with a title and a description that would like to be run."""
    rename_a_model(history)
    evil = "feat: $(touch pwned) `touch pwned` $(shell touch pwned) ; touch pwned #"
    event = {
        "title": evil,
        "body": "::error::fooled\n$(touch pwned)\n'; touch pwned\n| a | b |\n",
        "base.sha": history.git("rev-parse", "main"),
        "head.sha": history.git("rev-parse", "change"),
    }
    handed = {
        name: re.sub(
            r"\$\{\{ github\.event\.pull_request\.([a-z.]+) }}", lambda found: event[found[1]], value
        )
        for name, value in step()["env"].items()
    }
    assert set(handed.values()) == set(event.values())
    assert "${{" not in step()["run"]
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    (history.folder / "scripts").symlink_to(SCRIPT.parent)
    stamp = Path(sys.prefix) / ".package"  # nothing is installed by a test: make takes it for done
    # Of a runner, and of `make test ARGS=...`.
    foreign = ("ARGS", "GITHUB_", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    venv = sys.prefix.replace(" ", r"\ ")
    told = [f"--file={ROOT / 'Makefile'}", f"--old-file={stamp}", f"VENV={venv}"]
    done = subprocess.run(
        ["bash", "-c", f"{step()['run']} {shlex.join(told)}"],
        cwd=history.folder,
        env={**kept, **handed, "GITHUB_STEP_SUMMARY": str(summary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr  # make's own word for: it ended with 1
    assert "review: failed: breaking changes: `name-changed`" in done.stderr
    assert summary.read_text(encoding="utf-8").startswith("before\n## Review\n")
    assert not list(history.folder.rglob("pwned"))
    assert not re.search(r"^::", done.stdout + done.stderr, re.MULTILINE)


def test_the_page_names_each_point() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8").partition("| point | stops it |")[2]
    rows = re.findall(r"^\| ([a-z ]+) \|", page.partition("\n\n")[0], re.MULTILINE)
    assert tuple(rows) == POINTS


def test_no_run_line_of_a_workflow_holds_an_expression() -> None:
    for path in WORKFLOW.parent.glob("*.yml"):
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for one in job["steps"]:
                assert "${{" not in one.get("run", ""), f"{path.name}: {one}"
                assert "uses" not in one or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one["uses"]), one


def test_the_script_prints_to_a_terminal(history: History) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PR_", "GITHUB_"))}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--title", "fix: nothing"],
        cwd=history.folder,
        env={**kept, "PYTHONPATH": str(Path(pytest_aibackend.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Read(0, done.stdout).said["title"] == "a conventional commit of type fix"
    assert "review: passed: title" in done.stderr
