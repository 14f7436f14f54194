"""Small configurations for the live checks, judged in this process or by pytest in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pytest_aibackend.findings import Finding
from pytest_aibackend.live import observe
from pytest_aibackend.probes.observations import Observations
from pytest_aibackend.rules.registry import GROUPS, LiveBackend, evaluate
from pytest_aibackend.sources.backend import Backend, load_backend
from tests.fakes.server import FakeServer, Received, Reply, as_json

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "checks"
LIVE_CHECKS = {6: "test_06_port_conflicts.py", 7: "test_07_provider_health.py"}
LIVE_CHECKS |= {8: "test_08_gateway_health.py", 11: "test_11_redis.py"}


def write_config(
    folder: Path,
    *,
    providers: Mapping[str, Mapping[str, Any]] | None = None,
    ports: Mapping[str, Mapping[str, Any]] | None = None,
    gateway: Mapping[str, Any] | None = None,
    generated: Mapping[str, Any] | None = None,
) -> Path:
    """Write the five files; what is not given is empty, and there is no generated file unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Mapping[str, Any]] = {
        "providers.yaml": {"providers": providers or {}},
        "model-mappings.yaml": {"exact_matches": {}},
        "ports.yaml": {**(ports or {}), "metadata": {"version": "1.0"}},
        "gateway.yaml": gateway or {"general_settings": {}},
    }
    if generated is not None:
        files["litellm-unified.yaml"] = generated
    for name, data in files.items():
        text = yaml.safe_dump(_plain(data), sort_keys=False, allow_unicode=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def redis_gateway(port: int, *, namespace: str | None = "litellm:unified", **params: Any) -> dict[str, Any]:
    """Return a gateway.yaml whose cache is at this port."""
    cache = {"type": "redis", "host": "127.0.0.1", "port": port, "namespace": namespace, **params}
    settings = {name: value for name, value in cache.items() if value is not None}
    return {"litellm_settings": {"cache": True, "cache_params": settings}}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the live rules say of a configuration, and what was seen."""

    backend: Backend
    observations: Observations
    findings: tuple[Finding, ...]
    subjects: Mapping[str, tuple[str, ...]]  # by group

    def of(self, subject: str) -> list[tuple[str, str]]:
        """Return rule and severity of each finding about a subject."""
        return [(each.rule, str(each.severity)) for each in self.findings if each.subject == subject]

    @property
    def rules(self) -> list[str]:
        """Return the rule of each finding."""
        return [each.rule for each in self.findings]

    def message(self, rule: str, subject: str | None = None) -> str:
        """Return the message of the one finding of a rule (about a subject)."""
        (found,) = [each for each in self.findings if each.rule == rule and subject in (None, each.subject)]
        return found.message


def judge(folder: Path, *checks: int, timeout_s: float = 2.0, completions: bool = False) -> Judged:
    """Probe what the live tests of these checks would and run the live rules, in this process."""
    backend = load_backend(folder)
    for role in backend.sources:
        assert backend.load_findings(role) == []
        assert backend.schema_findings(role) == []
    selected = {
        group.id: list(group.subjects(backend))
        for group in GROUPS.values()
        if group.live and group.check in checks
    }
    seen = observe(
        backend,
        {name: subjects for name, subjects in selected.items() if subjects},
        timeout_s=timeout_s,
        completions=completions,
        shared=None,
    )
    return judge_seen(backend, LiveBackend(backend=backend, observations=seen), checks)


def judge_seen(backend: Backend, live: LiveBackend, checks: Sequence[int]) -> Judged:
    """Run the live rules over observations."""
    results = {
        name: each for name, each in evaluate(backend, live=live).items() if GROUPS[name].check in checks
    }
    for result in results.values():
        if result.crash is not None:
            raise result.crash
    return Judged(
        backend=backend,
        observations=live.observations.observations,
        findings=tuple(
            finding for result in results.values() for some in result.findings.values() for finding in some
        ),
        subjects={name: tuple(result.findings) for name, result in results.items()},
    )


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """One run of pytest over the shipped checks."""

    returncode: int
    output: str  # standard output and error
    report: str  # the whole JSON report
    document: dict[str, Any]  # ours in it

    def check(self, number: int) -> dict[str, Any]:
        """Return the entry of one check."""
        (found,) = [each for each in self.document["checks"] if each["number"] == number]
        return dict(found)

    def rules(self, number: int) -> list[str]:
        """Return the rules of a check's findings."""
        return [finding["rule"] for finding in self.check(number)["findings"]]

    @property
    def verdict(self) -> dict[str, Any]:
        """Return the document without what may differ between two runs: durations."""
        checks = [
            {name: value for name, value in each.items() if name != "duration_s"}
            for each in self.document["checks"]
        ]
        return {**self.document, "checks": checks}


def run_checks(
    folder: Path, *options: str, checks: Sequence[int] = (7, 11), env: Mapping[str, str] | None = None
) -> CheckRun:
    """Run `pytest checks/... --live` in a process of its own, as a person would."""
    report = folder.parent / f"report-{len(list(folder.parent.glob('report-*')))}.json"
    command = [sys.executable, "-m", "pytest", *(str(CHECKS / LIVE_CHECKS[number]) for number in checks)]
    command += ["--live", "--aibackend-config", str(folder), "--aibackend-timeout", "10", "--color=no", "-ra"]
    command += ["-p", "no:hypothesispytest"]  # costs half a second in each process
    command += ["-p", "no:cacheprovider", "--json-report", "--json-report-file", str(report), *options]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    output = ended.stdout + ended.stderr
    assert report.exists(), output
    text = report.read_text(encoding="utf-8")
    return CheckRun(
        returncode=ended.returncode, output=output, report=text, document=json.loads(text)["aibackend"]
    )


class StandInGateway(FakeServer):
    """What LiteLLM answers to the probes, with faults that the real one does not show on demand.

    Shapes after LiteLLM 1.106.2: a wrong key gets 400 `no_db_connection`, none at all 500.
    """

    def __init__(self, *lists: Sequence[str], key: str | None = "sk-stand-in", **more: Any) -> None:
        super().__init__(**more)
        self.lists = lists  # one for each worker; they answer in turn
        self.key = key  # None: whoever asks is let in
        self.readiness = as_json({"status": "healthy", "db": "Not connected"})
        self.models_fault: Reply | None = None
        self._asked = 0

    def reply(self, request: Received) -> Reply:
        path = request.path.partition("?")[0]
        if path == "/health/liveliness":
            return as_json("I'm alive!")
        if path == "/health/readiness":
            return self.readiness
        if path != "/v1/models":
            return as_json({"detail": "Not Found"}, 404)
        given = request.headers.get("authorization")
        if self.key is not None and given != f"Bearer {self.key}":
            error = {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}
            return as_json({"error": error}, 400 if given else 500)
        if self.models_fault is not None:
            return self.models_fault
        with self._lock:
            names = self.lists[self._asked % len(self.lists)]
            self._asked += 1
        data = [
            {"id": name, "object": "model", "created": 1677610602, "owned_by": "openai"} for name in names
        ]
        return as_json({"data": data, "object": "list"})
