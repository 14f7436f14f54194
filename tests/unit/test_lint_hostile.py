"""What nobody would write on purpose is linted all the same: an answer, and soon."""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from pytest_aibackend.cli import main
from pytest_aibackend.litellm.lint import includes

NAMES: Final = "abcdefghijklm"
BOMB: Final = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise(NAMES)
)
MERGES: Final = "k0: &k0 {x: 1}\n" + "".join(
    f"k{n}: &k{n} {{<<: [{', '.join([f'*k{n - 1}'] * 9)}]}}\n" for n in range(1, 30)
)
HOSTILE: Final = {
    "too many bytes": (b"# a comment\n" * 2_000_000, "file-too-large"),
    "open brackets": (b"a: " + b"[" * 100_000, "too-deep"),
    "mappings in mappings": (b"a: " + b"{a: " * 2000 + b"1" + b"}" * 2000, "too-deep"),
    "aliases of aliases": (BOMB.encode(), "too-many-values"),
    "merges of merges": (MERGES.encode(), "too-many-values"),
    "nulls": (b"a: \0\n", "yaml-syntax"),
    "an open quote": (b'a: "' + b"\\u0041" * 200_000, "yaml-syntax"),
    "Latin-1": ("a: é\n".encode("latin-1"), "not-utf8"),
    "UTF-16": ("a: b\n".encode("utf-16"), None),
    "one long line": (b"a: " + b"x" * 3_000_000 + b"\n", "model-list-empty"),
    "nothing": (b"", "empty-file"),
}


def lint(path: Path | str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["lint", str(path)])
    said = capsys.readouterr()
    return status, said.out + said.err


@pytest.mark.parametrize("name", HOSTILE)
def test_files(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, rule = HOSTILE[name]
    path = tmp_path / "config.yaml"
    path.write_bytes(raw)
    status, said = lint(path, capsys)
    assert status == 1
    assert f"error: {rule}: " in said or (rule is None and "error: " in said)
    assert len(said) < 2000


def test_a_name_that_is_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.yaml")
    Path(name).write_bytes(b"a: [}\n")
    for form in ("text", "json", "github", "sarif"):
        assert main(["lint", name, "--format", form]) == 1
        assert "yaml-syntax" in capsys.readouterr().out


def test_devices_and_directories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("/dev/zero", capsys)[0] == 1
    assert lint("/dev/null", capsys)[0] == 1
    (tmp_path / "loop").symlink_to("loop")
    for path in (tmp_path, tmp_path / "loop", tmp_path / "nowhere", "/proc/self/mem"):
        status, said = lint(path, capsys)
        assert (status, f"{path} cannot be read: " in said) == (2, True)


def test_pipes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One is read as in `lint <(command)`, however slow; one that nobody writes to is not waited for."""
    monkeypatch.setattr(includes, "WRITER_MS", 200)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    status, said = lint(pipe, capsys)
    assert (status, "nobody writes to this pipe" in said) == (2, True)

    def write(late: float) -> None:
        with pipe.open("wb") as file:
            time.sleep(late)
            file.write(b"model_list: [}\n")

    for late in (0.0, 0.5):
        writer = threading.Thread(target=write, args=[late])
        writer.start()
        status, said = lint(pipe, capsys)
        writer.join()
        assert (status, "yaml-syntax" in said) == (1, True)


def test_an_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: []\n")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    assert lint(path, capsys) == (2, f"aibackend lint: {path} cannot be read: Permission denied\n")
