"""The reload shows what its difference means above the lines that moved."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_aibackend.deploy.candidate import show_difference
from pytest_aibackend.deploy.console import Console
from pytest_aibackend.deploy.report import Report
from pytest_aibackend.deploy.site import Site

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = (ROOT / "config" / "litellm-unified.yaml").read_bytes()


def shown(old: bytes | None, new: bytes, *, as_json: bool = False) -> dict[str, Any]:
    report = Report(command="reload", config="config")
    site = cast("Site", SimpleNamespace(target=Path("litellm.yaml")))
    show_difference(site, old, new, Console(report, as_json=as_json))
    return report.document()


def test_what_it_means_stands_above_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    document = shown(DEPLOYED, DEPLOYED.replace(b"ttl: 3600", b"ttl: 60"))
    out = capsys.readouterr().out
    line = "~ performance: cache-lifetime-changed: litellm_settings.cache_params.ttl was 3600, is 60"
    assert line in out
    assert out.index(line) < out.index("-    ttl: 3600")
    assert [change["rule"] for change in document["changes"]] == ["cache-lifetime-changed"]


def test_lines_without_a_meaning_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    document = shown(DEPLOYED, DEPLOYED.replace(b"  drop_params: true\n", b"  drop_params: true # yes\n"))
    assert "no change in meaning" in capsys.readouterr().out
    assert document["changes"] == []


@pytest.mark.parametrize("old", [None, b"", b"- a list\n", b"a: [\n", b"\xff\xfe"])
def test_an_old_file_that_says_nothing_is_not_compared(
    capsys: pytest.CaptureFixture[str], old: bytes | None
) -> None:
    assert shown(old, DEPLOYED)["changes"] == []
    assert "meaning" not in capsys.readouterr().out


def test_of_many_changes_the_gravest_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"m{number}" for number in range(100)]
    deployments = [
        f"- {{model_name: {name}, litellm_params: {{model: ollama/{name}, api_base: 'http://127.0.0.1:11434'}}}}"
        for name in names
    ]
    document = shown(("model_list:\n" + "\n".join(deployments) + "\n").encode(), DEPLOYED)
    out = capsys.readouterr().out
    assert len(document["changes"]) > 100
    assert out.count("name-removed") == 40
    assert f"... and {len(document['changes']) - 40} more changes in meaning" in out
