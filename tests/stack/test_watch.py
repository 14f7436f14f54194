"""`aibackend watch` as a person runs it: real files, a gateway that runs, and the real LiteLLM as canary."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from pytest_aibackend.deploy.lock import exclusive
from tests.stack.reloading import Deployment, deployment, environment
from tests.waiting import wait_until

WITHIN_S = 30.0
STILL_S = 2.0  # longer than a watch takes to notice a change
NO_LITELLM = {"python": "/bin/false"}


class Watch:
    """A watch that runs, and what it prints."""

    def __init__(self, site: Deployment, *options: str) -> None:
        command = [sys.executable, "-m", "pytest_aibackend.cli", "watch", "--config", str(site.dir), *options]
        self.process = subprocess.Popen(
            command,
            env={**environment(), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = ""
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)

    def read_until(self, words: str) -> str:
        """Return what it printed up to a line with these words."""
        lines: list[str] = []
        while words not in (lines[-1] if lines else ""):
            try:
                lines.append(self._lines.get(timeout=WITHIN_S))
            except queue.Empty:
                raise AssertionError(f"no {words!r} in {self.printed}{''.join(lines)}") from None
            self.printed += lines[-1]
        return "".join(lines)

    def document(self) -> dict[str, Any]:
        """Return the next reload; with --json."""
        plain: dict[str, Any] = json.loads(self.read_until("schema_version"))
        return plain

    def is_still(self) -> bool:
        """Say whether nothing more is printed."""
        with contextlib.suppress(queue.Empty):
            self.printed += self._lines.get(timeout=STILL_S)
            return False
        return True

    def join(self) -> None:
        self._reader.join(WITHIN_S)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; nothing that it started may be left."""
        children = self.children()
        self.process.send_signal(number)
        status = self.process.wait(WITHIN_S)
        _, alive = psutil.wait_procs(children, timeout=WITHIN_S)
        assert alive == []
        return status


