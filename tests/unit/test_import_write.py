"""What an import leaves behind when it is killed, has no space, or meets what it must not touch."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from pytest_aibackend.cli import main
from pytest_aibackend.importer.document import UnusablePathError
from pytest_aibackend.importer.write import KEPT, STAGING, write_all
from pytest_aibackend.litellm.command import source_errors
from pytest_aibackend.sources.backend import FILES, load_backend

CONFIG: Final = "model_list:\n  - model_name: {name}\n    litellm_params: {{model: ollama_chat/m, api_base: 'http://localhost:11434'}}\n"
TOUCHES: Final = {"open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.chmod"}
NEW: Final = {name: f"# new {name}\n" for name in FILES.values()}
UNRELATED: Final = {"notes.txt": b"mine", "sub/deep.yaml": b"also: mine"}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def stop_at(number: int, directory: Path, texts: dict[str, str], stop: Callable[[], None]) -> int:
    """Write in a child, stopped at its n-th touch of the file system; say how it ended: 0 if well."""
    child = os.fork()
    if child == 0:
        left = number

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in TOUCHES and str(directory.parent) in str(arguments):
                left -= 1
                if left == -1:
                    stop()

        sys.addaudithook(count)
        try:
            write_all(directory, texts)
            os._exit(0 if left >= 0 else 1)
        except UnusablePathError:
            os._exit(2)
        finally:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def find_no_space() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return a directory with an import in it, and other things."""
    config = tmp_path / "old.yaml"
    config.write_text(CONFIG.format(name="old"))
    assert main(["import", str(config), "--output", str(tmp_path / "sources")]) == 0
    capsys.readouterr()
    for name, raw in UNRELATED.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw)
    return tmp_path / "sources"


def imported(config: Path, output: Path) -> int:
    config.write_text(CONFIG.format(name="new"))
    return main(["import", str(config), "--output", str(output), "--force"])


