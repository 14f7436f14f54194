"""A small deployment for the tests of the reload: sources, a state directory, and a gateway that runs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from pytest_aibackend.serving.state import StateDir, sha256
from tests.fakes.ports import free_port
from tests.waiting import wait_until

KEY = "sk-reload-0123456789abcdef"
COMMAND = [sys.executable, "-P", "-m", "pytest_aibackend.cli", "reload"]
ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    """Return the environment of the gateway and of the reloads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return {**kept, "LITELLM_MASTER_KEY": KEY, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


class Deployment:
    """The sources in a directory, and what is deployed from them."""

    def __init__(self, folder: Path, *, deploy: Mapping[str, Any] | None = None) -> None:
        folder.mkdir(parents=True)
        self.dir = folder
        self.port = free_port()
        self.settings: dict[str, Any] = {
            "service": {"kind": "pidfile", "pidfile": "run/litellm.pid"},
            "url": f"http://127.0.0.1:{self.port}",
            "workers": 1,
            **(deploy or {}),
        }
        (folder / "run").mkdir()
        self.target = folder / self.settings.get("path", "litellm-unified.yaml")
        self.state = StateDir(folder / ".aibackend" / "deploy")
        self.backup_dir = folder / "backups"
        self.gateway: subprocess.Popen[bytes] | None = None
        self.write("gateway.yaml", self.gateway_yaml())
        self.write("ports.yaml", {"gateway": {"port": self.port}, "local": {"port": 9}})
        self.serve("alpha", "beta")

    def gateway_yaml(self) -> dict[str, Any]:
        settings = {"master_key": "os.environ/LITELLM_MASTER_KEY"}
        return {"general_settings": settings, "deploy": self.settings}

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        (self.dir / name).write_text(yaml.safe_dump(data, sort_keys=False))

    def serve(self, *models: str) -> None:
        """Change the sources: these are the model groups."""
        listed = {"type": "llama_cpp", "base_url": "http://127.0.0.1:9", "models": [*models]}
        self.write("providers.yaml", {"providers": {"local": listed}})
        mapped = {model: {"provider": "local"} for model in models}
        self.write("model-mappings.yaml", {"exact_matches": mapped})

    def arguments(self, *options: str) -> list[str]:
        return ["--config", str(self.dir), "--no-canary", *options]

    def reload(self, *options: str, settings: Mapping[str, str] | None = None, **more: Any) -> Run:
        """Run `aibackend reload` to its end."""
        process = subprocess.run(
            [*COMMAND, *self.arguments(*options)],
            env={**environment(), **(settings or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **more,
        )
        return Run(process)

    def start(self) -> None:
        """Start the gateway and wait until it serves."""
        pidfile = self.dir / "run" / "litellm.pid"
        pidfile.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.fakes.serving", "--file", str(self.target)]
        command += ["--state", str(self.state.path), "--port", str(self.port), "--pidfile", str(pidfile)]
        self.gateway = subprocess.Popen(command, env=environment(), cwd=ROOT)
        wait_until(pidfile.exists)

    def stop(self) -> None:
        if self.gateway is not None:
            self.gateway.kill()
            self.gateway.wait()
            self.gateway = None

    def served_sha256(self) -> str:
        """Return which bytes the gateway says it serves."""
        (note,) = self.state.worker_notes()
        return note.sha256

    def deployed_sha256(self) -> str:
        return sha256(self.target.read_bytes())

    def backups(self) -> list[Path]:
        return sorted(
            path for path in self.backup_dir.glob("litellm.yaml.backup-*") if path.suffix != ".sha256"
        )

    def history(self) -> list[dict[str, Any]]:
        text = (self.state.path / "history.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def leftovers(self) -> list[str]:
        """Return what a run may leave behind only while it runs."""
        found = [path.name for path in self.state.path.iterdir()]
        kept = {"verified.yaml", "verified.json", "approved.json", "gateway", "history.jsonl", ".gitignore"}
        kept.add("replaced.yaml")
        found = [name for name in found if name not in kept]
        return found + [path.name for path in self.target.parent.glob(f".{self.target.name}*")]


class Run:
    """A reload that has ended."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def document(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(self.out)
        return plain

    def steps(self) -> list[str]:
        return [step["name"] for step in self.document["steps"]]

    def __repr__(self) -> str:
        return f"exit {self.status}\n{self.out}\n{self.err}"


@contextlib.contextmanager
def deployment(folder: Path, **more: Any) -> Iterator[Deployment]:
    """Yield a deployment; its gateway is stopped at the end."""
    site = Deployment(folder, **more)
    try:
        yield site
    finally:
        site.stop()


def kill_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process that leads its session, as a machine that stops would."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
