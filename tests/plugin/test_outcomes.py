"""What comes out: words and letters, exit status, findings, and never a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.secret_places import BROKEN, SECRET, SOUND, plant

from .conftest import Site, check

CRASH = """
from pytest_aibackend.rules import registry
from dataclasses import replace

def broken(backend):
    raise RuntimeError("a bug of ours")
    yield

registry.RULES["unknown-provider"] = replace(registry.RULES["unknown-provider"], find=broken)
"""


def rules_of(check_result: dict[str, Any]) -> list[str]:
    return [finding["rule"] for finding in check_result["findings"]]


def test_warned_has_its_own_word(site: Site) -> None:
    result, document = site.document("-v")
    assert result.ret == 0
    assert check(document, 10)["status"] == "warned"
    assert document["summary"]["warned"] == 1
    assert result.parseoutcomes()["warned"] == 1
    assert "WARNED" in result.stdout.str()
    result.stdout.fnmatch_lines(
        [
            "*- warnings -*",
            "config/gateway.yaml:*: warning: no-backup: *",
            "  hint: *",
            " 10  backups *warned *",
        ]
    )


def test_warned_has_its_own_letter(site: Site) -> None:
    result = site.run("-q", "--no-header", "checks/test_10_backups.py")
    assert result.ret == 0
    progress = [line for line in result.outlines if "%]" in line]
    assert "W" in "".join(progress), result.outlines


def test_strict(site: Site) -> None:
    result, document = site.document("--aibackend-strict")
    assert result.ret == 1
    assert check(document, 10)["status"] == "failed"
    assert [finding["severity"] for finding in check(document, 10)["findings"]] == ["warning"]


def test_finding_has_its_line_and_hint(site: Site) -> None:
    line = site.edit("model-mappings.yaml", "provider: ollama\n", "provider: olama\n")
    result, document = site.document()
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            f"config/model-mappings.yaml:{line}:*: error: unknown-provider: *'olama'*",
            "  hint: did you mean 'ollama'?",
            "FAILED checks/test_05_consistency.py::test_route_provider?llama3.1:8b?*",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    (finding,) = [each for each in check(document, 5)["findings"] if each["rule"] == "unknown-provider"]
    assert finding["file"] == "config/model-mappings.yaml"
    assert finding["line"] == line
    assert finding["subject"] == "llama3.1:8b"


def test_a_file_that_does_not_parse_blocks_and_hides_nothing_else(site: Site) -> None:
    site.edit("providers.yaml", "    type: ollama\n", "    type: [ollama\n")
    line = site.edit("ports.yaml", "port: 4000", "port: 400000")
    result, document = site.document()
    assert result.ret == 1
    (finding,) = check(document, 1)["findings"]
    assert finding["rule"] == "yaml-syntax"
    assert finding["file"] == "config/providers.yaml"
    assert finding["line"] > 1
    assert finding["column"] >= 1
    assert check(document, 1)["status"] == "failed"
    assert check(document, 1)["tests"] == 5, "the other files were read"
    assert check(document, 2)["status"] == "blocked"
    assert rules_of(check(document, 4)) == ["port-out-of-range"], "the others were still checked"
    assert check(document, 4)["findings"][0]["line"] == line
    assert "Traceback" not in result.stdout.str()
    assert "INTERNALERROR" not in result.stdout.str()
    assert f"blocked by config/providers.yaml:{finding['line']}:" in result.stdout.str()
    assert check(document, 2)["reason"].startswith("blocked by config/providers.yaml:")


def test_blocked_has_its_own_word(site: Site) -> None:
    site.edit("providers.yaml", "providers:", "providers: {")
    result = site.run("-v", "checks/test_02_provider_schema.py")
    assert result.ret == 1
    assert "BLOCKED" in result.stdout.str()
    assert result.parseoutcomes() == {"blocked": 1}


def test_missing_and_unreadable_files(site: Site) -> None:
    (site.config / "providers.yaml").unlink()
    (site.config / "ports.yaml").unlink()
    (site.config / "ports.yaml").mkdir()
    (site.config / "model-mappings.yaml").write_bytes(b"\xff\xfe\x00")
    (site.config / "gateway.yaml").write_text("")
    result, document = site.document()
    assert result.ret == 1
    assert sorted(rules_of(check(document, 1))) == ["empty-file", "missing-file", "not-a-file", "not-utf8"]
    assert "Traceback" not in result.stdout.str()


def test_comment_silences_one_finding_and_is_counted(site: Site) -> None:
    site.edit(
        "model-mappings.yaml",
        "provider: ollama\n",
        "provider: olama  # aibackend: ignore[unknown-provider] comes next week\n",
    )
    result, document = site.document("-k", "test_route_provider")
    assert result.ret == 0
    assert document["summary"]["findings"] == {"error": 0, "warning": 0, "ignored": 1}
    assert "1 finding" in result.stdout.str()
    assert "ignored by comments" in result.stdout.str()


def test_a_bug_of_ours_is_no_finding(site: Site) -> None:
    site.pytester.makeconftest(CRASH)
    result = site.run_apart("--json-report", "--json-report-file=report.json")
    assert result.ret == 3
    output = result.stdout.str()
    assert "RuntimeError: a bug of ours" in output
    assert "in broken" in output or "conftest.py:" in output
    document = json.loads((site.path / "report.json").read_text())["aibackend"]
    assert check(document, 5)["status"] == "failed"
    assert check(document, 1)["status"] == "passed", "the other checks still ran"


def test_internal_error(site: Site) -> None:
    site.pytester.makeconftest("def pytest_runtest_protocol(item):\n    raise RuntimeError('pytest broke')\n")
    result = site.run_apart()
    assert result.ret == 3
    assert "pytest broke" in result.stdout.str() + result.stderr.str()


def test_a_worker_that_dies_is_never_green(site: Site) -> None:
    """An enum among recorded properties kills an xdist worker, whose run then exits 0 without us."""
    site.pytester.makeconftest(
        "import enum, pytest\n"
        "class Colour(enum.Enum):\n    RED = 1\n"
        "@pytest.fixture(autouse=True)\n"
        "def record(record_property):\n    record_property('colour', Colour.RED)\n"
    )
    site.edit("model-mappings.yaml", "provider: ollama\n", "provider: olama\n")
    result = site.run_apart()
    assert result.ret == (3 if site.is_distributed else 1)


def test_missing_directory_is_wrong_usage(site: Site) -> None:
    result = site.run("--aibackend-config=nowhere")
    assert result.ret == 4
    assert "--aibackend-config: there is no directory nowhere" in result.stderr.str() + result.stdout.str()


def test_another_directory(site: Site) -> None:
    site.config.rename(site.path / "other")
    result, document = site.document("--aibackend-config=other")
    assert result.ret == 0
    assert document["config"] == "other"


def test_directory_from_the_ini_file(site: Site) -> None:
    site.config.rename(site.path / "other")
    result, document = site.document("-o", "aibackend_config=other")
    assert result.ret == 0
    assert document["config"] == "other"


@pytest.mark.parametrize("leaks", [SOUND, BROKEN], ids=["read", "not-read"])
def test_no_secret_in_any_output(site: Site, leaks: list[str]) -> None:
    for leak in leaks:
        plant(site.config, leak)
    result, document = site.document("-vv", "--showlocals", "--tb=long", "--junitxml=junit.xml", "-rA")
    assert result.ret == 1
    said = {
        "stdout": result.stdout.str(),
        "stderr": result.stderr.str(),
        "document": json.dumps(document),
        "report": (site.path / "report.json").read_text(),
        "junit": (site.path / "junit.xml").read_text(),
    }
    assert [where for where, text in said.items() if SECRET in text] == []


def test_no_secret_in_a_traceback_of_ours(site: Site) -> None:
    site.edit("providers.yaml", "    required: true\n", f"    api_key: {SECRET}\n")
    site.edit("gateway.yaml", "os.environ/LITELLM_MASTER_KEY", SECRET)
    site.pytester.makeconftest(CRASH)
    result = site.run_apart("--tb=long", "--junitxml=junit.xml", "--json-report")
    assert result.ret == 3
    assert SECRET not in result.stdout.str() + result.stderr.str()
    for name in ("junit.xml", ".report.json"):
        assert SECRET not in (site.path / name).read_text()


def test_a_provider_named_blocked_is_a_provider(site: Site) -> None:
    site.edit(
        "providers.yaml", "providers:\n", "providers:\n  blocked: {type: vllm, base_url: 'http://h:1'}\n"
    )
    result = site.run("checks/test_02_provider_schema.py")
    assert result.ret == 0
    assert "blocked" not in result.parseoutcomes()
