"""The gate: the eleven checks, run by pytest in a process of its own, on exactly the bytes to be deployed.

It opens only for a run that came to its end, with exit status 0, in which every expected check reported and
none failed. Whatever else comes back is a refusal, in words of its own: an empty run, a crash, a run that
was killed or took too long, a report that cannot be read.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.findings import Finding, Severity

__all__ = ["Verdict", "child_environment", "judge", "run_gate"]

WITHIN_S: Final = 300.0
_NOTHING: Final = "nothing to check"
_NEEDS_LIVE: Final = "needs running services"
_STATUSES: Final = {
    1: "the checks did not pass",
    2: "the checks did not run: wrong usage, interrupted, or nothing to check",
    3: "the checks broke: a bug in them, or a test that crashed",
}
_ABOUT_SOURCES: Final = 9  # the check that compares the file with its sources
# What would change what the child runs, or how: nothing of the caller's settings weakens the gate.
_WEAKENING: Final = ("PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONBREAKPOINT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the gate says; it is open where there is no reason against it."""

    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]  # of the checks that reported
    warnings: int
    checks: int  # that passed or warned
    skipped: int
    is_as_generated: bool = (
        True  # False: the sources would give something else, which matters not to a restore
    )

    @property
    def is_open(self) -> bool:
        """Say whether the candidate may pass."""
        return not self.reasons

    def describe(self) -> str:
        """Return it in one line."""
        if self.reasons:
            return "; ".join(self.reasons)
        parts = [f"{self.checks + self.skipped} checks"]
        parts += [f"{self.skipped} of them not run"] if self.skipped else []
        parts += [f"{self.warnings} warning{'s' if self.warnings != 1 else ''}"] if self.warnings else []
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, as the report and the history have them."""
        return {
            "open": self.is_open,
            "checks": self.checks,
            "skipped": self.skipped,
            "warnings": self.warnings,
            "errors": sum(finding.severity is Severity.ERROR for finding in self.findings),
            "reasons": list(self.reasons),
        }


def run_gate(
    config_dir: Path, staged: Path, *, live: bool, bytes_only: bool = False, within_s: float = WITHIN_S
) -> Verdict:
    """Run the checks on a staged file; `bytes_only` judges that file alone, as for a restore.

    Where `bytes_only`, what the checks say about the sources, or about the file not being what they give,
    does not count: the sources may be just what is broken.
    """
    command = [
        sys.executable,
        "-P",  # no module from the current directory
        "-m", "pytest_aibackend.cli", "check", "--json",
        "--config", str(config_dir),
        f"--aibackend-generated={staged}",
        *(["--live"] if live else []),
        "-p", "pytest_aibackend.plugin",  # and no other: autoload is off
    ]  # fmt: skip
    child = subprocess.Popen(
        command,
        env=child_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C is ours to answer
    )
    try:
        said, trouble = child.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        return _refusal(f"the checks took longer than {within_s:g} s")
    finally:
        _end(child)
    verdict = judge(child.returncode, said, live=live, only=str(staged) if bytes_only else None)
    if child.returncode not in (0, 1) and (last := _last_line(trouble)):
        verdict = Verdict(
            reasons=(*verdict.reasons, f"it said: {last}"),
            findings=verdict.findings,
            warnings=verdict.warnings,
            checks=verdict.checks,
            skipped=verdict.skipped,
        )
    return verdict


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the checks: no pytest setting of the caller's, no plugin but ours."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(("PYTEST_", "_PYTEST")) and name not in _WEAKENING
    }
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONSAFEPATH": "1"}


def judge(status: int, said: bytes, *, live: bool, only: str | None = None) -> Verdict:
    """Judge a run of the checks by its exit status and its document; `only`: by findings in this file."""
    if status < 0:
        return _refusal(f"the checks were killed by signal {-status} ({_signal_name(-status)})")
    try:
        checks, findings = _read(said)
    except (ValueError, KeyError, TypeError, AttributeError):
        if status:
            return _refusal(_STATUSES.get(status, f"the checks ended with status {status}"))
        return _refusal("the checks said that all is well, but their report cannot be read")
    counted = findings
    if only is not None:
        of_sources = checks.get(_ABOUT_SOURCES, {}).get("findings", [])
        counted = [each for each in findings if each.location.file == only and each not in of_sources]
    reasons = [*_missing(checks), *_troubles(checks, counted, live=live, only=only)]
    if not any(check["tests"] for check in checks.values()):
        reasons.insert(0, "nothing was checked")
    if status not in (0, 1):
        reasons.append(_STATUSES.get(status, f"the checks ended with status {status}"))
    elif status == 1 and not reasons and only is None:
        reasons.append(_STATUSES[1])
    # For a restore, a check that failed over the sources has judged the bytes all the same.
    good = ("passed", "warned") if only is None else ("passed", "warned", "failed", "blocked")
    return Verdict(
        reasons=tuple(reasons),
        findings=tuple(counted),
        warnings=sum(finding.severity is Severity.WARNING for finding in counted),
        checks=sum(check["status"] in good for check in checks.values()),
        skipped=sum(check["status"] == "skipped" for check in checks.values()),
        is_as_generated=only is None or len(counted) == sum(each.location.file == only for each in findings),
    )


def _read(said: bytes) -> tuple[dict[int, dict[str, Any]], list[Finding]]:
    document = json.loads(said)
    if document["schema_version"] != 1:
        raise ValueError("another schema")
    checks: dict[int, dict[str, Any]] = {}
    for check in document["checks"]:
        checks[int(check["number"])] = {
            "status": str(check["status"]),
            "reason": str(check.get("reason", "")),
            "tests": int(check["tests"]),
            "findings": [Finding.from_dict(plain) for plain in check["findings"]],
        }
    return checks, [finding for check in checks.values() for finding in check["findings"]]


def _missing(checks: Iterable[int]) -> Iterator[str]:
    absent = [check for number, check in CHECKS.items() if number not in set(checks)]
    if absent:
        yield "no report of " + ", ".join(f"check {check.number} ({check.slug})" for check in absent)


def _troubles(
    checks: Mapping[int, Mapping[str, Any]], counted: list[Finding], *, live: bool, only: str | None
) -> Iterator[str]:
    failed = []
    for number, check in CHECKS.items():
        seen = checks.get(number)
        if seen is None:
            continue
        name = f"check {number} ({check.slug})"
        if only is not None:
            own = [each for each in seen["findings"] if each in counted]
            if any(finding.severity is Severity.ERROR for finding in own):
                failed.append(name)
            continue
        if seen["status"] in ("failed", "blocked"):
            failed.append(name if seen["status"] == "failed" else f"{name}: {seen['reason']}")
        elif seen["status"] == "skipped":
            meant = (_NOTHING, _NEEDS_LIVE) if check.live and not live else (_NOTHING,)
            if not all(reason.startswith(meant) for reason in seen["reason"].split("; ")):
                yield f"{name} was not run: {seen['reason'] or 'without a reason'}"
        elif seen["status"] not in ("passed", "warned"):
            yield f"{name} reported {seen['status']!r}"
        elif not seen["tests"]:
            yield f"{name} reported no test"
    if failed:
        yield f"{len(failed)} of {len(CHECKS)} checks failed: " + ", ".join(failed)


def _refusal(reason: str) -> Verdict:
    return Verdict(reasons=(reason,), findings=(), warnings=0, checks=0, skipped=0)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill what still runs of the checks, workers of theirs included."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return "unknown"


def _last_line(raw: bytes) -> str:
    lines = [line.strip() for line in raw.decode("utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
