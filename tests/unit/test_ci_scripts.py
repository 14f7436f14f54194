"""What the stages run beside the checks: new secrets, failed critical checks and wrong tags stop them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
LOOKALIKE = "AKIA" + "Q3EGTESTONLY7MPZ"  # in two parts: it is none, but looks like one
SOMEBODY = "me:Xk29fmqQ"


def script(
    name: str, *arguments: str | Path, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    cleared = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    return subprocess.run(
        [sys.executable, str(SCRIPTS / name), *map(str, arguments)],
        cwd=cwd,
        env={**cleared, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# -- stage 1


def test_yaml_that_yamllint_cannot_read_does_not_hide_the_rest(tmp_path: Path) -> None:
    shutil.copy2(ROOT / ".yamllint.yaml", tmp_path)
    (tmp_path / "tests").mkdir()
    contents = {
        "a.yaml": b"a: 1\n# caf\xe9\n",
        "b.yaml": b"a: 1\nb: \0\n",
        "-x.yaml": b"a:   1\n",
        "two words.yaml": b"a: 1\na: 2\n",
        "tests/c.yaml": b"caf\xe9\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    done = script("check-yaml.py", *contents, "gone.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:3] == [
        "a.yaml:2:1: error: the file is not UTF-8: save it as UTF-8",
        "b.yaml:2:1: error: YAML allows no U+0000: remove it",
        "gone.yaml:1:1: error: No such file or directory: restore it, or `git rm` it",
    ]
    assert "too many spaces after colon" in done.stdout
    assert 'duplication of key "a"' in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_good_yaml_and_none(tmp_path: Path) -> None:
    shutil.copy2(ROOT / ".yamllint.yaml", tmp_path)
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert script("check-yaml.py", "a.yaml", cwd=tmp_path).returncode == 0
    done = script("check-yaml.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no YAML file is named" in done.stderr


# -- stage 4


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with our baseline, and in it a file that the baseline knows."""
    shutil.copy2(ROOT / ".secrets.baseline", tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy2(SCRIPTS / "secret_kinds.py", tmp_path / "scripts")
    known = "tests/unit/test_graph.py"
    (tmp_path / known).parent.mkdir(parents=True)
    shutil.copy2(ROOT / known, tmp_path / known)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


def test_known_lines_are_no_news_wherever_they_move(repository: Path) -> None:
    known = repository / "tests/unit/test_graph.py"
    assert "test_graph.py" in (ROOT / ".secrets.baseline").read_text(encoding="utf-8")
    known.write_text("\n\n\n" + known.read_text(encoding="utf-8"), encoding="utf-8")
    done = script("check-secrets.py", cwd=repository)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not subprocess.run(
        ["git", "diff", "--stat", ".secrets.baseline"], cwd=repository, capture_output=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("config/providers.yaml", f"# a note\nkey: {LOOKALIKE}\n", "AWS Access Key"),
        ("config/gateway.yaml", "x:\n  api_key: Wq8-tr4in-7Lamp-9cloud\n", "Secret Keyword"),
        ("deploy/notes.md", f"hello\nredis://{SOMEBODY}@cache.example:6379\n", "Basic Auth Credentials"),
        ("tests/unit/test_graph.py", f"x = 1\ny = '{LOOKALIKE}'\n", "AWS Access Key"),
    ],
)
def test_a_new_secret_is_refused_and_not_printed(repository: Path, path: str, text: str, kind: str) -> None:
    target = repository / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    subprocess.run(["git", "add", path], cwd=repository, check=True)
    done = script("check-secrets.py", cwd=repository)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{path}:2:1: error: new secret: {kind}" in done.stdout.splitlines()
    assert "hint: " in done.stdout
    assert not any(word in done.stdout + done.stderr for word in (LOOKALIKE, "Wq8-tr4in", "Xk29fmqQ"))