@contextlib.contextmanager
def watching(site: Deployment, *options: str) -> Iterator[Watch]:
    watch = Watch(site, *options)
    try:
        yield watch
    finally:
        if watch.process.poll() is None:
            for child in watch.children():
                child.kill()
            watch.process.kill()
        watch.process.wait()
        watch.join()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment without LiteLLM, whose gateway runs."""
    with deployment(tmp_path / "config", deploy=NO_LITELLM) as made:
        assert made.reload().status == 0
        made.start()
        yield made


def providers(*models: str) -> str:
    """Return the text of providers.yaml; all models are on the one provider."""
    listed = {"type": "llama_cpp", "base_url": "http://127.0.0.1:9", "models": [*models]}
    return yaml.safe_dump({"providers": {"local": listed}})


def mappings(*models: str) -> str:
    return yaml.safe_dump({"exact_matches": {model: {"provider": "local"} for model in models}})


# How editors and tools write: each takes the file and its new text.


def in_steps(path: Path, text: str) -> None:
    with path.open("w") as file:
        for start in range(0, len(text), 40):
            time.sleep(0.05)
            file.write(text[start : start + 40])
            file.flush()


def by_renaming(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.swp")
    temporary.write_text(text)
    time.sleep(0.1)
    temporary.replace(path)


def as_vim_does(path: Path, text: str) -> None:
    probe = path.with_name("4913")
    probe.touch()
    probe.unlink()
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    time.sleep(0.4)  # the file is not there
    path.write_text(text)
    backup.unlink()


def again_and_again(path: Path, text: str) -> None:
    for number in range(4):
        path.write_text(f"{text}# {number}\n")
        time.sleep(0.2)


def with_its_directory_away(path: Path, text: str) -> None:
    elsewhere = path.parent.with_name("elsewhere")
    path.parent.rename(elsewhere)
    time.sleep(1.5)
    (elsewhere / path.name).write_text(text)
    elsewhere.rename(path.parent)


WRITERS: list[Callable[[Path, str], None]] = [
    in_steps,
    by_renaming,
    as_vim_does,
    again_and_again,
    with_its_directory_away,
]


def test_each_way_of_writing_is_one_reload_with_a_warm_canary(tmp_path: Path) -> None:
    with deployment(tmp_path / "config") as site:
        site.target.write_text(
            "model_list: []\ngeneral_settings: {master_key: os.environ/LITELLM_MASTER_KEY}\n"
        )
        site.start()
        with watching(site, "--json") as watch:
            cold = watch.document()
            assert (cold["outcome"], cold["canary"]["ok"]) == ("deployed", True), cold
            for number, write in enumerate(WRITERS):
                models = ["alpha", "beta", f"model-{number}"]
                (site.dir / "providers.yaml").touch()
                # Two files change, and every state in between would be refused.
                (site.dir / "model-mappings.yaml").write_text(mappings(*models))
                write(site.dir / "providers.yaml", providers(*models))
                warm = watch.document()
                assert warm["outcome"] == "deployed", (write, warm)
                assert warm["canary"]["seconds"] < cold["canary"]["seconds"] / 3
                assert site.served_sha256() == site.deployed_sha256() == warm["new_sha256"]
                assert f"model_name: model-{number}" in site.target.read_text()
            assert watch.is_still()
            (site.dir / "providers.yaml").touch()
            assert watch.is_still()

            # The one that is kept dies.
            (host,) = [each for each in watch.children() if "canary.py" in " ".join(each.cmdline())]
            host.kill()
            site.serve("alpha")
            assert watch.document()["outcome"] == "deployed"
            assert watch.end() == 0
        assert [entry["outcome"] for entry in site.history()] == ["deployed"] * (len(WRITERS) + 2)
        assert site.leftovers() == []


def test_a_branch_is_checked_out(site: Deployment) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *names, *arguments], cwd=site.dir, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("add", "providers.yaml", "model-mappings.yaml", "ports.yaml", "gateway.yaml")
    git("commit", "--message=one")
    git("checkout", "-b", "other")
    site.serve("alpha", "gamma")
    git("commit", "--all", "--message=two")
    git("checkout", "main")
    with watching(site, "--json") as watch:
        assert watch.document()["outcome"] == "unchanged"
        git("checkout", "other")
        assert watch.document()["outcome"] == "deployed"
        assert "gamma" in site.target.read_text()
        git("checkout", "main")
        assert watch.document()["outcome"] == "deployed"
        assert watch.is_still()


def test_a_refusal_is_told_once_and_the_watch_goes_on(site: Deployment) -> None:
    before = site.deployed_sha256()
    with watching(site) as watch:
        begun = watch.read_until("unchanged after")
        assert "canary: none, LiteLLM is not installed" in begun
        assert "gateway: pid file" in begun
        (site.dir / "model-mappings.yaml").write_text(mappings("alpha", "nobody-has-it"))
        refused = watch.read_until("refused after")
        assert "model-mappings.yaml changed" in refused
        assert "nobody-has-it" in refused
        assert "it is tried again when a source changes" in refused
        assert watch.is_still()

        (site.dir / "providers.yaml").write_text("providers: [")
        assert "yaml-syntax" in watch.read_until("refused after")
        shutil.move(site.dir / "gateway.yaml", site.dir / "gateway.yaml.away")
        assert watch.is_still()  # it may come back
        shutil.move(site.dir / "gateway.yaml.away", site.dir / "gateway.yaml")
        assert site.deployed_sha256() == before

        site.serve("alpha")
        deployed = watch.read_until("deployed after")
        assert "model groups: -beta" in deployed
        assert deployed.count("\n") <= 4  # what changed, what that means, how it ended, no canary
        assert watch.end(signal.SIGINT) == 0
    assert site.served_sha256() == site.deployed_sha256() != before


def test_it_waits_for_another_reload(site: Deployment) -> None:
    with watching(site) as watch:
        watch.read_until("unchanged after")
        with exclusive(site.state.path / "lock", "reload"):
            site.serve("alpha")
            watch.read_until("waiting")
        watch.read_until("deployed after")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_a_reload_leaves_the_old_or_the_new(site: Deployment, number: signal.Signals) -> None:
    before = site.deployed_sha256()
    with watching(site, "--verify-within", "3") as watch:
        watch.read_until("unchanged after")
        site.serve("alpha", "fault-unready")
        wait_until(lambda: site.served_sha256() != before)
        watch.process.send_signal(number)
        # A terminal that goes away stops no deployment; this one fails for itself.
        ended = watch.read_until("ended by")
        assert "rolled-back after" in ended
        assert ("interrupted by SIGTERM" in ended) == (number is signal.SIGTERM)
        assert watch.process.wait(WITHIN_S) == 0
    assert site.deployed_sha256() == before
    wait_until(lambda: site.served_sha256() == before)
    assert site.leftovers() == []


def test_without_a_gateway_or_a_directory(tmp_path: Path) -> None:
    with deployment(tmp_path / "config", deploy=NO_LITELLM) as site:
        with watching(site) as watch:
            deployed = watch.read_until("signal skipped")
            assert "deployed after" in deployed
            assert "it loads the file at its next start" in deployed
            shutil.rmtree(site.dir)
            watch.read_until("waiting for them")
            assert watch.end() == 0
        with watching(site) as watch:
            assert "there is no configuration directory" in watch.read_until("hint")
            assert watch.process.wait(WITHIN_S) == 2
