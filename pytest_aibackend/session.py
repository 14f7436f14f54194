"""One run of the checks inside pytest: what is checked, what came out, what the exit status is."""

from __future__ import annotations

import gc
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_aibackend.findings import Finding, Severity
from pytest_aibackend.reporting.results import Outcome, RunResults

if TYPE_CHECKING:
    from pytest_aibackend.rules.registry import Group, GroupResult
    from pytest_aibackend.sources.backend import Backend

__all__ = ["CheckSession"]

# A test for each subject up to here; beyond, subjects share tests, so that a large fleet stays quick.
MOST_TESTS: Final = 1000
NEEDS_LIVE: Final = "needs running services: pass --live"
_BLOCKED: Final = "blocked"
_NOTHING: Final = "nothing"


class CheckSession:
    """The state of one run; on the xdist controller only the results, on a worker only the checks."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.results = RunResults()
        self.internal_error = False
        self._selected: dict[str, list[str]] = {}
        self._shared: str | None = None

    # -- options

    @cached_property
    def config_dir(self) -> Path:
        """Return the directory of the sources as messages show it."""
        given = self._config.getoption("--aibackend-config")
        if given:
            return Path(given)
        root = self._config.rootpath / str(self._config.getini("aibackend_config"))
        return Path(os.path.relpath(root))

    @property
    def is_live(self) -> bool:
        """Say whether services may be asked."""
        return bool(self._config.getoption("--live"))

    @property
    def _is_strict(self) -> bool:
        return bool(self._config.getoption("--aibackend-strict"))

    @property
    def has_results(self) -> bool:
        """Say whether any test of ours reported."""
        return bool(self.results.tests)

    # -- what is checked

    @cached_property
    def backend(self) -> Backend:
        """Return the configuration, read once a process."""
        from pytest_aibackend.sources.backend import load_backend

        generated = self._config.getoption("--aibackend-generated")
        with _collector_at_rest():
            return load_backend(self.config_dir, generated=Path(generated) if generated else None)

    @cached_property
    def _groups(self) -> Mapping[str, Group]:
        with _collector_at_rest():
            import_module("pytest_aibackend.rules")  # registers them all
        from pytest_aibackend.rules.registry import GROUPS

        return GROUPS

    @cached_property
    def _offline(self) -> Mapping[str, GroupResult]:
        from pytest_aibackend.rules.registry import evaluate

        return evaluate(self.backend)

    @cached_property
    def _online(self) -> Mapping[str, GroupResult]:
        from pytest_aibackend.live import observe
        from pytest_aibackend.rules.registry import LiveBackend, evaluate

        observations = observe(
            self.backend,
            self._selected,
            timeout_s=float(self._config.getoption("--aibackend-timeout")),
            completions=bool(self._config.getoption("--aibackend-completions")),
            shared=Path(self._shared) if self._shared else None,
        )
        return evaluate(self.backend, live=LiveBackend(backend=self.backend, observations=observations))

    def _group_of(self, definition: Any) -> Group:
        name = definition.function.__name__ if hasattr(definition, "function") else definition.originalname
        return self._groups[str(name).removeprefix("test_").replace("_", "-")]

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Give a test function its subjects; a blocked or empty one gets a single test that says so."""
        group = self._group_of(metafunc)
        argument = group.argument
        if not self.backend.is_loaded(*group.needs):
            metafunc.parametrize(argument, [pytest.param((_BLOCKED,), id="blocked")])
            return
        if group.live:
            subjects = list(dict.fromkeys(group.subjects(self.backend)))
        else:
            subjects = list(self._offline[group.id].findings)
        if not subjects:
            skip = pytest.mark.skip(reason=f"nothing to check: there is no {group.noun} here")
            metafunc.parametrize(argument, [pytest.param((_NOTHING,), id="none", marks=skip)])
            return
        size = -(-len(subjects) // MOST_TESTS)
        batches = [tuple(subjects[start : start + size]) for start in range(0, len(subjects), size)]
        metafunc.parametrize(argument, [pytest.param(batch, id=_identify(batch)) for batch in batches])

    def label(self, items: list[pytest.Item]) -> None:
        """Mark our items for the reports, skip live ones unless asked, keep only critical ones if asked."""
        kept: list[pytest.Item] = []
        dropped: list[pytest.Item] = []
        only_critical = self._config.getoption("--critical")
        for item in items:
            marker = item.get_closest_marker("aibackend")
            if marker is not None:
                item.user_properties.append(("aibackend", json.dumps({"check": marker.args[0]})))
                if item.get_closest_marker("live") and not self.is_live:
                    item.add_marker(pytest.mark.skip(reason=NEEDS_LIVE))
            is_dropped = only_critical and marker is not None and not item.get_closest_marker("critical")
            (dropped if is_dropped else kept).append(item)
        if dropped:
            self._config.hook.pytest_deselected(items=dropped)
            items[:] = kept

    def note_selected(self, items: Sequence[pytest.Item]) -> None:
        """Note the subjects of the live tests that will run."""
        for item in items:
            if (
                isinstance(item, pytest.Function)
                and item.get_closest_marker("live")
                and hasattr(item, "callspec")
            ):
                if item.get_closest_marker("aibackend") is None:
                    continue
                group = self._group_of(item)
                subjects: Any = item.callspec.params.get(group.argument, ())
                self._selected.setdefault(group.id, []).extend(subjects)

    # -- under xdist

    def share_with(self, workerinput: dict[str, Any]) -> None:
        """Make the workers of a run share one private directory for their observations."""
        if self._shared is None:
            self._shared = tempfile.mkdtemp(prefix="pytest-aibackend-")
        workerinput["aibackend_shared"] = self._shared

    def close(self) -> None:
        """Remove the shared directory."""
        if self._shared is not None and not hasattr(self._config, "workerinput"):
            shutil.rmtree(self._shared, ignore_errors=True)

    # -- what came out

    def assertion(self, request: pytest.FixtureRequest) -> Any:
        """Return the function with which a test of ours asks for its verdict."""
        group = self._group_of(request.node)
        workerinput = getattr(self._config, "workerinput", {})
        self._shared = workerinput.get("aibackend_shared", self._shared)

        def assert_clean(subjects: tuple[str, ...]) -> None:
            if not self.backend.is_loaded(*group.needs):
                self._block(request.node, group)
            results = self._online if group.live else self._offline
            self._judge(request.node, group, results[group.id], subjects)

        return assert_clean

    def _block(self, item: pytest.Item, group: Group) -> None:
        causes = [
            finding
            for role in group.needs
            if not self.backend.is_loaded(role)
            for finding in self.backend.load_findings(role)
        ]
        shown = [str(cause) for cause in causes[:3]]
        _tell(item, group.check, Outcome.BLOCKED, [], 0, blocked_by=shown)
        lines = "\n".join(f"blocked by {cause}" for cause in shown)
        pytest.fail(lines, pytrace=False)

    def _judge(self, item: pytest.Item, group: Group, result: GroupResult, subjects: tuple[str, ...]) -> None:
        if result.crash is not None:
            raise result.crash
        findings = [finding for subject in subjects for finding in result.findings.get(subject, ())]
        ignored = sum(len(result.ignored.get(subject, ())) for subject in subjects)
        has_error = any(finding.severity is Severity.ERROR for finding in findings)
        if has_error or (findings and self._is_strict):
            _tell(item, group.check, Outcome.FAILED, findings, ignored)
            pytest.fail(
                "\n".join(f"{finding}\n  hint: {finding.hint}" for finding in findings), pytrace=False
            )
        _tell(item, group.check, Outcome.WARNED if findings else Outcome.PASSED, findings, ignored)

    def record(self, report: pytest.TestReport, payload: str) -> None:
        """Take the verdict out of a report, wherever the test ran."""
        verdict = dict(report.user_properties).get("aibackend_verdict")
        self.results.record(
            nodeid=report.nodeid,
            payload=json.loads(payload),
            verdict=str(verdict) if verdict is not None else None,
            when=str(report.when),
            outcome=report.outcome,
            duration_s=report.duration,
            reason=_skip_reason(report),
        )

    def finish(self, session: pytest.Session) -> None:
        """Set the exit status: 3 for a bug of ours, 5 when checks were selected and none ran."""
        if hasattr(self._config, "workerinput"):
            return
        if self.internal_error or self.results.has_crash:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        elif session.exitstatus == pytest.ExitCode.OK and self.has_results and not self.results.has_verdict:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def document(self) -> dict[str, Any]:
        """Return the JSON document of the run."""
        return self.results.document(str(self.config_dir))


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Import or load without garbage collection, and keep what came of it out of later collections.

    It all lives until the process ends. pytest collects at the end of a run, and would walk through a
    hundred modules and a whole fleet to find nothing: a fifth of the time of a short run.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _identify(batch: tuple[str, ...]) -> str:
    return batch[0] if len(batch) == 1 else f"{batch[0]}...{batch[-1]}"


def _tell(
    item: pytest.Item,
    check: int,
    outcome: Outcome,
    findings: list[Finding],
    ignored: int,
    *,
    blocked_by: Sequence[str] = (),
) -> None:
    """Put the verdict into the item's report as plain text, the only thing that crosses to a controller."""
    payload = {
        "check": check,
        "findings": [finding.as_dict() for finding in findings],
        "ignored": ignored,
        "blocked_by": list(blocked_by),
    }
    kept = [pair for pair in item.user_properties if not str(pair[0]).startswith("aibackend")]
    item.user_properties[:] = [*kept, ("aibackend", json.dumps(payload)), ("aibackend_verdict", str(outcome))]


def _skip_reason(report: pytest.TestReport) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return ""