RANDOM = "q7Rk2Zp0vLx9Tn4Yb8Wd3Hs6Jm1Fg5Ca"  # the rest of each key
KEYS = {
    "openai": f"sk-proj-{RANDOM}",
    "anthropic": f"sk-ant-api03-{RANDOM}",
    "litellm": f"sk-{RANDOM[:22]}",
    "groq": f"gsk_{RANDOM}",
    "google": f"AIza{RANDOM}",
    "hugging-face": "hf_" + "qRkZpvLxTnYbWdHsJmFgCaeUiOqRkZpvLx",
    "aws": LOOKALIKE,
    "redis": "redis://:Xk29fmqQ@cache.example:6379",
}
PLACES = {
    "page.md": "Call it with {} until Friday.\n",
    "script.sh": "curl -H 'Authorization: Bearer {}' localhost:4000\n",
    "argument.py": 'client = Client(api_key="{}")\n',
    "comment.py": "# was {}\n",
    "value.yaml": "x-note: {}\n",
    "comment.yaml": "# api_key: {}\n",
    "after.yaml": "x-note: nothing # was {}\n",
    "file.env": "MODEL_ACCESS={}\n",
    "file.json": '{{"a": ["{}"]}}\n',
    "file.ini": "[a]\nb = {}\n",
}


def test_keys_of_many_kinds_in_files_of_many_kinds(repository: Path) -> None:
    names = []
    for kind, key in KEYS.items():
        for place, form in PLACES.items():
            begun = (ROOT / "config" / "providers.yaml").read_text() if place.endswith(".yaml") else ""
            names.append(f"{kind}-{place}")
            (repository / names[-1]).write_text(begun + form.format(key))
    (repository / "old.txt").write_bytes(f"caf\xe9 {LOOKALIKE}\n".encode("latin-1"))
    done = script("check-secrets.py", *names, "old.txt", cwd=repository)
    assert done.returncode == 1
    found = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert not {*names, "old.txt"} - found
    assert not any(key in done.stdout + done.stderr for key in KEYS.values())


def test_a_comment_may_say_that_it_is_none(repository: Path) -> None:
    (repository / "a.yaml").write_text(f"a: 1 # {LOOKALIKE} # pragma: allowlist secret\n")
    assert script("check-secrets.py", "a.yaml", cwd=repository).returncode == 0


def test_only_the_files_that_are_named(repository: Path) -> None:
    (repository / "good.txt").write_text("nothing\n")
    (repository / "bad.txt").write_text(f"{LOOKALIKE}\n")
    assert script("check-secrets.py", "good.txt", cwd=repository).returncode == 0
    assert script("check-secrets.py", "good.txt", "bad.txt", cwd=repository).returncode == 1


def test_placeholders_and_references_are_no_secrets(repository: Path) -> None:
    (repository / "a.yaml").write_text("api_key: not-needed\nmaster_key: os.environ/LITELLM_MASTER_KEY\n")
    subprocess.run(["git", "add", "a.yaml"], cwd=repository, check=True)
    done = script("check-secrets.py", cwd=repository)
    assert done.returncode == 0, done.stdout


