"""In a pytest run that has nothing to do with us: no word, no work, and no way to be in the way."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

HEAVY = (
    "pydantic",
    "yaml",
    "httpx",
    "redis",
    "psutil",
    "rich.table",
    "jsonschema",
    "pytest_aibackend.session",
)
UNRELATED = f"""
import sys

def test_unrelated():
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    assert loaded == []
"""


@pytest.fixture(params=[(), ("-n", "2")], ids=["xdist_off", "xdist_two"])
def distribution(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Sequence[str]:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    return tuple(request.param)


def normal(text: str) -> str:
    """Return the output without what differs anyway: times, xdist's order, the list of plugins."""
    text = re.sub(r"\d+\.\d+s|\[gw\d\] |\[ *\d+%\]|\bgw\d\b|, *$", "", text)
    return "\n".join(line for line in text.splitlines() if not line.startswith(("metadata:", "plugins:")))


def test_unrelated_run_imports_nothing(pytester: pytest.Pytester, distribution: Sequence[str]) -> None:
    pytester.makepyfile(UNRELATED)
    result = pytester.runpytest_subprocess(*distribution)
    assert result.ret == 0, result.stdout.str()
    result.assert_outcomes(passed=1)


def test_unrelated_run_says_nothing(pytester: pytest.Pytester, distribution: Sequence[str]) -> None:
    pytester.makepyfile("def test_good():\n    pass\n\ndef test_bad():\n    assert False\n")
    (pytester.path / "config").mkdir()  # a directory of this name means nothing by itself
    with_us = pytester.runpytest_subprocess(
        *distribution, "-v", "-p", "no:cacheprovider", "-p", "no:randomly"
    )
    without = pytester.runpytest_subprocess(
        *distribution, "-v", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:aibackend"
    )
    assert with_us.ret == without.ret == 1
    assert sorted(normal(with_us.stdout.str()).splitlines()) == sorted(
        normal(without.stdout.str()).splitlines()
    )
    assert with_us.stderr.str() == without.stderr.str()


def test_unrelated_json_report_has_no_part_of_us(
    pytester: pytest.Pytester, distribution: Sequence[str]
) -> None:
    pytester.makepyfile("def test_good():\n    pass\n")
    result = pytester.runpytest_subprocess(*distribution, "--json-report")
    assert result.ret == 0
    assert '"aibackend"' not in (pytester.path / ".report.json").read_text()


def test_our_options_do_not_touch_other_tests(pytester: pytest.Pytester, distribution: Sequence[str]) -> None:
    pytester.makepyfile("def test_good():\n    pass\n")
    result = pytester.runpytest_subprocess(*distribution, "--live", "--critical", "--aibackend-strict")
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    assert "eleven checks" not in result.stdout.str()


def test_blocked_plugin_takes_its_options_away(
    pytester: pytest.Pytester, distribution: Sequence[str]
) -> None:
    pytester.makepyfile("def test_good():\n    pass\n")
    refused = pytester.runpytest_subprocess(*distribution, "-p", "no:aibackend", "--aibackend-strict")
    assert refused.ret == 4
    assert "--aibackend-strict" in refused.stderr.str()
    assert pytester.runpytest_subprocess(*distribution, "-p", "no:aibackend").ret == 0


def test_works_without_xdist_and_json_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_good():\n    pass\n")
    result = pytester.runpytest_subprocess(
        "-p", "no:xdist", "-p", "no:json-report", "-p", "no:pytest_jsonreport"
    )
    assert result.ret == 0
