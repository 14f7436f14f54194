"""A reload that is killed, wherever: the deployed file is whole, and the next run finishes or undoes it."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_aibackend.litellm.generate import render
from pytest_aibackend.serving.state import sha256
from pytest_aibackend.sources.backend import load_backend
from tests.stack.forked_reload import ForkedReloads
from tests.stack.reloading import Deployment, deployment
from tests.waiting import wait_until

MOMENTS = 200 if os.environ.get("AIBACKEND_SOAK") else 20


@pytest.fixture
def site(tmp_path: Path, reloads: ForkedReloads) -> Iterator[Deployment]:
    """A deployment whose gateway runs and serves what is deployed."""
    with deployment(tmp_path / "site") as made:
        assert reloads.reload(made).status == 0
        made.start()
        assert reloads.reload(made).status == 0
        yield made


@pytest.fixture(scope="module")
def reloads() -> Iterator[ForkedReloads]:
    with ForkedReloads() as made:
        yield made


class Change:
    """One change of the sources, and what it would deploy."""

    def __init__(self, site: Deployment, number: int) -> None:
        self.site = site
        self.old = site.deployed_sha256()
        site.serve("alpha", f"model-{number}")
        self.new = sha256(render(load_backend(site.dir)).encode())
        assert self.new != self.old

    def check_after_kill(self) -> None:
        """Whatever happened: the file is one of the two, whole, and the gateway serves one of the two."""
        assert self.site.deployed_sha256() in (self.old, self.new)
        verified = self.site.state.verified()
        if verified is not None:
            assert verified.sha256 in (self.old, self.new)
        assert self.site.served_sha256() in (self.old, self.new)

    def check_recovery(self, reloads: ForkedReloads) -> dict[str, Any]:
        """The next run says what it found, and ends as if nothing had been."""
        journal = self.site.state.path / "journal.json"
        was_under_way = journal.exists()
        lock = self.site.state.path / "lock"
        owner = lock.read_text() if lock.exists() else ""
        status, document, *_ = reloads.reload(self.site)
        assert status == 0, document
        assert bool(document["recovered"]) == was_under_way
        is_told = any(text.startswith("took over the lock of aibackend reload") for text in document["notes"])
        assert is_told == bool(owner)
        self.check_at_rest()
        return document

    def check_at_rest(self) -> None:
        site = self.site
        assert site.leftovers() == []
        assert site.deployed_sha256() == site.served_sha256() == self.new
        verified = site.state.verified()
        assert verified is not None
        assert verified.sha256 == self.new
        assert site.state.approved() == ""


def test_killed_at_every_act(site: Deployment, reloads: ForkedReloads) -> None:
    """The run is killed before its first act that touches anything, then before its second, to the last."""
    said = set()
    act = total = 0
    while act <= total:
        act += 1
        change = Change(site, act)
        status, _, total, _ = reloads.reload(site, at_act=act)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        change.check_after_kill()
        document = change.check_recovery(reloads)
        said |= {text.partition("was killed after ")[2] for text in document["recovered"]}
    assert act > 10, "so many acts there are at least"
    for step in ("intended", "backed up", "swapped", "signalled", "verified"):
        assert any(text.startswith(f"'{step}'") for text in said), said
    assert any(text.endswith("it had touched nothing") for text in said)
    assert any(text.endswith("and the gateway serves it again") for text in said)
    assert any("had been verified" in text for text in said)


def test_killed_at_random_moments(site: Deployment, reloads: ForkedReloads) -> None:
    change = Change(site, 0)
    began = time.monotonic()
    assert reloads.reload(site)[0] == 0
    usual = time.monotonic() - began
    moments = random.Random(7)
    killed = 0
    for number in range(1, MOMENTS + 1):
        change = Change(site, number)
        pid = reloads.begin(site)
        time.sleep(moments.uniform(0, usual))
        os.kill(pid, signal.SIGKILL)
        status, *_ = reloads.end()
        killed += status != 0
        change.check_after_kill()
        change.check_recovery(reloads)
    assert killed > MOMENTS / 4


def test_recovery_that_is_killed_itself(site: Deployment, reloads: ForkedReloads) -> None:
    """The run dies after the swap, and each recovery after it too, one act later each time."""
    change = Change(site, 1)
    act = 1
    while not (site.state.path / "journal.json").exists() or site.deployed_sha256() == change.old:
        assert reloads.reload(site, at_act=act)[0] == -signal.SIGKILL
        act += 1
    later = 1
    while reloads.reload(site, at_act=later)[0] == -signal.SIGKILL:
        change.check_after_kill()
        later += 1
    change.check_at_rest()


def test_interrupted_at_every_act(site: Deployment, reloads: ForkedReloads) -> None:
    """Before the swap nothing is touched, after it all is undone, by the run itself."""
    seen = set()
    for act in range(1, 200):
        number = signal.SIGTERM if act % 2 else signal.SIGINT
        change = Change(site, act)
        status, document, total, _ = reloads.reload(site, at_act=act, number=number)
        assert document["exit"] == status
        seen.add(status)
        assert status in (0, 3, 128 + number), document
        if status:
            assert site.deployed_sha256() == change.old
            assert number.name in document["reason"]
        assert site.leftovers() == []
        wait_until(lambda: site.served_sha256() == site.deployed_sha256())
        if act > total:
            break
    assert seen == {0, 3, 128 + signal.SIGTERM, 128 + signal.SIGINT}


def test_the_terminal_goes_away(site: Deployment, reloads: ForkedReloads) -> None:
    """Before the swap that ends the run; once the swap has begun, the run ends well without its terminal."""
    seen = set()
    for act in range(1, 200):
        change = Change(site, act)
        status, _, total, _ = reloads.reload(site, at_act=act, number=signal.SIGHUP)
        seen.add(status)
        assert site.leftovers() == []
        assert site.deployed_sha256() == (change.new if status == 0 else change.old)
        assert status == 0 or 0 not in seen, "an earlier act stops the run, a later one does not"
        if act > total:
            break
    assert seen == {0, 128 + signal.SIGHUP}


def test_a_file_that_somebody_else_changed_since_is_kept(site: Deployment, reloads: ForkedReloads) -> None:
    change = Change(site, 1)
    act = 1
    while site.deployed_sha256() == change.old:
        assert reloads.reload(site, at_act=act)[0] == -signal.SIGKILL
        act += 1
    site.target.write_bytes(b"# by hand\n" + site.target.read_bytes())
    by_hand = site.target.read_bytes()
    status, document, *_ = reloads.reload(site)
    assert status == 0
    assert "changed by somebody else since" in document["recovered"][0]
    assert site.backups()[-1].read_bytes() == by_hand, "it is replaced now, and can be had back"
    change.check_at_rest()
