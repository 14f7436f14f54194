"""The canary beside a process that stands for LiteLLM's: whatever that does, it is said, and nothing is left.

With the real LiteLLM it is tried in tests/stack/test_canary.py.
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_aibackend.deploy.canary import host
from pytest_aibackend.deploy.canary.client import Canary

Make = Callable[[str], Canary]
CANDIDATE = b"""
model_list:
- model_name: a
  litellm_params: {model: openai/x, api_base: "http://127.0.0.1:9", api_key: os.environ/ABSENT}
general_settings: {master_key: sk-0123456789abcdef}
"""
PROLOGUE = """
import json, os, shutil, sys, time
from pathlib import Path
def tell(**event):
    print(json.dumps(event), flush=True)
def hear():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit(0)
def booting():
    request = hear()
    tell(event="booting", values={name: None for name in request["names"]})
    return request
"""
SERVES = """
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
class LiteLLM(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"{}" if self.path.startswith("/health") else b"<html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
tell(event="ready")
request = booting()
Thread(target=HTTPServer(("127.0.0.1", request["port"]), LiteLLM).serve_forever, daemon=True).start()
hear()
tell(event="stopped")
hear()
"""


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a way to make a canary whose LiteLLM does this."""
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    monkeypatch.setattr(host, "CLOSE_S", 0.3)

    def make(code: str) -> Canary:
        python = tmp_path / "python"
        # A `#!` line takes no path with a space: a shell starts Python, for which its line is a text.
        start = f"""#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} "$0" "$@"\n' '''\n"""
        python.write_text(f"{start}{PROLOGUE}{code}\n")
        python.chmod(0o755)
        return Canary(str(python), {})

    return make


def problems_of(canary: Canary, raw: bytes = CANDIDATE, *, within_s: float = 20.0) -> tuple[str, ...]:
    private = Path(tempfile.gettempdir())
    with canary:
        result = canary.try_out(raw, lambda _: None, within_s=within_s)
        assert not result.ok
        assert result.boot_seconds == 0.0 or "is ready, but" in result.problems[-1]
    assert not [*private.iterdir()], "nothing is left of it"
    return result.problems


def test_a_process_that_ends_is_told_with_its_last_words(canary: Make) -> None:
    ends = "print('first', file=sys.stderr); sys.exit('no such library')"
    said = "LiteLLM cannot be loaded: its process ended with status 1 (no such library)"
    assert problems_of(canary(ends)) == (said,)
    assert problems_of(canary("os._exit(3)")) == (
        "LiteLLM cannot be loaded: its process ended with status 3",
    )


def test_litellm_that_takes_too_long_to_load_is_given_up(canary: Make) -> None:
    began = time.monotonic()
    assert problems_of(canary("time.sleep(600)"), within_s=0.2) == ("LiteLLM was not loaded in time",)
    assert time.monotonic() - began < 60


def test_a_process_that_does_not_answer_is_given_up(canary: Make) -> None:
    silent = "tell(event='ready')\ntime.sleep(600)"
    assert problems_of(canary(silent)) == ("the process that holds LiteLLM does not answer",)


def test_a_directory_that_is_taken_away_is_told(canary: Make) -> None:
    """As by whatever clears /tmp."""
    (problem,) = problems_of(canary("shutil.rmtree(sys.argv[2])\ntell(event='ready')\nhear()"))
    assert re.fullmatch(
        r"the canary cannot do its work: \[Errno 2\] No such file or directory: '.*'", problem
    )


TAKEN = """
tell(event="ready")
while True:
    Path(booting()["log"]).write_text("[Errno 98] error while attempting to bind: address already in use\\n")
    tell(event="exited", status=1)
    hear()
    tell(event="exited", status=1)
    tell(event="stopped")
"""


def test_ports_that_are_all_taken_are_a_problem_at_last(canary: Make) -> None:
    """An event that comes late, as that of an end that was asked for, confuses nobody."""
    variable, taken = problems_of(canary(TAKEN))
    assert variable.startswith("model_list[0].litellm_params.api_key names os.environ/ABSENT")
    assert "address already in use" in taken


def test_variables_may_stand_with_a_key_manager(canary: Make) -> None:
    raw = CANDIDATE.replace(b"settings: {", b"settings: {key_management_system: aws_secret_manager, ")
    (taken,) = problems_of(canary(TAKEN), raw)
    assert "address already in use" in taken


@pytest.mark.parametrize("general", [b"", b"general_settings: {}\n"])
def test_an_answer_that_cannot_be_read_is_told(canary: Make, general: bytes) -> None:
    raw = general + CANDIDATE.partition(b"general_settings")[0].replace(b"os.environ/ABSENT", b"k")
    (problem,) = problems_of(canary(SERVES), raw)
    assert problem.startswith(
        "LiteLLM is ready, but GET /v1/models?return_wildcard_routes=true fails: Expecting value"
    )
