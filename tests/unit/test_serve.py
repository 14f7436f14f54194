"""`aibackend serve`: the command line it becomes, which the supervisor reads back."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import pytest_aibackend
from pytest_aibackend.deploy.canary import client
from pytest_aibackend.deploy.serve import ServeError, ServeOptions, serve, serving_command
from pytest_aibackend.serving.settings import Settings, parse
from pytest_aibackend.sources.backend import Backend, load_backend

PYTHON = "/opt/litellm/bin/python"


def backend_of(folder: Path, **deploy: Any) -> Backend:
    folder.mkdir(exist_ok=True)
    (folder / "gateway.yaml").write_text(yaml.safe_dump({"deploy": deploy}))
    return load_backend(folder)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    service = {"kind": "pidfile", "pidfile": "run/gateway.pid"}
    folder = tmp_path_factory.mktemp("config")
    return backend_of(folder, path="out/litellm.yaml", url="http://[::1]:4711", workers=3, service=service)


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text != "--")


OPTIONS = st.builds(
    ServeOptions,
    host=st.none() | st.ip_addresses().map(str),
    port=st.none() | st.integers(1, 65535),
    workers=st.none() | st.integers(1, 64),
    pidfile=st.none() | WORDS.map(lambda name: Path("/run", name.replace("/", "-"))),
    grace_s=st.integers(0, 3600),
    keep_alive_s=st.integers(0, 3600),
    arguments=st.lists(WORDS).map(tuple),
)


@given(options=OPTIONS)
def test_the_supervisor_reads_what_was_meant(backend: Backend, options: ServeOptions) -> None:
    python, dash_m, module, *rest = serving_command(backend, options, PYTHON)
    assert [python, dash_m, module] == [PYTHON, "-m", "pytest_aibackend.serving"]
    assert parse(rest) == Settings(
        file=backend.resolve("out/litellm.yaml").absolute(),
        state=backend.resolve(".aibackend/deploy").absolute(),
        host=options.host or "::1",
        port=options.port or 4711,
        workers=options.workers or 3,
        pidfile=options.pidfile or backend.resolve("run/gateway.pid").absolute(),
        grace_s=options.grace_s,
        keep_alive_s=options.keep_alive_s,
        arguments=options.arguments,
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://localhost:4000", "127.0.0.1"),
        ("http://127.0.0.1:4000", "127.0.0.1"),
        ("http://0.0.0.0:4000", "0.0.0.0"),
        ("http://gateway.example.org:4000", "127.0.0.1"),  # it may be another machine's name
    ],
)
def test_only_an_address_is_listened_on(tmp_path: Path, url: str, host: str) -> None:
    command = serving_command(backend_of(tmp_path / "config", url=url), ServeOptions(), PYTHON)
    assert parse(command[3:]).host == host


def test_a_url_without_a_port_is_refused(tmp_path: Path) -> None:
    backend = backend_of(tmp_path / "config", url="http://gateway.example.org")
    with pytest.raises(ServeError, match=r"deploy\.url names no port; write it there, or give --port N"):
        serving_command(backend, ServeOptions(), PYTHON)
    assert parse(serving_command(backend, ServeOptions(port=4000), PYTHON)[3:]).port == 4000


@pytest.mark.parametrize("broken", ["deploy: [", "deploy: {python: /nowhere/python}"])
def test_what_cannot_be_served_is_said_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    (tmp_path / "gateway.yaml").write_text(broken)
    assert serve(tmp_path, ServeOptions()) == 2
    told = capsys.readouterr().err
    assert told.startswith("aibackend serve: ")
    assert "gateway.yaml:" in told or "/nowhere/python" in told


def test_an_address_that_is_none_is_said_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for url, said in (("http://127.0.0.1:http", "deploy.url: "), ("http://h", "deploy.url names no port")):
        backend_of(tmp_path / "config", url=url, python=sys.executable)
        assert serve(tmp_path / "config", ServeOptions()) == 2
        assert capsys.readouterr().err.startswith(f"aibackend serve: {said}")


def test_this_process_becomes_the_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another Python than ours is shown the way to our package."""
    became: list[tuple[str, list[str], dict[str, str]]] = []

    def become(program: str, command: list[str], environment: dict[str, str]) -> None:
        became.append((program, command, environment))
        raise OSError(errno.ENOEXEC, "Exec format error")

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setenv("PYTHONPATH", "/theirs")
    for python in (sys.executable, PYTHON):
        monkeypatch.setattr(client, "find_litellm", lambda _named, found=python: found)
        backend = backend_of(tmp_path / "config", url="http://127.0.0.1:4711", python=python)
        assert serve(tmp_path / "config", ServeOptions()) == 2
        assert became[-1][:2] == (python, serving_command(backend, ServeOptions(), python))
    package = str(Path(pytest_aibackend.__file__).parents[1])
    assert [environment["PYTHONPATH"] for _, _, environment in became] == ["/theirs", f"/theirs:{package}"]


def test_a_python_that_cannot_be_run_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "python"
    python.write_text("no program")
    monkeypatch.setattr(client, "find_litellm", lambda _named: str(python))
    backend_of(tmp_path / "config", url="http://127.0.0.1:4711")
    assert serve(tmp_path / "config", ServeOptions()) == 2
    assert capsys.readouterr().err == f"aibackend serve: {python} cannot be run: Permission denied\n"


def test_a_directory_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve(tmp_path / "nowhere", ServeOptions()) == 2
    assert f"there is no directory {tmp_path / 'nowhere'}" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--file", "f"], ["--file", "f", "--state", "s", "--port", "x"]])
def test_a_wrong_command_line_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert "usage: python -m pytest_aibackend.serving" in capsys.readouterr().err