def test_without_a_baseline_nothing_is_said_to_be_good(repository: Path) -> None:
    (repository / ".secrets.baseline").write_text("{")
    done = script("check-secrets.py", cwd=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert ".secrets.baseline" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "text", ["[]", '{"plugins_used": [], "results": {"a": [{}]}}', '{"plugins_used": 1}']
)
def test_a_baseline_of_another_shape(repository: Path, text: str) -> None:
    (repository / ".secrets.baseline").write_text(text)
    done = script("check-secrets.py", cwd=repository)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(".secrets.baseline cannot be read: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("said", [None, True])
def test_a_baseline_hides_nothing_that_nobody_looked_at(repository: Path, said: bool | None) -> None:
    path = repository / ".secrets.baseline"
    listed = json.loads(path.read_text(encoding="utf-8"))
    (first, *_) = listed["results"]["tests/unit/test_graph.py"]
    del first["is_secret"]
    if said is not None:
        first["is_secret"] = said
    path.write_text(json.dumps(listed), encoding="utf-8")
    done = script("check-secrets.py", cwd=repository)
    assert done.returncode == 1, done.stdout + done.stderr
    place = "error: nobody said that what it lists of tests/unit/test_graph.py is no secret"
    assert f".secrets.baseline:1:1: {place}" in done.stdout.splitlines()
    assert "detect-secrets audit .secrets.baseline" in done.stdout


def test_what_cannot_be_read_is_named(repository: Path) -> None:
    (repository / "scripts" / "secret_kinds.py").unlink()
    done = script("check-secrets.py", cwd=repository)
    assert done.returncode == 2
    assert "check-secrets.py: scripts/secret_kinds.py: No such file or directory" in done.stderr.splitlines()
    assert "Traceback" not in done.stderr


def test_an_archive_of_the_tree_has_no_list_of_files(repository: Path) -> None:
    shutil.rmtree(repository / ".git")
    done = script("check-secrets.py", cwd=repository, GIT_CEILING_DIRECTORIES=str(repository.parent))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("check-secrets.py: git cannot list the files: fatal: not a git repository")


@pytest.mark.parametrize("name", [b"caf\xe9.md", b"-x.md", b"two words.md"])
def test_files_with_any_name(repository: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(repository) + b"/" + name))
    path.write_text(f"{LOOKALIKE}\n")
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    done = script("check-secrets.py", cwd=repository)
    assert done.returncode == 1, done.stderr
    told = path.name.encode(errors="backslashreplace").decode()
    assert f"{told}:1:1: error: new secret: AWS Access Key" in done.stdout.splitlines()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_text_in_the_encoding_of_windows(repository: Path, encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    (repository / "notes.txt").write_bytes(f"{mark}hello\nMODEL_ACCESS={LOOKALIKE}\n".encode(encoding))
    done = script("check-secrets.py", "notes.txt", cwd=repository)
    assert done.returncode == 1, done.stderr
    assert "notes.txt:2:1: error: new secret: AWS Access Key" in done.stdout.splitlines()


def test_a_picture_in_text_is_looked_at(repository: Path) -> None:
    (repository / "a.svg").write_text(f"<svg>\n<!-- {LOOKALIKE} --></svg>\n")
    (repository / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0" + LOOKALIKE.encode())
    done = script("check-secrets.py", "a.svg", "a.png", cwd=repository)
    assert [line for line in done.stdout.splitlines() if "error: " in line] == [
        "a.svg:2:1: error: new secret: AWS Access Key"
    ]


def test_every_entry_of_the_baseline_was_looked_at() -> None:
    results = json.loads((ROOT / ".secrets.baseline").read_text(encoding="utf-8"))["results"]
    entries = [entry for found in results.values() for entry in found]
    assert entries
    assert all(entry.get("is_secret") is False for entry in entries)
    assert all((ROOT / path).is_file() for path in results)


# -- stage 8


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the shipped configuration."""
    return Path(
        shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns(".aibackend"))
    )


def checked(config: Path, tmp_path: Path) -> Path:
    """The document of a run in a process of its own, as the stage has it."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest_aibackend.cli", "check", "--config", str(config), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode in (0, 1), done.stderr
    path = tmp_path / "checks.json"
    path.write_text(done.stdout, encoding="utf-8")
    return path


def document(status: dict[int, str]) -> dict[str, Any]:
    """A document in which these checks have these words, and the others passed."""
    from pytest_aibackend.checklist import CHECKS

    return {
        "config": "config",
        "summary": {"total": 11, "passed": 11 - len(status), "warned": 0, "failed": 0, "skipped": 0},
        "checks": [
            {
                "number": check.number,
                "slug": check.slug,
                "critical": check.critical,
                "live": check.live,
                "status": status.get(check.number, "passed"),
                "reason": "",
                "tests": 1,
                "findings": [],
            }
            for check in CHECKS.values()
        ],
    }


def test_summary_of_the_shipped_configuration(config: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    path = checked(config, tmp_path)
    done = script("summarize-checks.py", path, GITHUB_STEP_SUMMARY=str(summary))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    text = summary.read_text(encoding="utf-8")
    assert text.count("\n| ") == 12  # the head and eleven checks
    assert "| 5 consistency | critical | passed |" in text
    assert "`no-backup`" in text


def test_summary_of_a_broken_configuration(config: Path, tmp_path: Path) -> None:
    mappings = config / "model-mappings.yaml"
    mappings.write_text(mappings.read_text().replace("provider: ollama", "provider: 'a|<b>'", 1))
    summary = tmp_path / "summary.md"
    path = checked(config, tmp_path)
    done = script("summarize-checks.py", path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 1
    assert "::error::check 5, consistency, is critical and failed" in done.stdout.splitlines()
    matcher = json.loads((ROOT / ".github" / "findings-matcher.json").read_text())["problemMatcher"][0]
    (pattern,) = matcher["pattern"]
    seen = [match for line in done.stdout.splitlines() if (match := re.match(pattern["regexp"], line))]
    assert any("a|<b>" in match[pattern["message"]] and match[pattern["line"]] != "1" for match in seen)
    text = summary.read_text(encoding="utf-8")
    assert "a\\|&lt;b&gt;" in text
    assert "<b>" not in text


@pytest.mark.parametrize(
    ("status", "stops"),
    [
        ({}, False),
        ({7: "failed"}, False),
        ({10: "failed"}, False),
        ({5: "warned", 10: "warned"}, False),
        ({7: "skipped", 8: "skipped", 11: "skipped"}, False),
        ({8: "failed"}, True),
        ({11: "failed"}, True),
        ({2: "blocked"}, True),
        ({3: "skipped"}, True),
    ],
)
def test_critical_checks_stop(status: dict[int, str], stops: bool, tmp_path: Path) -> None:
    path = tmp_path / "checks.json"
    path.write_text(json.dumps(document(status)))
    done = script("summarize-checks.py", path)
    assert done.returncode == (1 if stops else 0), done.stdout + done.stderr
    assert ("\nerror: check " in done.stdout) == stops


def test_a_summary_is_as_short_as_github_takes_it(tmp_path: Path) -> None:
    told = document({9: "failed"})
    said = {
        "rule": "generated-stale",
        "severity": "error",
        "hint": "run it",
        "file": "config/a.yaml",
        "line": 7,
    }
    told["checks"][8]["findings"] = [
        said | {"message": f"it is stale\n--- on disk\n{'+ line' * 50}"},
        *(said | {"message": "<" * 9_999} for _ in range(2_000)),
    ]
    path, summary = tmp_path / "checks.json", tmp_path / "summary.md"
    path.write_text(json.dumps(told))
    done = script("summarize-checks.py", path, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 1
    assert "config/a.yaml:7:1: error: generated-stale: it is stale" in done.stdout.splitlines()
    assert "`generated-stale`: it is stale (run it)" in (text := summary.read_text(encoding="utf-8"))
    assert len(text.encode()) < 2**20
    assert text.endswith("- ... and 1501 more: `aibackend check`\n")


@pytest.mark.parametrize("number", [5, 8])
def test_a_critical_check_that_is_not_in_the_document(number: int, tmp_path: Path) -> None:
    told = document({})
    told["checks"] = [check for check in told["checks"] if check["number"] != number]
    path = tmp_path / "checks.json"
    path.write_text(json.dumps(told))
    done = script("summarize-checks.py", path)
    assert done.returncode == 1
    assert re.search(
        rf"^error: check {number}, [\w-]+, is critical and not in the document$", done.stdout, re.MULTILINE
    )


OTHER_SHAPES = ["{}", "[]", "null", '"x"', '{"config": "c", "summary": {}, "checks": [{"number": 1}]}']


@pytest.mark.parametrize("text", ["", "{", None, *OTHER_SHAPES])
def test_summary_without_a_document(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "checks.json"
    if text is not None:
        path.write_text(text)
    done = script("summarize-checks.py", path)
    assert done.returncode == 2
    assert "checks.json" in done.stderr
    assert "Traceback" not in done.stderr
