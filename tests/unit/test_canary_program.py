"""The program that holds LiteLLM ready, with a small package in LiteLLM's place: each end of a child is told.

With the real LiteLLM it is tried in tests/stack/test_canary.py.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_aibackend.deploy.canary.host import Host

# It runs what stands in its configuration.
LITELLM = """
import sys
from pathlib import Path
class run_server:
    def main(arguments, standalone_mode):
        assert not standalone_mode
        print(*arguments[2:], flush=True)
        exec(Path(arguments[1]).read_text(), {"sys": sys})
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    packages = tmp_path_factory.mktemp("packages")
    proxy = packages / "litellm" / "proxy"
    proxy.mkdir(parents=True)
    for name in ("__init__.py", "proxy/__init__.py", "proxy/proxy_server.py"):
        (proxy.parent / name).touch()
    (proxy / "proxy_cli.py").write_text(LITELLM)
    (packages / "uvicorn.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(packages), "REDIS_HOST": "h", "KEPT": "1"}
    started = Host(sys.executable, environment)
    try:
        started.wait_ready(time.monotonic() + 20, lambda: None)
        yield started
    finally:
        started.close()
        assert not started.directory.exists()


def ended(host: Host, folder: Path, code: str) -> tuple[int, str]:
    """Boot this; return the status it ended with, and its log."""
    config, log = folder / "candidate.yaml", folder / "candidate.log"
    config.write_text(code)
    log.unlink(missing_ok=True)
    host.boot(config, 4711, log, names=[], without=["REDIS_"])
    event = host.next_event(20)
    assert event is not None
    assert event["event"] == "exited"
    return event["status"], log.read_text()


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('no')", 1, ""),
        ("raise KeyError('model')", 1, "Traceback (most recent call last):"),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11, ""),
        ("import os; assert 'REDIS_HOST' not in os.environ; assert os.environ['KEPT']", 0, ""),
    ],
)
def test_each_end_has_its_status_and_its_log(
    host: Host, tmp_path: Path, code: str, status: int, said: str
) -> None:
    seen, log = ended(host, tmp_path, code)
    assert (seen, said in log) == (status, True), log
    options = "--host 127.0.0.1 --port 4711 --num_workers 1 --telemetry False"
    assert options in log


def test_one_after_the_other_and_a_new_one_ends_the_one_before(host: Host, tmp_path: Path) -> None:
    waits = tmp_path / "waits.yaml"
    waits.write_text("import time; time.sleep(600)")
    values = host.boot(waits, 1, tmp_path / "log", names=["KEPT", "ABSENT"], without=[])
    assert values == {"KEPT": "1", "ABSENT": None}
    (process,) = [each for each in psutil.Process().children() if str(host.directory) in each.cmdline()]
    (first,) = process.children()
    assert ended(host, tmp_path, "sys.exit(4)")[0] == 4
    assert not first.is_running()
    host.boot(waits, 1, tmp_path / "log", names=[], without=[])
    (second,) = process.children()
    host.stop()
    assert not second.is_running()
    host.stop()
    assert process.children() == []
