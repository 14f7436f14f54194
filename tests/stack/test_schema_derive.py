"""The schema derived afresh from the installed LiteLLM, and what is kept beside the derivation."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.cli import main
from pytest_aibackend.litellm import schema as schemas
from pytest_aibackend.litellm.derive import additions, command
from pytest_aibackend.litellm.derive.additions import entries, missed, place_of
from pytest_aibackend.litellm.schema import load_schema

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = Path(schemas.__file__).parent


def aibackend(*arguments: str | Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line, if `path` is given with nothing but that to import from."""
    program = "import sys; from pytest_aibackend.cli import main; sys.exit(main(sys.argv[1:]))"
    options = ["-S", "-E"] if path is not None else []
    start = f"import sys; sys.path = {path!r}.split({os.pathsep!r}); " if path is not None else ""
    return subprocess.run(
        [sys.executable, *options, "-c", start + program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Return the configurations that LiteLLM carries in its package."""
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    root = Path(spec.submodule_search_locations[0], "proxy")
    found = []
    for path in sorted([*root.glob("*.yaml"), *root.glob("example_config_yaml/*.yaml")]):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and "model_list" in document:
            found.append((path.name, document))
    return found


def unknown_keys(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the keys of a configuration that the schema does not know, with their section."""
    parts: list[tuple[str, dict[str, Any] | None]] = [("", document)]
    parts += [
        (name, document.get(name)) for name in ("general_settings", "litellm_settings", "router_settings")
    ]
    parts.append(("cache_params", (document.get("litellm_settings") or {}).get("cache_params")))
    for deployment in document["model_list"] or []:
        parts.append(("deployment", deployment))
        parts += [(name, deployment.get(name)) for name in ("litellm_params", "model_info")]
    for guardrail in document.get("guardrails") or []:
        parts += [("guardrail", guardrail), ("guardrail_params", guardrail.get("litellm_params"))]
    schema = load_schema()
    return [(name, key) for name, part in parts for key in part or {} if key not in schema.section(name).keys]


def test_shipped_schema_is_what_the_pinned_litellm_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = importlib.metadata.version("litellm")
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert f"litellm=={version}" in pins, "the installed LiteLLM is not the pinned one"
    target = tmp_path / f"litellm-{load_schema().line}.json"
    beside = target.with_name(f"{target.stem}.models.json")
    # The derivation has a process of its own with few variables; `make coverage` needs one of its own there.
    monkeypatch.setattr(command, "_KEPT", (*command._KEPT, "COVERAGE_PROCESS_CONFIG"))
    assert main(["schema", "derive", "--output", str(target)]) == 0
    assert capsys.readouterr() == (f"{target}\n{beside}\n", "")
    for derived in (target, beside):
        fresh, shipped = (
            derived.read_text(encoding="utf-8"),
            (SHIPPED / derived.name).read_text(encoding="utf-8"),
        )
        if fresh != shipped:
            changed = sorted(set(fresh.splitlines()) ^ set(shipped.splitlines()))
            pytest.fail(f"{derived.name} differs in {len(changed)} lines, such as: {changed[:6]}")


def test_every_addition_applies_to_one_shipped_version_and_shows_a_line() -> None:
    shown: dict[str, set[str]] = {}
    for entry in entries():
        place = place_of(entry)
        for key in entry["keys"]:
            shown.setdefault(f"{entry['section']}.{key}", set())
            if place is not None:
                assert re.fullmatch(r"[\w./]+\.py:\d+", place)
                shown[f"{entry['section']}.{key}"].add(place)
    assert not [name for name, places in shown.items() if not places], "no line of LiteLLM shows these"


def test_tells_which_additions_this_litellm_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missed() == []
    gone = {
        "section": "general_settings",
        "keys": ["a", "b"],
        "read": {"file": "proxy/*", "text": "no such line"},
    }
    here = {
        "section": "general_settings",
        "keys": ["b"],
        "read": {"file": "proxy/proxy_s*.py", "text": "import"},
    }
    monkeypatch.setattr(additions, "entries", lambda: [gone, here])
    assert missed() == ["general_settings.a"]


def test_knows_every_key_of_litellms_own_examples() -> None:
    found = examples()
    assert len(found) >= 15
    assert [(name, keys) for name, document in found if (keys := unknown_keys(document))] == []


def test_says_what_to_do_without_litellm(tmp_path: Path) -> None:
    standard = os.pathsep.join([str(ROOT), sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")])
    dynamic = os.pathsep.join(path for path in sys.path if path.endswith("lib-dynload"))
    done = aibackend(
        "schema", "derive", "--output", tmp_path / "x.json", path=f"{standard}{os.pathsep}{dynamic}"
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert "LiteLLM is not installed" in done.stderr
    assert "pip install 'litellm[proxy]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_says_where_it_cannot_write(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    done = aibackend("schema", "derive", "--output", blocked / "x.json")
    assert done.returncode == 2
    assert f"cannot write {blocked / 'x.json'}" in done.stderr


def test_says_why_it_cannot_read_a_litellm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('no proxy here')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert main(["schema", "derive"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "the installed LiteLLM cannot be read: ImportError: no proxy here; is the proxy's part" in err
    assert "Traceback" not in err


def test_prints_the_schema_and_notes_what_the_additions_miss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "derive_text", lambda: ("{}\n", "[]\n", ["general_settings.a"]))
    assert main(["schema", "derive"]) == 0
    out, err = capsys.readouterr()
    assert out == "{}\n"
    assert err.startswith("note: this LiteLLM does not have the lines that additions.yaml names for")
    assert "'general_settings.a'" in err
    assert main(["schema", "derive", "--output", str(tmp_path)]) == 2
    assert f"error: cannot write {tmp_path}: Is a directory" in capsys.readouterr().err
