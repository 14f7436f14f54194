"""What the tests of the embedded stack share: copies of the example on free ports, and its commands."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from pytest_aibackend.litellm.generate import render
from pytest_aibackend.sources.backend import load_backend
from pytest_aibackend.stack.plan import StackPlan, read_stack_plan
from pytest_aibackend.stack.processes import find_marked, marker
from pytest_aibackend.stack.state import StateDir
from tests.fakes.ports import free_port

EXAMPLE = Path(__file__).parents[2] / "examples" / "embedded"
# The example's ports, and where to look for free ones: inside the ranges that its ports.yaml declares.
PORTS = {14000: (14001, 14999), 16379: (16380, 16999), 18000: (18001, 18079), 18080: (18081, 18999)}
COMMAND = """
import sys
from pathlib import Path
from pytest_aibackend.stack import commands
from pytest_aibackend.status_command import status
name, config_dir, *options = sys.argv[1:]
if name == "up":
    sys.exit(commands.up(Path(config_dir), detach="--detach" in options))
if name == "down":
    sys.exit(commands.down(Path(config_dir)))
sys.exit(status(Path(config_dir), as_json="--json" in options))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmbeddedStack:
    """A stack that runs, and what is needed to talk to it."""

    config_dir: Path
    plan: StackPlan
    gateway_url: str  # without /v1
    key: str
    python_url: str  # the server of llama_cpp_python
    native_url: str
    redis_port: int

    @property
    def headers(self) -> dict[str, str]:
        """What the gateway lets in."""
        return {"Authorization": f"Bearer {self.key}"}


def copy_example(folder: Path) -> Path:
    """Copy the embedded example into `folder`, on ports that are free now."""
    ports = {port: free_port(*where) for port, where in PORTS.items()}
    wanted = re.compile(rf"\b({'|'.join(map(str, ports))})\b(?!-\d)")  # a range such as 14000-14999 stays
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".aibackend"))
    for path in folder.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(wanted.sub(lambda found: str(ports[int(found[0])]), text), encoding="utf-8")
    generated = render(load_backend(folder))
    (folder / "litellm-unified.yaml").write_text(generated, encoding="utf-8")
    return folder


def stack_command(name: str, config_dir: Path, *options: str) -> list[str]:
    """Return the command line that does what `aibackend NAME --config CONFIG_DIR` does."""
    return [sys.executable, "-c", COMMAND, name, str(config_dir), *options]


def run_stack(name: str, config_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run one stack command to its end."""
    return subprocess.run(
        stack_command(name, config_dir, *options), capture_output=True, text=True, timeout=120, check=False
    )


def processes_of(config_dir: Path) -> list[psutil.Process]:
    """Return every process of the stack of `config_dir`."""
    return find_marked(marker(StateDir(config_dir).path))


def taken_ports(config_dir: Path) -> list[int]:
    """Return the ports of the stack of `config_dir` that somebody listens on."""
    plan = read_stack_plan(config_dir)
    ports = {plan.gateway.port, *(server.port for server in plan.llama_servers)}
    if plan.cache is not None:
        ports.add(plan.cache.port)
    return sorted(
        {
            connection.laddr.port
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in ports
        }
    )


def leftovers(config_dir: Path) -> list[str]:
    """Return what a stack should have taken away with it: processes, listeners, state, secrets."""
    directory = StateDir(config_dir)
    files = [directory.key_file, directory.valkey_settings, directory.path / "state.json"]
    files.append(directory.path / "litellm.pid")
    return [
        *(f"{process.pid} {process.name()}" for process in processes_of(config_dir)),
        *(f"port {port}" for port in taken_ports(config_dir)),
        *(path.name for path in files if path.exists()),
    ]


def files_in(folder: Path) -> dict[Path, bytes]:
    """Return all files below a directory; what runs there may remove one meanwhile, which is then none."""
    files = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    files[path] = path.read_bytes()
    return files
