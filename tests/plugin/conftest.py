"""A directory with the shipped configuration and the checks, and pytest run in it."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# pytester forgets the modules that an inner run imports first; those that register something must stay.
import httpcore  # noqa: F401 # to be there is all it is for
import pytest

import pytest_aibackend.live
import pytest_aibackend.probes.run
import pytest_aibackend.reporting.terminal
import pytest_aibackend.rules
import pytest_aibackend.session  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
PORTS = (4000, 11434, 8000, 8080, 8001, 6379)


class Site:
    """A project like ours, with its own copy of the configuration to break."""

    def __init__(self, pytester: pytest.Pytester, distribution: Sequence[str]) -> None:
        self.pytester = pytester
        self.distribution = tuple(distribution)
        self.path = pytester.path
        self.config = self.path / "config"
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
        shutil.copytree(ROOT / "checks", self.path / "checks", ignore=ignored)
        self.config.mkdir()
        for source in sorted((ROOT / "config").glob("*.yaml")):
            shutil.copy2(source, self.config)
        shutil.copy2(ROOT / "pyproject.toml", self.path)

    @property
    def is_distributed(self) -> bool:
        """Say whether runs use xdist."""
        return bool(self.distribution)

    def edit(self, name: str, old: str, new: str, *, count: int = 1) -> int:
        """Replace text in a source, which must be there; return its line."""
        path = self.config / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} has no {old!r} any more"
        path.write_text(text.replace(old, new, count), encoding="utf-8")
        return text[: text.index(old)].count("\n") + 1

    def append(self, name: str, text: str) -> None:
        """Add text at the end of a source."""
        with (self.config / name).open("a", encoding="utf-8") as file:
            file.write(text)

    def move_ports(self) -> None:
        """Give every service a port on which nobody listens."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
        for path in self.config.glob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            for old, new in zip(PORTS, sockets, strict=True):
                text = re.sub(rf"\b{old}\b(?!-)", str(new.getsockname()[1]), text)
            path.write_text(text.replace("8000-8999", "1024-65535"), encoding="utf-8")
        for each in sockets:
            each.close()

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest here, in this process."""
        return self.pytester.runpytest_inprocess(*self.distribution, *arguments)

    def run_apart(self, *arguments: str) -> pytest.RunResult:
        """Run pytest here, in a process of its own."""
        return self.pytester.runpytest_subprocess(*self.distribution, *arguments)

    def document(self, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
        """Run with a JSON report; return the result and our part of the report."""
        result = self.run("--json-report", "--json-report-file=report.json", *arguments)
        report = json.loads((self.path / "report.json").read_text(encoding="utf-8"))
        document: dict[str, Any] = report["aibackend"]
        return result, document


@pytest.fixture(params=[(), ("-n", "2")], ids=["xdist_off", "xdist_two"])
def site(request: pytest.FixtureRequest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name in ("LITELLM_MASTER_KEY", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    return Site(pytester, request.param)


@pytest.fixture
def make_site(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Site]:
    monkeypatch.delenv("LITELLM_MASTER_KEY", raising=False)
    return lambda: Site(pytester, ())


def check(document: dict[str, Any], number: int) -> dict[str, Any]:
    """Return one of the eleven out of a document."""
    (found,) = [each for each in document["checks"] if each["number"] == number]
    return dict(found)
