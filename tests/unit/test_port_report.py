"""`aibackend ports` and `aibackend cache`: over real files and real sockets."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_aibackend import cache_command
from pytest_aibackend.port_report import report_ports


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Reporter:
    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._capsys = capsys

    def write(self, ports: str) -> None:
        (self.directory / "ports.yaml").write_text(ports, encoding="utf-8")
        (self.directory / "providers.yaml").write_text("providers: {}\n", encoding="utf-8")
        (self.directory / "model-mappings.yaml").write_text("exact_matches: {}\n", encoding="utf-8")

    def document(self, *, required: bool = False, port: int | None = None) -> tuple[int, dict[str, Any]]:
        status = report_ports(self.directory, required=required, port=port, as_json=True)
        return status, json.loads(self._capsys.readouterr().out)


@pytest.fixture
def reporter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Reporter:
    return Reporter(tmp_path, capsys)


def test_in_use_and_free(reporter: Reporter, listening: int, free: int) -> None:
    reporter.write(f"web: {{port: {listening}}}\nother: {{port: {free}}}\n")
    status, document = reporter.document()
    assert status == 0
    assert document["schema_version"] == 1
    assert document["findings"] == []
    web, other = document["ports"]
    assert (web["service"], web["port"], web["protocol"], web["status"]) == (
        "web",
        listening,
        "http",
        "in use",
    )
    (listener,) = web["listeners"]
    assert listener["address"] == "127.0.0.1"
    assert set(listener) == {"address", "pid", "process"}
    assert other["status"] == "free"
    assert other["listeners"] == []


def test_two_services_on_one_port(reporter: Reporter, free: int) -> None:
    reporter.write(f"one: {{port: {free}}}\ntwo:\n  port: {free}\n")
    status, document = reporter.document()
    assert status == 1
    assert [each["status"] for each in document["ports"]] == ["conflict", "conflict"]
    (finding,) = document["findings"]
    assert (finding["rule"], finding["line"], finding["column"]) == ("port-conflict", 3, 3)


def test_a_reserved_port_is_a_port(reporter: Reporter, free: int) -> None:
    reporter.write(f"one: {{port: {free}}}\nreserved:\n  two: {{port: {free}}}\n")
    status, document = reporter.document()
    assert status == 1
    assert [each["reserved"] for each in document["ports"]] == [False, True]


def test_foreign_listener(reporter: Reporter, listening: int) -> None:
    reporter.write(f"ollama: {{port: {listening}}}\n")
    status, document = reporter.document()
    assert status == 1
    assert document["ports"][0]["status"] == "foreign"
    assert [each["rule"] for each in document["findings"]] == ["foreign-listener"]


def test_silent_fails_only_where_it_is_asked_for(reporter: Reporter, free: int, listening: int) -> None:
    reporter.write(f"web: {{port: {free}, required: true}}\nother: {{port: {listening}}}\n")
    status, document = reporter.document()
    assert status == 0
    assert [each["status"] for each in document["ports"]] == ["silent", "in use"]
    status, document = reporter.document(required=True)
    assert status == 1
    assert [each["service"] for each in document["ports"]] == ["web"]
    assert [each["rule"] for each in document["findings"]] == ["required-port-silent"]


def test_one_port(reporter: Reporter, free: int, listening: int) -> None:
    reporter.write(f"web: {{port: {free}}}\none: {{port: 5}}\ntwo: {{port: 5}}\n")
    status, document = reporter.document(port=free)
    assert status == 0, "a conflict elsewhere was not asked about"
    assert [each["service"] for each in document["ports"]] == ["web"]
    status, document = reporter.document(port=listening)
    assert status == 0
    (unregistered,) = document["ports"]
    assert (unregistered["service"], unregistered["status"]) == (None, "in use")
    assert unregistered["listeners"]


def test_table(reporter: Reporter, listening: int, capsys: pytest.CaptureFixture[str]) -> None:
    reporter.write(f"a[b]: {{port: {listening}, required: true}}\n")
    assert report_ports(reporter.directory, required=False, port=None, as_json=False) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["service", "port", "required", "listener", "verdict"]
    assert row.startswith("a[b] ")
    assert row.rstrip().endswith("in use")
    assert "\x1b" not in row


def test_file_that_cannot_be_read(reporter: Reporter, capsys: pytest.CaptureFixture[str]) -> None:
    reporter.write("web: {port: 1\n")
    assert report_ports(reporter.directory, required=False, port=None, as_json=False) == 1
    assert "ports.yaml:2:1: error: yaml-syntax" in capsys.readouterr().err
    status, document = reporter.document()
    assert status == 1
    assert document["ports"] == []
    assert document["findings"][0]["rule"] == "yaml-syntax"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_wrong_port(reporter: Reporter, port: int) -> None:
    assert report_ports(reporter.directory, required=False, port=port, as_json=False) == 2


def test_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report_ports(tmp_path / "none", required=False, port=None, as_json=True) == 2
    assert cache_command.run("stats", tmp_path / "none", dry_run=False, as_json=True) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("there is no configuration directory") == 2


@pytest.mark.parametrize(
    ("gateway", "says"),
    [
        (None, "gateway.yaml is missing"),
        ("litellm_settings: {}", "configures no Redis cache"),
        ("litellm_settings: {cache: true, cache_params: {type: s3}}", "configures no Redis cache"),
        ("litellm_settings: [", "yaml-syntax"),
        ("litellm_settings: {cache: true, cache_params: {type: redis}}", "namespace"),
    ],
)
def test_cache_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gateway: str | None, says: str
) -> None:
    if gateway is not None:
        (tmp_path / "gateway.yaml").write_text(gateway, encoding="utf-8")
    assert cache_command.run("clear", tmp_path, dry_run=True, as_json=False) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""
