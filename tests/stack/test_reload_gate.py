"""The gate with real processes: nothing around it makes it look away, and only a whole run opens it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aibackend.deploy import gate
from pytest_aibackend.litellm.generate import render
from pytest_aibackend.serving.state import process_start
from pytest_aibackend.sources.backend import load_backend
from tests.stack.reloading import Deployment, deployment
from tests.waiting import wait_until

HOSTILE = {
    "conftest.py": "import pytest\n\ndef pytest_collection_modifyitems(items): items.clear()\n",
    "pytest.ini": "[pytest]\naddopts = -k nothing_at_all\n",
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '-k nothing_at_all'\n",
    "evil.py": "import os\n\nos._exit(0)\n",
    "yaml.py": "raise SystemExit(0)\n",
    "pytest.py": "raise SystemExit(0)\n",
    "sitecustomize.py": "raise SystemExit(0)\n",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Deployment]:
    with deployment(tmp_path / "site") as made:
        yield made


def break_routing(site: Deployment) -> None:
    site.write("model-mappings.yaml", {"exact_matches": {"alpha": {"provider": "nobody"}}})


def test_nothing_around_it_weakens_it(site: Deployment, tmp_path: Path) -> None:
    """Hostile files where it runs and beside the sources, and hostile settings: it judges as ever."""
    for folder in (tmp_path, site.dir):
        for name, text in HOSTILE.items():
            (folder / name).write_text(text)
    settings = {"PYTEST_ADDOPTS": "-k nothing_at_all", "PYTEST_PLUGINS": "evil", "PYTHONOPTIMIZE": "2"}
    good = site.reload("--json", settings=settings, cwd=tmp_path)
    assert good.status == 0, good
    assert good.document["gate"]["checks"] == 8
    deployed = site.target.read_bytes()
    break_routing(site)
    bad = site.reload(settings=settings, cwd=tmp_path)
    assert bad.status == 1, bad
    assert "error: unknown-provider: route 'alpha' names provider 'nobody'" in bad.out
    assert "  hint: " in bad.out
    assert "nothing was touched" in bad.err
    assert site.target.read_bytes() == deployed
    assert site.backups() == []
    assert site.leftovers() == []


def test_each_refusal_names_what_failed(site: Deployment) -> None:
    (site.dir / "providers.yaml").write_text("providers:\n  local: [\n")
    broken = site.reload("--json")
    assert (broken.status, broken.document["outcome"]) == (1, "refused")
    (finding,) = broken.document["findings"]
    assert (finding["rule"], finding["file"]) == ("yaml-syntax", str(site.dir / "providers.yaml"))
    break_routing(site)
    site.serve("alpha")
    site.write("ports.yaml", {"gateway": {"port": site.port}, "other": {"port": site.port}})
    clash = site.reload("--json")
    assert clash.status == 1
    assert "port-conflict" in {finding["rule"] for finding in clash.document["findings"]}
    assert "check 6 (port-conflicts)" in clash.document["reason"]
    assert not site.target.exists()
    assert [record["outcome"] for record in site.history()] == ["refused", "refused"]


def test_findings_in_the_candidate_are_told_without_the_staging_place(site: Deployment) -> None:
    settings = site.gateway_yaml() | {"router_settings": {"model_group_alias": {"quick": "nobody"}}}
    site.write("gateway.yaml", settings)
    refused = site.reload()
    assert refused.status == 1, refused
    assert "staging" not in refused.out + refused.err


def test_live_compares_the_gateway_with_what_it_runs_now(site: Deployment) -> None:
    """With --live the running gateway still has the old groups: that is no ground to refuse the new ones."""
    assert site.reload().status == 0
    site.start()
    site.serve("alpha", "gamma")
    changed = site.reload("--live", "--json")
    rules = {finding["rule"] for finding in changed.document["findings"]}
    assert not rules & {"model-group-not-served", "ghost-model-group"}
    # The provider of these sources does not run, and is optional.
    assert changed.status == 0, changed


def staged(site: Deployment) -> Path:
    file = site.dir / "staged.yaml"
    file.write_text(render(load_backend(site.dir)))
    return file


def test_a_source_that_changes_meanwhile_closes_it(site: Deployment) -> None:
    file = staged(site)
    assert gate.run_gate(site.dir, file, live=False).is_open
    site.serve("alpha", "gamma")
    verdict = gate.run_gate(site.dir, file, live=False)
    assert "check 9 (generated-config)" in verdict.describe()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 0", "their report cannot be read"),
        ("echo '{}'", "their report cannot be read"),
        ('echo \'{"schema_version": 1, "checks": []}\'', "nothing was checked"),
        (
            "echo broken >&2; exit 3",
            "the checks broke: a bug in them, or a test that crashed; it said: broken",
        ),
        ("exit 2", "the checks did not run"),
        ("exit 130", "the checks ended with status 130"),
        ("kill -9 $$", "killed by signal 9 (SIGKILL)"),
        ("kill -INT $$; sleep 5", "killed by signal 2 (SIGINT)"),
    ],
)
def test_a_run_that_did_not_end_as_it_should_closes_it(
    site: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    verdict = gate.run_gate(site.dir, staged(site), live=False)
    assert not verdict.is_open
    assert words in verdict.describe()


def test_a_run_that_hangs_closes_it_and_is_ended(
    site: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nsleep 60 & echo $! >" + str(tmp_path / "pid") + "; wait\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    began = time.monotonic()
    verdict = gate.run_gate(site.dir, staged(site), live=False, within_s=0.5)
    assert time.monotonic() - began < 20
    assert verdict.describe() == "the checks took longer than 0.5 s"
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: process_start(child) == 0)  # its children are ended, too
