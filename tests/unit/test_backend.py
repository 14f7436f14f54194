"""A directory of sources: whatever stands in it, each file is read by itself and says what is wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_aibackend.rules.registry import GROUPS, evaluate
from pytest_aibackend.sources.backend import FILES, Backend, load_backend

CONFIG = Path(__file__).resolve().parents[2] / "config"
SOURCES = ("providers", "model-mappings", "ports", "gateway")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    target = tmp_path / "config"
    target.mkdir()
    for source in CONFIG.glob("*.yaml"):
        shutil.copy2(source, target)
    return target


def problem_of(backend: Backend, role: str) -> tuple[str, int | None, int | None]:
    (finding,) = backend.load_findings(role)
    assert finding.hint
    assert finding.subject == FILES[role]
    return finding.rule, finding.location.line, finding.location.column


def test_shipped_sources_are_read_whole(config: Path) -> None:
    backend = load_backend(config)
    assert backend.is_loaded(*FILES)
    for role in FILES:
        assert backend.load_findings(role) == []
        assert backend.schema_findings(role) == []
    assert backend.providers["vllm"].model_names == ("Qwen/Qwen2.5-Coder-7B-Instruct-AWQ",)
    lines = (config / "providers.yaml").read_text().splitlines()
    place = backend.locate("providers", ("providers", "vllm", "base_url"))
    assert place.line is not None
    assert lines[place.line - 1].strip().startswith("base_url: http://127.0.0.1:8001")
    assert place.column == 5


def empty(path: Path) -> None:
    path.write_bytes(b"")


def make_list(path: Path) -> None:
    path.write_text("# first\n- a\n")


def make_text(path: Path) -> None:
    path.write_text("\n\njust words\n")


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def latin(path: Path) -> None:
    path.write_bytes("a: é\n".encode("latin-1"))


def tabbed(path: Path) -> None:
    path.write_text("a:\n\tb: 1\n")


def twice(path: Path) -> None:
    path.write_text("a: 1\nb: 2\na: 3\n")


TROUBLES: dict[str, tuple[Callable[[Path], None], tuple[str, int | None, int | None]]] = {
    "empty": (empty, ("empty-file", 1, 1)),
    "list": (make_list, ("wrong-top-level", 2, 1)),
    "text": (make_text, ("wrong-top-level", 3, 1)),
    "directory": (make_directory, ("not-a-file", None, None)),
    "pipe": (make_pipe, ("not-a-file", None, None)),
    "dead-link": (link_to_nothing, ("missing-file", None, None)),
    "link-to-itself": (link_to_itself, ("unreadable-file", None, None)),
    "latin-1": (latin, ("not-utf8", 1, 4)),
    "tab": (tabbed, ("tab-indentation", 2, 1)),
    "duplicate": (twice, ("duplicate-key", 3, 1)),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("role", FILES)
def test_one_bad_file_leaves_the_others(config: Path, role: str, trouble: str) -> None:
    spoil, expected = TROUBLES[trouble]
    spoil(config / FILES[role])
    backend = load_backend(config)
    assert problem_of(backend, role) == expected
    assert not backend.is_loaded(role)
    assert all(backend.is_loaded(other) for other in FILES if other != role)
    assert [result.crash for result in evaluate(backend).values() if result.crash] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to the administrator")
@pytest.mark.parametrize("role", FILES)
def test_unreadable_file(config: Path, role: str) -> None:
    (config / FILES[role]).chmod(0)
    assert problem_of(load_backend(config), role)[0] == "unreadable-file"


@pytest.mark.parametrize("role", FILES)
def test_missing_file(config: Path, role: str) -> None:
    (config / FILES[role]).unlink()
    backend = load_backend(config)
    if role in ("gateway", "generated"):
        assert backend.is_loaded(role), "its defaults hold"
        assert backend.load_findings(role) == []
    else:
        assert problem_of(backend, role) == ("missing-file", None, None)


@pytest.mark.parametrize("role", FILES)
def test_the_other_ending(config: Path, role: str) -> None:
    path = config / FILES[role]
    path.rename(path.with_suffix(".yml"))
    backend = load_backend(config)
    assert problem_of(backend, role)[0] == "missing-file"
    assert backend.load_findings(role)[0].hint == f"rename {path.stem}.yml to {path.name}"


def test_the_deployed_file_may_have_any_ending(config: Path) -> None:
    gateway = config / "gateway.yaml"
    text = gateway.read_text(encoding="utf-8")
    gateway.write_text(text.replace("path: litellm-unified.yaml", "path: out.yaml", 1), encoding="utf-8")
    (config / "out.yml").write_text("model_list: []\n", encoding="utf-8")
    backend = load_backend(config)
    assert backend.deployed.path.name == "out.yaml"
    assert backend.load_findings("deployed") == []
    assert backend.is_loaded("deployed"), "nothing was deployed yet"


def test_missing_directory(tmp_path: Path) -> None:
    backend = load_backend(tmp_path / "none")
    assert not backend.is_loaded("providers")
    assert backend.is_loaded("gateway")
    assert backend.gateway.deploy.retention.recent == 10


def test_byte_order_mark_and_crlf(config: Path) -> None:
    plain = load_backend(config)
    for role in SOURCES:
        path = config / FILES[role]
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    backend = load_backend(config)
    for role in SOURCES:
        assert backend.sources[role].data == plain.sources[role].data
    where = ("providers", "vllm", "base_url")
    assert backend.locate("providers", where) == plain.locate("providers", where)


@pytest.mark.parametrize(
    ("comment", "line", "is_silenced"),
    [
        ("a: 1  # aibackend: ignore[unknown-key] why", 1, True),
        ("# aibackend: ignore[unknown-key]\na: 1", 2, True),
        ("# aibackend: ignore[other, unknown-key] why\na: 1", 2, True),
        ("# aibackend: ignore[other] why\na: 1", 2, False),
        ("a: 1  # aibackend: ignore[unknown-key]\nb: 2", 2, False),
        ("a: 1  # aibackend: ignore", 1, False),
    ],
)
def test_comments_silence_their_line(config: Path, comment: str, line: int, is_silenced: bool) -> None:
    (config / "gateway.yaml").write_text(comment + "\n")
    backend = load_backend(config)
    found = [each for each in backend.schema_findings("gateway") if each.location.line == line]
    assert len(found) == 1
    assert backend.is_ignored(found[0]) is is_silenced


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(
    role=st.sampled_from(SOURCES),
    cut=st.tuples(st.integers(0, 2500), st.integers(0, 60)),
    put=st.one_of(
        st.sampled_from(
            [b"", b"\n", b"  ", b": ", b"- ", b"[", b"}", b"'", b"null", b"\t", b"5", b"[1]", b"{}", b"x: "]
        ),
        st.binary(max_size=6),
    ),
)
def test_no_mutilation_makes_a_rule_raise(
    tmp_path_factory: pytest.TempPathFactory, role: str, cut: tuple[int, int], put: bytes
) -> None:
    config = tmp_path_factory.mktemp("mutilated")
    for source in CONFIG.glob("*.yaml"):
        shutil.copy2(source, config)
    path = config / FILES[role]
    raw = path.read_bytes()
    start = cut[0] % len(raw)
    path.write_bytes(raw[:start] + put + raw[start + cut[1] :])
    for result in evaluate(load_backend(config)).values():
        if result.crash:
            raise result.crash


def test_a_running_gateway_is_compared_with_the_deployed_file(config: Path, tmp_path: Path) -> None:
    """While a candidate is checked, the gateway still has the deployed file; usually they are one."""
    deployed = config / "litellm-unified.yaml"
    assert load_backend(config).deployed.path == deployed
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text("model_list:\n  - model_name: new\n    litellm_params: {model: openai/new}\n")
    backend = load_backend(config, generated=candidate)
    assert backend.sources["generated"].path == candidate
    assert backend.deployed.raw == deployed.read_bytes()
    assert backend.locate("deployed", ("model_list",)).file == str(deployed)
    assert "new" not in GROUPS["gateway-model-group"].subjects(backend)
    deployed.unlink()
    assert not load_backend(config, generated=candidate).deployed.exists
