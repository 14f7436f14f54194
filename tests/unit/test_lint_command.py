"""`aibackend lint` as a user runs it: what is printed, and with which status it ends."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from pytest_aibackend import cli
from pytest_aibackend.litellm.lint.catalogue import lint_rules
from pytest_aibackend.sources.env_file import parse_env_file

SARIF = Path(__file__).parents[1] / "schemas" / "sarif-2.1.0.json"
MODEL = """\
model_list:
  - model_name: llama
    litellm_params:
      model: ollama_chat/llama3.1:8b
      api_base: http://127.0.0.1:11434
"""
GOOD = f"{MODEL}general_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n"
WARNED = f"{GOOD}our_notes: {{}}\n"
BAD = f"{GOOD}litellm_settings:\n  drop_parms: true\n"
SILENCED = f"{GOOD}our_notes: {{}} # aibackend: ignore[unread-section] for us\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
    return tmp_path


def write(name: str, text: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def lint(*arguments: str) -> int:
    return cli.main(["lint", *arguments])


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    lint(*arguments)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("text", "options", "status", "summary"),
    [
        (GOOD, [], 0, "1 file, LiteLLM 1.106.2: no findings"),
        (WARNED, [], 0, "1 file, LiteLLM 1.106.2: 1 warning"),
        (WARNED, ["--strict"], 1, "1 file, LiteLLM 1.106.2: 1 warning"),
        (WARNED, ["--strict", "--ignore", "unread-*"], 0, "1 file, LiteLLM 1.106.2: no findings"),
        (BAD, [], 1, "1 file, LiteLLM 1.106.2: 1 error"),
        (BAD, ["--select", "unread-section,wrong-type"], 0, "1 file, LiteLLM 1.106.2: no findings"),
        (SILENCED, ["--strict"], 0, "1 file, LiteLLM 1.106.2: no findings; 1 ignored by comments"),
        ("", [], 1, "1 file, LiteLLM 1.106.2: 1 error"),
        ("a: [", [], 1, "1 file, LiteLLM 1.106.2: 1 error"),
    ],
)
def test_status_and_summary(
    text: str, options: list[str], status: int, summary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(write("c.yaml", text), "--litellm-version", "1.106", *options) == status
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == summary
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no files"),
        (["nowhere.yaml", "."], "nowhere.yaml cannot be read: No such file or directory"),
        (["."], ". cannot be read: Is a directory"),
        (["\0"], "cannot be read: embedded null byte"),
        (
            ["c.yaml", "--select", "unknown-kee"],
            "there is no rule 'unknown-kee'; did you mean 'unknown-key'?",
        ),
        (["c.yaml", "--ignore", "nothing-like-it"], "there is no rule 'nothing-like-it'"),
        (["c.yaml", "--litellm-version", "newest"], "'newest' is no LiteLLM version; there are schemas for"),
        (["c.yaml", "--litellm-version", "0.1"], "there are schemas for"),
        (["c.yaml", "--env-file", "none.env"], "--env-file none.env: No such file or directory"),
        (["c.yaml", "--env-file", "odd.env"], "--env-file odd.env: line 2 is not NAME=value"),
        (["c.yaml", "--write-baseline"], "--write-baseline needs --baseline FILE"),
        (["c.yaml", "--baseline", "none.json"], "there is no baseline none.json; --write-baseline makes it"),
        (["c.yaml", "--baseline", "c.yaml"], "c.yaml is no baseline: it is not JSON"),
        (["c.yaml", "--baseline", "list.json"], "list.json is no baseline of this version"),
        (["c.yaml", "--baseline", "newer.json"], "newer.json is no baseline of this version"),
        (["c.yaml", "--baseline", "odd.json"], "odd.json is no baseline of this version"),
        (["c.yaml", "--baseline", "."], "the baseline . cannot be read: Is a directory"),
        (
            ["c.yaml", "--baseline", "no/b.json", "--write-baseline"],
            "cannot be written: No such file or directory",
        ),
    ],
)
def test_wrong_usage_says_what_and_ends_with_two(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write("c.yaml", GOOD)
    write("odd.env", "A=1\n= what\n")
    write("list.json", "[]")
    write("newer.json", '{"schema_version": 2, "findings": []}')
    odd = {"file": 5, "rule": "unknown-key", "path": "a", "fingerprint": "0"}
    write("odd.json", json.dumps({"schema_version": 1, "findings": [odd]}))
    assert lint(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_json_is_the_contract(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write("good.yaml", SILENCED), write("bad.yaml", BAD + "our_notes: {}\n")
    told = document(capsys, good, bad, "--json", "--litellm-version", "1.106")
    assert told.pop("tool_version")
    unread = "LiteLLM does not read 'our_notes'"
    assert told == {
        "schema_version": 1,
        "litellm_version": "1.106.2",
        "summary": {"error": 1, "warning": 1, "ignored": 1},
        "files": [
            {"path": "good.yaml", "findings": []},
            {
                "path": "bad.yaml",
                "findings": [
                    {
                        "rule": "unknown-key",
                        "severity": "error",
                        "message": "LiteLLM knows no 'drop_parms' under litellm_settings: it never reads it",
                        "hint": "did you mean 'drop_params'?",
                        "file": "bad.yaml",
                        "line": 9,
                        "column": 3,
                        "subject": "litellm_settings",
                    },
                    {
                        "rule": "unread-section",
                        "severity": "warning",
                        "message": unread,
                        "hint": "remove it, or name it x-... if it only holds anchors",
                        "file": "bad.yaml",
                        "line": 10,
                        "column": 1,
                        "subject": "our_notes",
                    },
                ],
            },
        ],
    }


def test_github_annotations_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    name = "50%,a:b/c.yaml"
    assert lint(write(name, BAD + '"odd\\nkey, 100%: x": 1\n'), "--format", "github") == 1
    lines = capsys.readouterr().out.splitlines()
    told = []
    for line in lines:
        match = re.fullmatch(r"::(error|warning) ([^:]*)::(.*)", line)
        assert match is not None, line
        properties = dict(part.split("=", 1) for part in match[2].split(","))
        told.append(
            (
                match[1],
                unquote(properties["file"]),
                properties["line"],
                properties["title"],
                unquote(match[3]),
            )
        )
    assert [each[:4] for each in told] == [
        ("error", name, "9", "unknown-key"),
        ("warning", name, "10", "unread-section"),
    ]
    assert told[0][4].endswith("\nhint: did you mean 'drop_params'?")
    assert "'odd\\nkey, 100%: x'" in told[1][4]


def test_sarif_is_valid_and_knows_every_rule(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write("dir with blank/c.yaml", SILENCED + "litellm_settings: {drop_parms: true}\n")
    empty = write("empty.yaml", "")
    log = document(capsys, "dir with blank/c.yaml", empty, str(here / "empty.yaml"), "--format", "sarif")
    jsonschema.Draft4Validator(json.loads(SARIF.read_text())).validate(log)
    (run,) = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(lint_rules())
    found = [
        (
            each["ruleId"],
            each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "suppressions" in each,
        )
        for each in run["results"]
    ]
    assert found == [
        ("unknown-key", "dir%20with%20blank/c.yaml", False),
        ("empty-file", "empty.yaml", False),
        ("empty-file", (here / "empty.yaml").as_uri(), False),
        ("unread-section", "dir%20with%20blank/c.yaml", True),
    ]


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write("models.yaml", MODEL)
    text = "include: [models.yaml]\ngeneral_settings:\n  master_kee: os.environ/LITELLM_MASTER_KEY\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert lint("-") == 1
    out = capsys.readouterr().out
    assert "<stdin>:3:3: error: unknown-key: LiteLLM knows no 'master_kee'" in out
    assert "model-list-empty" not in out


def test_the_environment_is_judged_only_where_it_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write("c.yaml", GOOD.replace("11434", "11434\n      api_key: os.environ/KEY"))
    write(".env", "# ours\nexport LITELLM_MASTER_KEY='sk-0123456789abcdef' # new\nOTHER=1\n")
    assert lint(config) == 0
    assert lint(config, "--environment") == 1
    assert [line.split(": ")[3] for line in capsys.readouterr().out.splitlines() if ": error: " in line] == [
        "model_list[0].litellm_params.api_key is taken from KEY, which is not set",
        "general_settings.master_key is taken from LITELLM_MASTER_KEY, which is not set",
    ]
    assert lint(config, "--env-file", ".env") == 1
    assert "api_key is taken from KEY" in capsys.readouterr().out
    monkeypatch.setenv("KEY", "set")
    assert lint(config, "--env-file", ".env", "--environment") == 0


def test_env_files_are_read_as_dotenv_reads_them() -> None:
    text = "A=1\nexport B = two # no\nC='th ree # yes'\nD=\"fo\\\"ur\"\nE=\nF\n\n# G=1\nH=a#b\nI='open\n!!\n"
    variables, unread = parse_env_file(text)
    assert variables == {
        "A": "1",
        "B": "two",
        "C": "th ree # yes",
        "D": 'fo"ur',
        "E": "",
        "F": None,
        "H": "a#b",
        "I": "'open",
        "!!": None,
    }
    assert unread == []


def test_a_baseline_hides_what_was_there_and_tells_what_has_gone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "".join(
        f"  - model_name: m{i}\n"
        f"    litellm_params: {{model: ollama/m{i}, api_base: 'http://h:1', rpm: 9/min}}\n"
        for i in range(3)
    )
    tail = GOOD.removeprefix(MODEL) + "litellm_settings:\n  drop_parms: true\n"
    config = write("sub/c.yaml", "model_list:\n" + old + tail)
    assert lint(config, "--baseline", "b.json", "--write-baseline") == 0
    assert "b.json: 4 findings written" in capsys.readouterr().out
    assert lint(config, "--baseline", "b.json") == 0
    assert "no findings; 4 in the baseline" in capsys.readouterr().out
    # What is put in above moves every line and every index, and brings nothing back.
    new = "  - model_name: new\n    litellm_params: {model: ollama/new, api_base: 'http://h:1', tpm: 9/min}\n"
    write(config, "# a comment\nmodel_list:\n" + new + old + tail)
    assert lint(config, "--baseline", "b.json") == 1
    out = capsys.readouterr().out
    assert out.count(": error: ") == 1
    assert "model_list[0].litellm_params.tpm" in out
    # From elsewhere it is the same file.
    assert cli.main(["lint", str(here / config), "--baseline", str(here / "b.json")]) == 1
    assert capsys.readouterr().out.count(": error: ") == 1
    write(config, "model_list:\n" + old.replace("9/min", "9") + tail)
    assert lint(config, "--baseline", "b.json") == 0
    out, err = capsys.readouterr()
    assert "no findings; 1 in the baseline" in out
    assert err.count("no longer found: sub/c.yaml: wrong-type: model_list[m") == 3
    assert lint(config, "--baseline", "b.json", "--ignore", "wrong-type") == 0
    assert capsys.readouterr().err == ""


def test_a_baseline_of_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read there has no place on the disk; what is in a list is known by its number."""

    def lint_text(text: str, *options: str) -> int:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return lint("-", "--baseline", "b.json", *options)

    text = GOOD + "litellm_settings:\n  callbacks: [langfuze]\n"
    assert lint_text(text, "--write-baseline") == 0
    (entry,) = json.loads(Path("b.json").read_text())["findings"]
    assert (entry["file"], entry["path"]) == ("<stdin>", "litellm_settings.callbacks[0]")
    assert lint_text(text) == 0
    assert "no findings; 1 in the baseline" in capsys.readouterr().out
    assert lint_text(text.replace("[langfuze]", "[langfuse, langfuze]")) == 1


def test_a_name_in_a_config_cannot_write_lines_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(write("c.yaml", GOOD + '"x\\n\\e[2Jc.yaml:1:1: error: y": 1\n')) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 3
    assert "\x1b" not in out


def test_the_whole_program_is_quick_and_needs_no_heavy_module(here: Path) -> None:
    write("c.yaml", GOOD)
    code = (
        "import sys; from pytest_aibackend.cli import main; status = main(['lint', 'c.yaml', '--json']);"
        "heavy = {'litellm', 'pydantic', 'jsonschema', 'httpx', 'rich', 'pytest'} & set(sys.modules);"
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=here)
    assert done.returncode == 0, done.stderr
