"""What a person types to choose checks, and what then runs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from .conftest import Site, check

ROUTE = "checks/test_05_consistency.py::test_route_provider[llama3.1:8b]"
LIVE_ONLY = [7, 8, 11]


def statuses(document: dict[str, object]) -> dict[int, str]:
    checks = document["checks"]
    assert isinstance(checks, list)
    return {each["number"]: each["status"] for each in checks}


def break_two_routes(site: Site) -> None:
    site.edit("model-mappings.yaml", "provider: ollama\n", "provider: olama\n", count=2)


def test_shipped_configuration_passes(site: Site) -> None:
    result, document = site.document()
    assert result.ret == 0
    assert document["summary"]["failed"] == 0
    assert document["summary"]["findings"] == {"error": 0, "warning": 1, "ignored": 0}
    assert [statuses(document)[number] for number in LIVE_ONLY] == ["skipped"] * 3
    for number in (1, 2, 3, 4, 5, 6):
        assert check(document, number)["status"] == "passed", check(document, number)


def test_ids_are_what_a_person_would_type(site: Site) -> None:
    result = site.run("--collect-only", "-q")
    assert result.ret == 0
    listed = set(result.outlines)
    assert {
        ROUTE,
        "checks/test_01_yaml_syntax.py::test_yaml_syntax[providers.yaml]",
        "checks/test_02_provider_schema.py::test_provider_schema[vllm]",
        "checks/test_04_ports_schema.py::test_port_schema[redis]",
        "checks/test_06_port_conflicts.py::test_port_conflict[11434]",
        "checks/test_07_provider_health.py::test_provider_model[ollama/llama3.1:8b]",
        "checks/test_11_redis.py::test_redis_endpoint[127.0.0.1:6379]",
    } <= listed, result.outlines
    assert "eleven checks" not in result.stdout.str()


def test_node_id(site: Site) -> None:
    result, document = site.document(ROUTE)
    assert result.ret == 0
    result.assert_outcomes(passed=1)
    assert check(document, 5)["tests"] == 1
    assert check(document, 1)["reason"] == "not selected"


def test_k(site: Site) -> None:
    result = site.run("-k", "test_provider_schema and vllm")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 1


def test_last_failed(site: Site) -> None:
    break_two_routes(site)
    first = site.run()
    assert first.ret == 1
    failed = first.parseoutcomes()["failed"]
    again = site.run("--lf", "-v")
    assert again.ret == 1
    outcomes = again.parseoutcomes()
    assert outcomes["failed"] == failed
    assert "passed" not in outcomes
    assert ROUTE in again.stdout.str()


def test_stop_at_the_first_failure(site: Site) -> None:
    break_two_routes(site)
    result = site.run("-x", "checks/test_05_consistency.py")
    assert result.ret in (1, 2)
    assert 1 <= result.parseoutcomes()["failed"] <= (2 if site.is_distributed else 1)
    assert "stopping after 1 failures" in result.stdout.str()


def test_quiet(site: Site) -> None:
    result = site.run("-q", "--no-header")
    assert result.ret == 0
    assert "test session starts" not in result.stdout.str()
    result.stdout.fnmatch_lines(["*eleven checks of config*", "  1  yaml-syntax *passed *", "11 checks: *"])


def test_no_header_says_nothing_of_us(site: Site) -> None:
    plain = site.run("--no-header", "checks/test_01_yaml_syntax.py")
    assert plain.ret == 0
    head = plain.stdout.str().partition("eleven checks")[0]
    assert "plugins:" not in head


def test_colour(site: Site) -> None:
    break_two_routes(site)
    assert "\x1b[" not in site.run("--color=no").stdout.str()
    coloured = site.run("--color=yes").stdout.str()
    assert re.search(r"\x1b\[[0-9;]*mfailed ", coloured)


def test_junit_xml(site: Site) -> None:
    break_two_routes(site)
    result = site.run("--junitxml=junit.xml")
    assert result.ret == 1
    suite = ET.parse(site.path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    outcomes = result.parseoutcomes()
    assert int(suite.attrib["failures"]) == outcomes["failed"]
    assert int(suite.attrib["errors"]) == 0
    assert int(suite.attrib["skipped"]) == outcomes["skipped"]
    (case,) = [
        each for each in suite.iter("testcase") if each.attrib["name"] == "test_route_provider[llama3.1:8b]"
    ]
    failure = case.find("failure")
    assert failure is not None
    assert "unknown-provider" in (failure.text or "")
    assert "Traceback" not in (failure.text or "")


@pytest.mark.parametrize("options", [("-m", "critical"), ("--critical",)], ids=["marker", "option"])
def test_critical(site: Site, options: tuple[str, ...]) -> None:
    result, document = site.document(*options)
    assert result.ret == 0
    found = statuses(document)
    assert found[7] == found[10] == "skipped"
    assert check(document, 10)["reason"] == "not selected"
    assert {found[number] for number in (1, 2, 3, 4, 5, 6)} == {"passed"}
    # xdist does not tell its controller what was deselected
    assert site.is_distributed or "deselected" in result.parseoutcomes()


def test_critical_fails_on_a_critical_finding(site: Site) -> None:
    break_two_routes(site)
    assert site.run("--critical").ret == 1


def test_live_checks_are_not_run_unless_asked(site: Site) -> None:
    result, document = site.document()
    assert result.ret == 0
    for number in LIVE_ONLY:
        assert "needs running services: pass --live" in check(document, number)["reason"]
    assert "needs running services: pass --live" in result.stdout.str()


@pytest.mark.parametrize(
    "arguments",
    [("-m", "critical and live"), ("checks/test_11_redis.py",), ("-m", "live")],
    ids=["critical-and-live", "redis", "live"],
)
def test_nothing_checked_is_not_success(site: Site, arguments: tuple[str, ...]) -> None:
    result = site.run(*arguments)
    assert result.ret == 5
    assert "passed" not in result.parseoutcomes()


def test_live_against_nobody(site: Site) -> None:
    site.move_ports()
    result, document = site.document("--live", "--aibackend-timeout=2", "-m", "critical and live")
    assert result.ret == 1
    found = statuses(document)
    assert (found[6], found[8], found[11]) == ("failed", "failed", "failed")
    assert found[7] == "skipped"
    assert "required-port-silent" in {each["rule"] for each in check(document, 6)["findings"]}
    assert "Traceback" not in result.stdout.str()


def test_live_provider_that_is_optional_warns(site: Site) -> None:
    site.move_ports()
    result, document = site.document(
        "--live", "--aibackend-timeout=2", "checks/test_07_provider_health.py", "-k", "vllm"
    )
    assert result.ret == 0, document
    assert check(document, 7)["status"] == "warned"


def test_live_and_critical_options_together(site: Site) -> None:
    site.move_ports()
    _, document = site.document("--live", "--critical", "--aibackend-timeout=2")
    found = statuses(document)
    assert found[7] == found[10] == "skipped"
    assert found[11] == "failed"