def test_killed_at_any_step_nothing_is_lost_or_mixed(
    sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert imported(tmp_path / "new.yaml", tmp_path / "wanted") == 0
    new = {name: (tmp_path / "wanted" / name).read_text() for name in FILES.values()}
    old = {name: (sources / name).read_bytes() for name in FILES.values()}
    seen = set()
    for number in range(200):
        site = tmp_path / f"site-{number}"
        shutil.copytree(sources, site)
        if stop_at(number, site, new, kill) == 0:
            break
        left = contents(site)
        assert {name: left[name] for name in UNRELATED} == UNRELATED
        for name, raw in old.items():
            assert raw in [left[path] for path in left if Path(path).name == name], (number, name)
        whole = {name: left.get(name) for name in FILES.values()}
        is_whole = whole in (old, {name: text.encode() for name, text in new.items()})
        assert is_whole or state_of(site), number
        seen.add((is_whole, (site / STAGING).exists()))
        assert FILES["generated"] in left
        assert imported(tmp_path / "new.yaml", site) == 0
        after = contents(site)
        assert {name: after[name].decode() for name in FILES.values()} == new
        assert not (site / STAGING).exists()
    else:
        pytest.fail("it never ended")
    assert len(seen) > 2
    assert number > 20


def state_of(site: Path) -> list[str]:
    """Return why nothing is generated from a directory, or that its file is not what would be."""
    backend = load_backend(site)
    errors = [finding.rule for finding in source_errors(backend)]
    return errors or (["stale"] if main(["generate", "--config", str(site), "--check"]) else [])


def test_killed_at_any_step_a_new_directory_is_whole_or_not_there(tmp_path: Path) -> None:
    for number in range(100):
        site = tmp_path / f"{number}" / "sources"
        if stop_at(number, site, NEW, kill) == 0:
            break
        assert not site.exists() or contents(site) == {name: text.encode() for name, text in NEW.items()}
    else:
        pytest.fail("it never ended")
    assert number > 5


def test_what_an_import_that_was_stopped_left_is_told(
    sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "old.yaml"
    for output, staging in (
        (tmp_path / "fresh", tmp_path / f"{STAGING}-fresh"),
        (sources, sources / STAGING),
    ):
        staging.mkdir()
        for name in FILES.values():
            (output / name).unlink(missing_ok=True)
        assert main(["import", str(config), "--output", str(output)]) == 2
        assert "is left from an import that was stopped" in capsys.readouterr().err
        assert main(["import", str(config), "--output", str(output), "--force"]) == 0
        assert not staging.exists()


def test_the_old_files_are_kept_by_name(
    sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {name: (sources / name).read_bytes() for name in FILES.values()}
    (sources / "gateway.yaml").chmod(0o600)
    for _ in range(2):
        assert imported(tmp_path / "new.yaml", sources) == 0
    said = capsys.readouterr().out
    kept = sorted(sources.glob(f"{KEPT}-*"))
    assert [f"the files that were there are in {path} now" in said for path in kept] == [True, True]
    assert contents(kept[0]) == old
    assert (sources / "gateway.yaml").stat().st_mode & 0o777 == 0o600
    assert {name: (sources / name).read_bytes() for name in UNRELATED} == UNRELATED


@pytest.mark.parametrize("limit", [0, 100, 1200])
def test_a_full_disk(sources: Path, limit: int) -> None:
    """A limit of the file size stands for it: any write beyond fails, as on a disk without space."""
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from pytest_aibackend.importer.write import write_all;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "write_all(Path(sys.argv[1]), {name: 'x' * (600 + 40 * len(name)) for name in sys.argv[2:]})"
    )
    for directory in (sources, sources.parent / "new" / "deep"):
        before = contents(sources.parent)
        done = subprocess.run(
            [sys.executable, "-c", code, str(directory), *FILES.values()],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert f"UnusablePathError: {directory} cannot be written: File too large" in done.stderr
        assert contents(sources.parent) == before
        assert not (sources.parent / "new").exists()


# A real disk without space, and one that is read only: in a namespace, where the kernel allows it.
MOUNTED: Final = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"]
HAS_NAMESPACES: Final = (
    subprocess.run([*MOUNTED, "mount -t tmpfs none /mnt"], check=False, capture_output=True).returncode == 0
)


@pytest.mark.skipif(not HAS_NAMESPACES, reason="nothing may be mounted here")
@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ('mount -t tmpfs -o size=24k none "$D"; cp "$S"/*.yaml "$D"', "No space left on device"),
        ('mount -t tmpfs -o nr_inodes=11 none "$D"; cp "$S"/*.yaml "$D"', "No space left on device"),
        (
            'mount -t tmpfs none "$D"; cp "$S"/*.yaml "$D"; mount -o remount,bind,ro "$D"',
            "Read-only file system",
        ),
    ],
)
def test_a_disk_that_takes_nothing(sources: Path, tmp_path: Path, mount: str, words: str) -> None:
    disk, config = tmp_path / "disk", tmp_path / "old.yaml"
    disk.mkdir()
    script = (
        f'{mount}; sum "$D"/* > before; status=0; "$PYTHON" -m pytest_aibackend.cli import old.yaml'
        ' --output "$D" --force || status=$?; sum "$D"/* | cmp - before; ls -A "$D" | wc -l; exit $status'
    )
    environment = {**os.environ, "D": str(disk), "S": str(sources), "PYTHON": sys.executable}
    config.write_text(CONFIG.format(name="other"))
    done = subprocess.run(
        [*MOUNTED, script], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()) == (2, ["5"]), done.stderr
    assert f"{disk} cannot be written: {words}" in done.stderr
    assert "nothing was written" in done.stderr


def test_what_must_not_be_touched(sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.yaml"
    (sources / "ports.yaml").rename(other)
    (sources / "ports.yaml").symlink_to("../other.yaml")
    before = contents(tmp_path)
    assert main(["import", str(tmp_path / "old.yaml"), "--output", str(sources), "--force"]) == 2
    assert "ports.yaml is a link; move it away" in capsys.readouterr().err
    (sources / "ports.yaml").unlink()
    (sources / "ports.yaml").mkdir()
    assert main(["import", str(tmp_path / "old.yaml"), "--output", str(sources), "--force"]) == 2
    assert "ports.yaml is no regular file; move it away" in capsys.readouterr().err
    assert contents(tmp_path) == {name: raw for name, raw in before.items() if name != "sources/ports.yaml"}


def test_a_directory_may_be_a_link(sources: Path, tmp_path: Path) -> None:
    link, nowhere = tmp_path / "link", tmp_path / "nowhere"
    link.symlink_to(sources)
    assert imported(tmp_path / "new.yaml", link) == 0
    assert link.is_symlink()
    assert "new" in (sources / FILES["generated"]).read_text()
    nowhere.symlink_to("missing")
    assert imported(tmp_path / "new.yaml", nowhere) == 2
    assert nowhere.is_symlink()


@pytest.mark.parametrize("fault", [find_no_space, interrupt])
def test_a_fault_at_any_step_puts_everything_back(
    sources: Path, tmp_path: Path, fault: Callable[[], None]
) -> None:
    before = contents(sources)
    undone = []
    for number in range(200):
        site = tmp_path / str(number) / "sources"
        shutil.copytree(sources, site)
        status = stop_at(number, site, NEW, fault)
        if status == 0:
            break
        if contents(site) == before:
            assert status == (2 if fault is find_no_space else 3)
            assert sorted(path.name for path in site.iterdir()) == sorted(
                path.name for path in sources.iterdir()
            )
            undone.append(number)
        else:  # it did without: a link, or removing its own directory
            assert {name: (site / name).read_text() for name in NEW} == NEW
    else:
        pytest.fail("it never ended")
    assert len(undone) > number - 10


def test_where_everything_is_if_it_cannot_be_put_back(sources: Path) -> None:
    """A fault that stays: from the n-th touch on nothing can be done any more."""
    code = (
        "import os, sys; from pathlib import Path; from pytest_aibackend.cli import main\n"
        "def fail(event, arguments):\n"
        "    if event == 'os.rename' and str(arguments[1]).endswith('sources/ports.yaml'):\n"
        "        raise OSError(5, 'Input/output error')\n"
        "sys.addaudithook(fail); sys.exit(main(sys.argv[1:]))"
    )
    before = contents(sources)
    arguments = ["import", str(sources.parent / "old.yaml"), "--output", str(sources), "--force"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "cannot be put in order again: Input/output error" in done.stderr
    assert "nothing was written" not in done.stderr
    (kept,) = sources.glob(f"{KEPT}-*")
    assert str(kept) in done.stderr
    assert {**contents(sources), **contents(kept)}.items() >= before.items()
