"""Keys that YAML does not read as text: found where they stand, and the rest of the file still used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_aibackend.sources.backend import load_backend

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize("is_nested", [False, True], ids=["top", "nested"])
@pytest.mark.parametrize("key", ["null", "2.5", "2025-01-01", "off", "7", "~"])
@pytest.mark.parametrize("role", ["providers", "model-mappings", "ports", "gateway"])
def test_a_key_that_is_no_text_hides_nothing_else(
    tmp_path: Path, role: str, key: str, *, is_nested: bool
) -> None:
    config = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    file = config / f"{role}.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    place = len(lines)
    if is_nested:
        place = next(n for n, text in enumerate(lines) if text.endswith(":") and text[0] not in "# ") + 1
    lines.insert(place, f"{'  ' if is_nested else ''}{key}: 1")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    backend, whole = load_backend(config), load_backend(CONFIG)

    findings = backend.schema_findings(role)
    assert [(f.rule, f.location.line) for f in findings] == [("wrong-key-type", place + 1)]
    assert backend.providers == whole.providers
    assert backend.mappings == whole.mappings
    assert {*backend.ports} >= {*whole.ports} - {"litellm_gateway"}
    assert backend.gateway.deploy == whole.gateway.deploy
