"""`aibackend import` as it is used: examples on disk, our own generated files, bad input, what is written."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.cli import main
from pytest_aibackend.importer.document import read_config
from pytest_aibackend.importer.secrets import move_secrets
from pytest_aibackend.litellm.command import generate
from pytest_aibackend.litellm.meaning import differences, same_meaning
from pytest_aibackend.sources.backend import FILES, load_backend
from tests.work import calls

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "examples" / "import"
UPDATE = os.environ.get("UPDATE_EXAMPLES") == "1"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
GOOD = [name for name in NAMES if not name.startswith("refused-")]
OURS = ["config/litellm-unified.yaml", "examples/embedded/litellm-unified.yaml"]
SMALL = "model_list:\n  - model_name: m\n    litellm_params: {model: ollama_chat/m, api_base: 'http://localhost:11434'}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(SMALL)
    return path


def run(*arguments: object) -> int:
    return main(["import", *map(str, arguments)])


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def generated(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((folder / FILES["generated"]).read_text(encoding="utf-8"))
    return data


@pytest.mark.parametrize("name", NAMES)
def test_example(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "given", tmp_path / "sources"
    shutil.copytree(EXAMPLES / name, source)
    status = run(source / "config.yaml", "--output", output)
    said = capsys.readouterr()
    text = f"exit {status}\n{said.out}{said.err}".replace(str(output), "OUTPUT").replace(str(source), "GIVEN")
    expected = EXAMPLES / name / "expected.txt"
    if UPDATE:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    assert (status == 0) == (name in GOOD) == output.exists()


@pytest.mark.parametrize(
    "path", [*(EXAMPLES / name / "config.yaml" for name in GOOD), *(ROOT / name for name in OURS)]
)
def test_what_is_generated_means_the_same(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(path, "--output", tmp_path / "sources") == 0
    original, moves = move_secrets(read_config(path).data)
    assert differences(original, generated(tmp_path / "sources")) == []
    assert generate(tmp_path / "sources", check=True, output=None) == 0
    again = tmp_path / "again"
    assert run(tmp_path / "sources" / FILES["generated"], "--output", again) == 0
    assert same_meaning(generated(tmp_path / "sources"), generated(again))
    said = capsys.readouterr()
    everything = said.out + said.err + "".join(raw.decode() for raw in written(tmp_path / "sources").values())
    given = read_config(path).data
    for move in moves:
        value: Any = given
        for step in move.path:
            value = value[step]
        assert value not in everything, move.where
        assert re.search(rf"^  {move.variable}=$", said.out, re.MULTILINE)


@pytest.mark.parametrize("path", OURS)
def test_our_own_files_need_no_passthrough(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ROOT / path, "--output", tmp_path / "sources", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passthrough"] == told["secrets"] == told["remarks"] == []
    assert {finding["rule"] for finding in told["findings"]} == {"no-backup"}
    ours = yaml.safe_load((ROOT / path).parent.joinpath("model-mappings.yaml").read_text())
    theirs = yaml.safe_load((tmp_path / "sources" / "model-mappings.yaml").read_text())
    assert theirs.get("capabilities", {}).keys() == ours.get("capabilities", {}).keys()
    assert len(theirs.get("patterns", [])) == len(ours.get("patterns", []))


def test_a_directory_with_sources_is_left_alone_without_force(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "sources"
    assert run(config, "--output", output) == 0
    before = written(output)
    config.write_text(SMALL.replace("11434", "11435"))
    assert run(config, "--output", output) == 2
    assert "gateway.yaml, litellm-unified.yaml already; --force" in capsys.readouterr().err
    assert written(output) == before
    (output / "notes.txt").write_text("mine")
    assert run(config, "--output", output, "--force") == 0
    assert "11435" in (output / "providers.yaml").read_text()
    assert (output / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["b\xff.yaml", "two\nproviders: lines.yaml", "é.yaml"])
def test_any_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / os.fsdecode(name.encode("latin-1"))
    path.write_text(SMALL)
    assert run(path, "--output", tmp_path / "sources", "--json") == 0
    assert [*load_backend(tmp_path / "sources").providers] == ["ollama"]


def test_the_input_is_never_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / FILES["generated"]
    path.write_text(SMALL)
    assert run(path, "--output", tmp_path, "--force") == 2
    assert "is what is imported" in capsys.readouterr().err
    assert written(tmp_path) == {path.name: SMALL.encode()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.yaml", "--output", "x"], "cannot be read: No such file or directory"),
        (["", "--output", "x"], "cannot be read: Is a directory"),
        (["config.yaml", "--output", "config.yaml"], "is not a directory"),
        (["config.yaml", "--output", "config.yaml/below"], "config.yaml is not a directory"),
    ],
)
def test_paths_that_cannot_be_used(
    arguments: list[str],
    words: str,
    config: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(config.parent)
    before = written(config.parent)
    assert run(*(argument or "." for argument in arguments)) == 2
    assert words in capsys.readouterr().err
    assert written(config.parent) == before


def test_the_gateways_port(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(config, "--output", tmp_path / "sources", "--port", "4321") == 0
    ports = yaml.safe_load((tmp_path / "sources" / "ports.yaml").read_text())
    gateway = yaml.safe_load((tmp_path / "sources" / "gateway.yaml").read_text())
    assert ports["litellm_gateway"]["port"] == 4321
    assert gateway["deploy"]["url"] == "http://127.0.0.1:4321"
    with pytest.raises(SystemExit, match="2"):
        run(config, "--output", tmp_path / "x", "--port", "99999")


def test_a_thousand_models_cost_ten_times_a_hundred(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def cost(size: int) -> int:
        listed = [
            {
                "model_name": f"m{n // 2}",
                "litellm_params": {
                    "model": f"openai/x{n % 50}",
                    "api_base": f"http://h{n % 20}:8000/v1",
                    "weight": 1,
                },
            }
            for n in range(size)
        ]
        path = tmp_path / f"{size}.yaml"
        path.write_text(yaml.safe_dump({"model_list": listed}))
        status: list[int] = []
        count = calls(lambda: status.append(run(path, "--output", tmp_path / str(size))))
        assert status == [0]
        return count

    assert cost(1000) < 11 * cost(100)


def test_the_documentation_says_what_happens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
    example, session, mappings, deploy = re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(example)
    command, _, report = session.partition("\n")
    assert main(command.removeprefix("$ aibackend ").split()) == 0
    assert capsys.readouterr().out == report
    written_mappings = Path("config", "model-mappings.yaml").read_text().partition("\n\n")[2]
    assert written_mappings == mappings
    gateway = Path("config", "gateway.yaml")
    gateway.write_text(gateway.read_text().partition("deploy:")[0] + deploy)
    backend = load_backend(Path("config"))
    assert [*backend.schema_findings("gateway")] == []
    assert backend.gateway.deploy.service.name == "litellm.service"
