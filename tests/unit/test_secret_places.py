"""A secret that stands in a source by mistake is in no finding about it, nor in any object's repr."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_aibackend.findings import Finding
from pytest_aibackend.rules.registry import evaluate
from pytest_aibackend.sources.backend import FILES, Backend, load_backend
from pytest_aibackend.sources.secrets import redact_diff, redact_line
from tests.unit.secret_places import BROKEN, LEAKS, SECRET, SOUND, plant

CONFIG = Path(__file__).resolve().parents[2] / "config"


def copy_config(target: Path) -> Path:
    target.mkdir()
    for source in CONFIG.glob("*.yaml"):
        shutil.copy2(source, target)
    return target


def all_findings(backend: Backend) -> list[Finding]:
    results = evaluate(backend).values()
    for result in results:
        if result.crash:
            raise result.crash
    found = [each for role in FILES for each in backend.load_findings(role)]
    return found + [each for result in results for some in result.findings.values() for each in some]


@pytest.mark.parametrize("leak", LEAKS)
def test_no_finding_shows_a_secret(tmp_path: Path, leak: str) -> None:
    config = copy_config(tmp_path / "config")
    plant(config, leak)
    backend = load_backend(config)
    shown = [json.dumps(finding.as_dict()) for finding in all_findings(backend)]
    assert [text for text in shown if SECRET in text] == []
    assert SECRET not in repr(backend.sources)


def test_places_for_the_plugin_tests_are_known() -> None:
    assert {*BROKEN, *SOUND} <= set(LEAKS)


def test_diff_hides_values_below_their_key() -> None:
    diff = [
        "--- on disk",
        "+++ new",
        "@@ -1 +1 @@",
        "     cache_params:",
        "-      password:",
        f"-      - {SECRET}",
        f"-        {SECRET}",
        "+      api_key: |",
        f"+        {SECRET}",
        "       ttl: 60",
    ]
    shown = list(redact_diff(diff))
    assert SECRET not in "\n".join(shown)
    assert len(shown) == len(diff)
    assert shown[:5] == diff[:5]
    assert shown[-1] == diff[-1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"+ api_base: me:{SECRET}@host:80/v1", "+ api_base: ***@host:80/v1"),
        (
            f"+ api_base: http://host/?a=1&api_key={SECRET}&b=2",
            "+ api_base: http://host/?a=1&api_key=***&b=2",
        ),
        ("+ model: ollama/llama3.1:8b", "+ model: ollama/llama3.1:8b"),
        ("+ when: 12:30 @ noon", "+ when: 12:30 @ noon"),
        ("+ contact: team@example.org", "+ contact: team@example.org"),
    ],
)
def test_line(text: str, shown: str) -> None:
    assert redact_line(text) == shown
