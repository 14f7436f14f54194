"""What is shipped is without a finding: config/ and examples/embedded, offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.sources.backend import Backend, load_backend

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
SHIPPED = [CONFIG, ROOT / "examples" / "embedded"]
NAMES = [path.name for path in SHIPPED]
NAMESPACE = "litellm:unified"
MASTER_KEY = "os.environ/LITELLM_MASTER_KEY"
# Port, protocol, and whether the service is required.
REGISTRY = {
    "litellm_gateway": (4000, "http", True),
    "ollama": (11434, "http", True),
    "llama_cpp_python": (8000, "http", False),
    "llama_cpp_native": (8080, "http", False),
    "vllm": (8001, "http", False),
    "redis": (6379, "tcp", True),
}


@pytest.fixture(scope="module")
def backend() -> Backend:
    return load_backend(CONFIG)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in the repository, as a user would, without this run's options."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "LITELLM_"))}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env=kept, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("config", SHIPPED, ids=NAMES)
def test_generated_file_is_current(config: Path) -> None:
    done = run("pytest_aibackend.cli", "generate", "--config", str(config), "--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("config", SHIPPED, ids=NAMES)
def test_checks_find_nothing_but_the_missing_backup(config: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ["-p", "no:cacheprovider", "--json-report", f"--json-report-file={report}"]
    done = run("pytest", "checks", "-q", f"--aibackend-config={config}", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(report.read_text(encoding="utf-8"))["aibackend"]
    findings = {each["slug"]: [found["rule"] for found in each["findings"]] for each in document["checks"]}
    assert findings.pop("backups") in ([], ["no-backup"])  # none where somebody has reloaded already
    assert findings == {check.slug: [] for check in CHECKS.values() if check.slug != "backups"}
    ran = {each["number"] for each in document["checks"] if each["tests"]}
    assert ran == {check.number for check in CHECKS.values() if not check.live}
    assert document["summary"]["findings"]["ignored"] == 0


def test_ports_are_the_six_that_were_promised(backend: Backend) -> None:
    ports = {name: (entry.port, entry.protocol, entry.required) for name, entry in backend.ports.items()}
    assert ports == REGISTRY


def test_providers_are_of_three_types(backend: Backend) -> None:
    assert {provider.type for provider in backend.providers.values()} == {"ollama", "vllm", "llama_cpp"}
    assert all(provider.is_active for provider in backend.providers.values())
    assert set(backend.providers) <= set(REGISTRY)


def test_every_concept_is_in_use(backend: Backend) -> None:
    mappings = backend.mappings
    assert mappings.exact_matches
    assert mappings.patterns
    assert mappings.capabilities
    assert mappings.load_balancing
    assert mappings.fallback_chains


def read(config: Path, name: str) -> Mapping[str, Any]:
    data: Mapping[str, Any] = yaml.safe_load((config / name).read_text(encoding="utf-8"))
    return data


@pytest.mark.parametrize("name", ["gateway.yaml", "litellm-unified.yaml"])
@pytest.mark.parametrize("config", SHIPPED, ids=NAMES)
def test_cache_and_key(config: Path, name: str) -> None:
    document = read(config, name)
    assert document["general_settings"]["master_key"] == MASTER_KEY
    assert document["litellm_settings"]["cache"] is True
    params = document["litellm_settings"]["cache_params"]
    assert (params["type"], params["host"], params["namespace"]) == ("redis", "127.0.0.1", NAMESPACE)
    assert params["port"] == read(config, "ports.yaml")["redis"]["port"]


@pytest.mark.parametrize("name", ["providers.yaml", "model-mappings.yaml", "ports.yaml", "gateway.yaml"])
def test_editors_find_the_schema(name: str) -> None:
    first = (CONFIG / name).read_text(encoding="utf-8").splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert schema != first
    assert (CONFIG / schema).is_file()
