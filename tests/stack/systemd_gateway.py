"""A gateway that a unit of a real systemd runs, and our adapter beside it."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.fakes.openai_server import RecordingServer
from tests.fakes.ports import free_port
from tests.stack.systemd import ROOT, Manager

__all__ = ["KEY", "UNIT", "Gateway", "write_environment"]

KEY: Final = "sk-units-0123456789abcdef"
UNIT: Final = "litellm.service"
# Asks our adapter inside, where the unit's processes are to be seen: configuration, method, time limit.
ASK: Final = """
import json, sys
from pathlib import Path
from pytest_aibackend.deploy.service import ServiceError, service_of, systemd
from pytest_aibackend.serving.state import StateDir
from pytest_aibackend.sources.backend import load_backend
folder, method, reload_s = sys.argv[1:]
systemd.RELOAD_S = float(reload_s)
backend = load_backend(Path(folder))
service = service_of(backend, StateDir(backend.resolve(backend.gateway.deploy.state_dir)))
try:
    value = getattr(service, method)()
except ServiceError as error:
    value = {"error": str(error)}
if method == "state" and not isinstance(value, dict):
    value = {name: getattr(value, name) for name in ("running", "pid", "detail")}
print(json.dumps(value))
"""
APPROVE: Final = """
import sys
from pathlib import Path
from pytest_aibackend.serving.state import StateDir, sha256
folder = Path(sys.argv[1])
StateDir(folder / ".aibackend" / "deploy").approve(sha256((folder / "litellm-unified.yaml").read_bytes()))
"""


class Gateway:
    """A gateway that a unit runs."""

    def __init__(self, manager: Manager, outside: Path, inside: str) -> None:
        self.manager = manager
        self.provider = RecordingServer("provider").start()
        self.outside = outside  # its configuration, as we see it
        self.inside = inside  # and as it does
        self.port = free_port()
        outside.mkdir(parents=True)
        kind = "systemd-user" if manager.user else "systemd"
        deploy = {
            "url": f"http://127.0.0.1:{self.port}",
            "service": {"kind": kind, "name": UNIT},
            "workers": 1,
        }
        (outside / "gateway.yaml").write_text(yaml.safe_dump({"deploy": deploy}))
        self.deploy("alpha")

    def deploy(self, *models: str) -> None:
        """Write the deployed file."""
        parameters = {"api_base": f"{self.provider.url}/v1", "api_key": "none"}
        listed = [
            {"model_name": model, "litellm_params": {"model": f"openai/{model}", **parameters}}
            for model in models
        ]
        settings = {"master_key": "os.environ/LITELLM_MASTER_KEY"}
        text = yaml.safe_dump({"model_list": listed, "general_settings": settings})
        (self.outside / "litellm-unified.yaml").write_text(text)
        self.manager.own(self.outside / "litellm-unified.yaml")

    def approve(self) -> None:
        self.manager.python(APPROVE, self.inside)
        self.manager.own(self.outside)

    def served(self) -> list[str]:
        """Return the model groups that the gateway serves, none where it refuses connections."""
        try:
            return sorted(model["id"] for model in self._call("models")["data"])
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError):
                return []
            raise

    def complete(self, model: str) -> Any:
        """Return what the gateway answers to a chat completion."""
        return self._call(
            "chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        )

    def _call(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/{path}",
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def ask(
        self, method: str, *, reload_s: float = 30.0, environment: Mapping[str, str] | None = None
    ) -> Any:
        """Ask our adapter; what it refuses comes as {"error": text}."""
        command = [sys.executable, "-c", ASK, self.inside, method, str(reload_s)]
        done = self.manager.run(*command, timeout=120, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def status(self, name: str) -> str:
        """Return a field of /proc/PID/status of the main process."""
        text = self.manager.run("cat", f"/proc/{self.manager.show(UNIT, 'MainPID')}/status").stdout
        return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)[name]


def write_environment(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'# keys\nLITELLM_MASTER_KEY="{KEY}"\nPATH={ROOT}/.venv/bin:/usr/bin:/bin\n')
    path.chmod(0o600)
