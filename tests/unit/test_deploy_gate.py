"""The gate's judgement of a run of the checks: it opens for a whole and good one alone."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.deploy.gate import child_environment, judge

STAGED = "/staging/litellm-unified.yaml"


def finding(rule: str, severity: str, file: str = "config/providers.yaml") -> dict[str, Any]:
    place = {"file": file, "line": 1, "column": 1}
    return {"rule": rule, "severity": severity, "message": "m", "hint": "h", "subject": "s", **place}


def document(*, live: bool = False) -> dict[str, Any]:
    """Return what a good run says."""
    checks: list[dict[str, Any]] = [
        {
            "number": check.number,
            "slug": check.slug,
            "critical": check.critical,
            "live": check.live,
            "status": "skipped" if check.live and not live else "passed",
            "reason": "needs running services: pass --live" if check.live and not live else "",
            "duration_s": 0.0,
            "tests": 0 if check.live and not live else 3,
            "findings": [],
        }
        for check in CHECKS.values()
    ]
    return {"schema_version": 1, "checks": checks}


def judged(plain: Any, *, status: int = 0, live: bool = False, only: str | None = None) -> Any:
    return judge(status, json.dumps(plain).encode(), live=live, only=only)


@given(
    live=st.booleans(), warned=st.sets(st.sampled_from([n for n, check in CHECKS.items() if not check.live]))
)
def test_a_whole_and_good_run_opens(live: bool, warned: set[int]) -> None:
    plain = document(live=live)
    for check in plain["checks"]:
        if check["number"] in warned:
            check |= {"status": "warned", "findings": [finding("x", "warning")]}
    verdict = judged(plain, live=live)
    assert verdict.is_open, verdict
    assert verdict.warnings == len(warned)


@given(
    number=st.sampled_from(sorted(CHECKS)),
    live=st.booleans(),
    harm=st.sampled_from(["absent", "failed", "blocked", "no-test", "deselected", "unknown", "skipped"]),
)
def test_one_bad_check_closes_it(number: int, live: bool, harm: str) -> None:
    plain = document(live=live)
    check = next(each for each in plain["checks"] if each["number"] == number)
    is_idle = check["status"] == "skipped"
    if harm == "absent":
        plain["checks"].remove(check)
    elif harm == "no-test":
        check |= {"tests": 0, "status": "passed"}
    elif harm == "deselected":
        check |= {"status": "skipped", "tests": 0, "reason": "not selected"}
    elif harm == "skipped":
        check |= {"status": "skipped", "tests": 0, "reason": "needs running services: pass --live"}
    else:
        check |= {"status": harm, "tests": 3}
    verdict = judged(plain, live=live)
    assert verdict.is_open == (harm == "skipped" and is_idle)
    if not verdict.is_open:
        assert f"check {number} (" in verdict.describe()


@given(st.integers(-64, 255).filter(bool))
def test_any_other_status_closes_it(status: int) -> None:
    assert not judged(document(), status=status).is_open


@given(
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_what_is_no_report_closes_it(said: bytes) -> None:
    for status in (0, 1):
        verdict = judge(status, said, live=False)
        assert not verdict.is_open
        assert verdict.describe()


@given(st.data())
def test_a_mutilated_report_closes_it(data: st.DataObject) -> None:
    raw = json.dumps(document()).encode()
    assert not judge(0, raw[: data.draw(st.integers(0, len(raw) - 1))], live=False).is_open
    plain = copy.deepcopy(document())
    check = data.draw(st.sampled_from(plain["checks"]))
    del check[data.draw(st.sampled_from(["number", "status", "tests", "findings"]))]
    assert not judged(plain).is_open


def test_nothing_checked_is_said() -> None:
    plain = document()
    for check in plain["checks"]:
        check |= {"status": "skipped", "tests": 0, "reason": "nothing to check: there is no file here"}
    assert judged(plain).describe() == "nothing was checked"


@pytest.mark.parametrize(
    ("status", "words"),
    [(2, "did not run"), (3, "the checks broke"), (-9, "SIGKILL"), (-15, "SIGTERM"), (77, "status 77")],
)
def test_each_end_has_its_own_words(status: int, words: str) -> None:
    assert words in judge(status, b"", live=False).describe()


def test_a_restore_is_judged_by_its_own_bytes() -> None:
    plain = document()
    by_number = {check["number"]: check for check in plain["checks"]}
    by_number[1] |= {"status": "failed", "findings": [finding("yaml-syntax", "error")]}
    by_number[4] |= {"status": "blocked", "reason": "blocked by config/ports.yaml"}
    by_number[9] |= {"status": "failed", "findings": [finding("generated-stale", "error", STAGED)]}
    assert not judged(plain, status=1).is_open
    verdict = judged(plain, status=1, only=STAGED)
    assert verdict.is_open
    assert (verdict.findings, verdict.is_as_generated) == ((), False)
    by_number[5] |= {"status": "failed", "findings": [finding("alias-shape", "error", STAGED)]}
    assert "check 5 (consistency)" in judged(plain, status=1, only=STAGED).describe()
    assert not judged(plain, status=3, only=STAGED).is_open


def test_nothing_of_the_callers_pytest_reaches_the_checks() -> None:
    given_environment = {
        "PATH": "/bin",
        "PYTEST_ADDOPTS": "-k nothing",
        "PYTEST_PLUGINS": "evil",
        "PYTEST_DEBUG": "1",
        "PYTHONINSPECT": "1",
        "PYTHONOPTIMIZE": "2",
        "LITELLM_MASTER_KEY": "sk-x",
    }
    assert child_environment(given_environment) == {
        "PATH": "/bin",
        "LITELLM_MASTER_KEY": "sk-x",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONSAFEPATH": "1",
    }


def test_a_report_of_another_version_is_none() -> None:
    verdict = judged(document() | {"schema_version": 2})
    assert not verdict.is_open
    assert verdict.reasons == ("the checks said that all is well, but their report cannot be read",)


def test_a_failure_that_no_check_tells_of_closes_it() -> None:
    verdict = judged(document(), status=1)
    assert not verdict.is_open
    assert verdict.reasons == ("the checks did not pass",)
