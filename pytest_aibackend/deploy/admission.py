"""What a candidate has to pass before anything is touched: gate, cache, canary, and the one who is asked."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_aibackend.deploy.candidate import STAGED_NAME
from pytest_aibackend.deploy.console import Console
from pytest_aibackend.deploy.gate import run_gate
from pytest_aibackend.deploy.report import Outcome, StopRun
from pytest_aibackend.deploy.request import Request
from pytest_aibackend.deploy.site import Site
from pytest_aibackend.deploy.staging import make_staging_area
from pytest_aibackend.findings import Finding, Severity
from pytest_aibackend.serving.state import write_private

if TYPE_CHECKING:
    from pytest_aibackend.deploy.canary.client import Canary

__all__ = ["Admission"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """The ways to be refused; each raises StopRun."""

    request: Request
    site: Site
    show: Console
    warm_canary: Canary | None

    def pass_gate(self, candidate: bytes) -> None:
        """Run the checks on these bytes; show their errors."""
        with self.show.step("gate") as step:
            staged = make_staging_area(self.site.state) / STAGED_NAME
            write_private(staged, candidate)
            is_restore = self.request.restore is not None
            verdict = run_gate(self.request.config_dir, staged, live=self.request.live, bytes_only=is_restore)
            self.show.report.gate = verdict.as_dict()
            (step.passed if verdict.is_open else step.failed)(verdict.describe())
        if not verdict.is_as_generated:
            self.show.note("the sources say otherwise still: the next reload deploys what they say")
        for finding in (_without_staging(each, staged) for each in verdict.findings):
            if finding.severity is Severity.ERROR:
                self.show.finding(finding)
            else:
                self.show.report.findings.append(finding)
        if not verdict.is_open:
            raise StopRun(Outcome.REFUSED, f"the gate refused it: {verdict.describe()}", self._hint_refused())

    def pass_canary(self, candidate: bytes) -> None:
        """Have the real LiteLLM try these bytes, where there is one and it is wanted."""
        from pytest_aibackend.deploy.canary.client import Canary, find_litellm

        if self.request.canary is False:
            self._skip_canary("--no-canary")
            return
        with contextlib.ExitStack() as stack:
            canary = self.warm_canary
            if canary is None:
                python = find_litellm(self.site.backend.gateway.deploy.python)
                if python is None:
                    self._no_litellm()
                    return
                canary = stack.enter_context(
                    Canary(python, self.site.own_environment(), directory=self.site.target.parent)
                )
            with self.show.step("canary") as step:
                seen = canary.try_out(candidate, step.tell)
                self.show.report.canary = {
                    "ok": seen.ok,
                    "seconds": seen.seconds,
                    "problems": list(seen.problems),
                }
                if seen.ok:
                    step.passed(f"LiteLLM serves {seen.groups} model groups, {seen.deployments} deployments")
                else:
                    step.failed("; ".join(seen.problems))
        if not seen.ok:
            reason = f"the canary refused it: {'; '.join(seen.problems)}"
            raise StopRun(Outcome.REFUSED, reason, self._hint_refused())

    def has_cache(self, candidate: bytes, old: bytes | None) -> bool:
        """Say whether the candidate's cache answers, where it has one and a gateway runs.

        One that does not is a refusal, unless the gateway has to do without it already.
        """
        from pytest_aibackend.deploy.verify import cache_trouble

        if self.request.validate_only or not self.site.service.can_signal:
            return True
        if not self.site.service.state().running:
            return True
        trouble = cache_trouble(candidate, self.site.environment)
        if trouble is None:
            return True
        if old is not None and cache_trouble(old, self.site.environment) == trouble:
            self.show.note(f"{trouble}; it is not this change that it comes from")
            return False
        raise StopRun(Outcome.REFUSED, trouble, "start it, or correct cache_params; nothing was touched")

    def _no_litellm(self) -> None:
        hint = "install it, or name its interpreter: deploy.python in gateway.yaml"
        if self.request.canary:
            raise StopRun(Outcome.UNUSABLE, "there is no LiteLLM to try the candidate with", hint)
        self._skip_canary("LiteLLM is not installed here")

    def _skip_canary(self, why: str) -> None:
        with self.show.step("canary") as step:
            step.skipped(why)

    def ask(self) -> None:
        """Ask the person at the terminal, if there is one."""
        if self.request.assume_yes or not sys.stdin.isatty():
            return
        if not self.show.ask(f"deploy it to {self.site.target}?"):
            raise StopRun(Outcome.DECLINED, "not deployed: the answer was no")

    def _hint_refused(self) -> str:
        if self.request.restore is not None:
            return "nothing was touched; choose another backup: aibackend backups list"
        return "nothing was touched; mend the sources and run it again"


def _without_staging(finding: Finding, staged: Path) -> Finding:
    """Return a finding without the path of the private copy, which is gone when it is read."""
    place = finding.location
    if place.file != str(staged):
        return finding
    return replace(finding, location=replace(place, file=f"{STAGED_NAME} (candidate)"))
