"""A reload from beginning to end beside a gateway that does as the test says: exit code, words and files.

The same with real processes, killed and interrupted at every act, is in tests/stack; here stand the ends that
a real gateway rarely comes to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from pytest_aibackend.deploy import admission, site
from pytest_aibackend.deploy.canary import client
from pytest_aibackend.deploy.canary.client import CanaryResult
from pytest_aibackend.deploy.gate import Verdict
from pytest_aibackend.deploy.journal import Journal, Reached
from pytest_aibackend.deploy.pipeline import Request, run
from pytest_aibackend.deploy.service import ServiceError, ServiceState
from pytest_aibackend.deploy.verify import Verification
from pytest_aibackend.serving.state import StateDir, sha256
from tests.stack.reloading import Deployment

OPEN = Verdict(reasons=(), findings=(), warnings=0, checks=11, skipped=0)


@dataclass
class Gateway:
    """Stands for the service and what it serves."""

    site: Deployment
    running: bool = True
    refuses: set[str] = field(default_factory=set)  # SHA-256 of what it does not serve
    broken: str = ""  # why it cannot be asked
    told: list[str] = field(default_factory=list)
    label = "a gateway"
    can_signal = True

    def state(self) -> ServiceState:
        return ServiceState(running=self.running, pid=None, detail="it sleeps")

    def environment(self) -> dict[str, str] | None:
        if self.broken:
            raise ServiceError(self.broken)
        return None

    def reload(self) -> None:
        self.told.append("reload")

    def restart(self) -> None:
        self.told.append("restart")

    def verify(self, *, raw: bytes, **_more: Any) -> Verification:
        reasons = ("it serves something else",) if sha256(raw) in self.refuses else ()
        return Verification(ok=not reasons, reasons=reasons, workers=2, seconds=0.0)


@dataclass
class Desk:
    """A deployment, its gateway, and somebody who reloads it."""

    site: Deployment
    gateway: Gateway
    capsys: pytest.CaptureFixture[str]

    def reload(self, **request: Any) -> tuple[int, Mapping[str, Any]]:
        self.capsys.readouterr()
        asked = {"canary": False, "assume_yes": True, "as_json": True, **request}
        status = run(Request(config_dir=self.site.dir, **asked))
        document = json.loads(self.capsys.readouterr().out)
        assert document["exit"] == status
        return status, document

    def change(self) -> tuple[bytes, str]:
        """Change the sources; return what is deployed, and the SHA-256 of what they give now."""
        self.site.serve("alpha", "gamma")
        return self.site.target.read_bytes(), self.reload(validate_only=True)[1]["new_sha256"]

    def leave(self, reached: Reached, *, new: bytes) -> Journal:
        """Leave what a run leaves that was killed: it was to put `new` in the place of what is deployed."""
        old = self.site.target.read_bytes()
        journal = Journal(self.site.state.path)
        journal.begin(target=self.site.target, before=old, old=old, new=new, approved_before="")
        journal.reach(reached, backup="litellm.yaml.backup-20261123_120000")
        if reached >= Reached.SWAPPED:
            self.site.target.write_bytes(new)
        return journal


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A deployment that is served."""
    deployed = Deployment(tmp_path / "config", deploy={"python": "/nowhere/python"})
    gateway = Gateway(deployed)
    monkeypatch.setattr(site, "service_of", lambda *_: gateway)
    monkeypatch.setattr(admission, "run_gate", lambda *_arguments, **_more: OPEN)
    monkeypatch.setattr("pytest_aibackend.deploy.verify.verify", gateway.verify)
    made = Desk(deployed, gateway, capsys)
    status, document = made.reload()
    assert (status, document["outcome"]) == (0, "deployed")
    gateway.told.clear()
    return made


def details(document: Mapping[str, Any]) -> dict[str, str]:
    return {step["name"]: step["detail"] for step in document["steps"]}


# -- the gateway


def test_what_is_served_is_kept_as_verified(desk: Desk) -> None:
    old, new = desk.change()
    status, document = desk.reload()
    assert (status, document["outcome"], desk.gateway.told) == (0, "deployed", ["reload"])
    assert details(document)["verify"] == f"http://127.0.0.1:{desk.site.port} serves it, 2 workers"
    assert desk.site.deployed_sha256() == new
    verified = desk.site.state.verified()
    assert verified is not None
    assert (verified.sha256, desk.site.state.approved()) == (new, "")
    assert [path.read_bytes() for path in desk.site.backups()] == [old]
    assert desk.site.leftovers() == []


def test_what_is_not_served_is_taken_back(desk: Desk) -> None:
    old, new = desk.change()
    desk.gateway.refuses = {new}
    status, document = desk.reload()
    assert (status, document["outcome"], desk.gateway.told) == (3, "rolled-back", ["reload", "reload"])
    assert document["reason"] == (
        "the gateway does not serve the candidate: it serves something else; "
        "the old configuration is back in place, and the gateway serves it again"
    )
    assert desk.site.target.read_bytes() == old
    assert desk.site.leftovers() == []


def test_a_gateway_that_serves_neither_is_restarted_and_then_told_of(desk: Desk) -> None:
    old, new = desk.change()
    desk.gateway.refuses = {new, sha256(old)}
    status, document = desk.reload()
    assert (status, document["outcome"]) == (4, "unhealthy")
    assert desk.gateway.told == ["reload", "reload", "restart"]
    assert document["reason"].endswith(
        "the old configuration is back in place, but the gateway is not well: it serves something else"
    )
    assert desk.site.target.read_bytes() == old


@pytest.mark.parametrize("is_well", [True, False], ids=["well", "unwell"])
def test_what_is_served_already_is_kept_once_it_is_verified(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, is_well: bool
) -> None:
    monkeypatch.setattr(site.Site, "is_served", lambda *_: True)
    (desk.site.state.path / "verified.json").unlink(missing_ok=True)
    desk.gateway.refuses = set() if is_well else {desk.site.deployed_sha256()}
    status, document = desk.reload()
    assert (status, document["outcome"], desk.gateway.told) == (0, "unchanged", [])
    verified = desk.site.state.verified()
    assert (verified.sha256 if verified else None) == (desk.site.deployed_sha256() if is_well else None)


# -- what an earlier run left


def test_a_killed_run_is_undone_beside_a_gateway_that_does_not_run(desk: Desk) -> None:
    old = desk.site.target.read_bytes()
    desk.leave(Reached.SWAPPED, new=b"model_list: []\n")
    desk.gateway.running = False
    status, document = desk.reload()
    assert (status, document["outcome"]) == (0, "unchanged")
    (recovered,) = document["recovered"]
    assert "was killed after 'swapped'" in recovered
    assert recovered.endswith("the old configuration is back in place; the gateway does not run")
    assert desk.site.target.read_bytes() == old
    assert desk.gateway.told == []


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "damaged"])
def test_a_verified_run_is_finished_and_damaged_bytes_are_not_kept(desk: Desk, *, is_whole: bool) -> None:
    before = desk.site.state.verified()
    new = desk.site.target.read_bytes().replace(b"beta", b"gamma")
    desk.leave(Reached.VERIFIED, new=new)
    if not is_whole:
        (desk.site.state.path / "journal.new").write_bytes(b"half")
    status, document = desk.reload(restore="litellm.yaml.backup-20261123_120000")  # which is not there
    assert status == 2
    assert document["recovered"][0].endswith("what it deployed had been verified, and stays")
    verified = desk.site.state.verified()
    assert before is not None
    assert verified is not None
    assert verified.sha256 == (sha256(new) if is_whole else before.sha256)
    assert desk.site.target.read_bytes() == new
    assert desk.site.leftovers() == []


def test_old_bytes_that_are_damaged_are_not_put_back(desk: Desk) -> None:
    new = b"model_list: []\n"
    desk.leave(Reached.SWAPPED, new=new)
    (desk.site.state.path / "journal.old").write_bytes(b"half")
    status, document = desk.reload()
    assert (status, document["outcome"]) == (2, "unusable")
    assert document["reason"] == (
        f"the copy of the old bytes of {desk.site.target} is damaged; "
        "the backup litellm.yaml.backup-20261123_120000 has them"
    )
    assert desk.site.target.read_bytes() == new
    assert Journal(desk.site.state.path).load() is not None, "the next run must not take it for done"


def test_a_journal_that_cannot_be_understood_is_put_aside(desk: Desk) -> None:
    note = desk.site.state.path / "journal.json"
    note.write_text("{")
    status, document = desk.reload()
    assert (status, document["outcome"]) == (0, "unchanged")
    assert document["notes"] == [
        f"{note} cannot be understood; it is put aside, and what an earlier run did is left as it is"
    ]
    assert not note.exists()


def test_validating_leaves_what_a_killed_run_left(desk: Desk) -> None:
    desk.leave(Reached.BACKED_UP, new=b"model_list: []\n")
    status, document = desk.reload(validate_only=True)
    assert (status, document["outcome"]) == (0, "valid")
    (note,) = document["notes"]
    assert "was killed after 'backed up'" in note
    assert note.endswith("the next reload will finish or undo it")
    assert Journal(desk.site.state.path).load() is not None


def test_a_trouble_after_the_verification_does_not_undo_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, new = desk.change()
    keep = StateDir.keep_verified
    tries: list[str] = []

    def full_at_first(state: StateDir, raw: bytes, *, by: str) -> None:
        tries.append(by)
        if len(tries) == 1:
            raise OSError(28, "No space left on device", "verified.yaml")
        keep(state, raw, by=by)

    monkeypatch.setattr(StateDir, "keep_verified", full_at_first)
    status, document = desk.reload()
    assert (status, document["outcome"]) == (0, "deployed")
    assert document["reason"] == "verified.yaml: No space left on device"
    assert document["notes"] == ["what it deployed had been verified, and stays"]
    assert desk.site.deployed_sha256() == new
    assert desk.site.leftovers() == []


# -- files that are in the way


def test_an_old_backup_that_cannot_be_deleted_is_told(desk: Desk) -> None:
    desk.site.settings["retention"] = {"recent": 1, "daily": 0, "weekly": 0}
    desk.site.write("gateway.yaml", desk.site.gateway_yaml())
    stuck = desk.site.backup_dir / "litellm.yaml.backup-20200101_000000"
    stuck.mkdir(parents=True)
    desk.change()
    status, document = desk.reload()
    assert (status, document["outcome"]) == (0, "deployed")
    assert [note for note in document["notes"] if stuck.name in note] == [
        f"the old backup {stuck.name} could not be deleted: Is a directory"
    ]


def test_a_state_file_that_cannot_be_used_is_named(desk: Desk) -> None:
    note = desk.site.state.path / "journal.json"
    note.mkdir()
    assert desk.reload()[1]["reason"] == f"{note}: Is a directory"
    note.rmdir()
    history = desk.site.state.path / "history.jsonl"
    history.unlink()
    history.mkdir()
    status, document = desk.reload()
    assert (status, document["outcome"]) == (0, "unchanged")
    assert document["notes"] == ["the history could not be written: Is a directory"]


def test_without_the_place_of_the_deployed_file_nothing_is_restored(desk: Desk) -> None:
    (desk.site.dir / "gateway.yaml").write_text("deploy: [\n")
    status, document = desk.reload(restore="litellm.yaml.backup-20261123_120000")
    assert (status, document["outcome"]) == (2, "unusable")
    assert "gateway.yaml:" in document["reason"]
    assert document["reason"].endswith("where the gateway's file is deployed cannot be known")


# -- what has to be passed


def test_a_refused_backup_is_one_of_several(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = desk.change()
    assert desk.reload()[0] == 0
    (backup,) = desk.site.backups()
    shut = Verdict(reasons=("2 of 11 checks failed",), findings=(), warnings=0, checks=9, skipped=0)
    monkeypatch.setattr(admission, "run_gate", lambda *_arguments, **_more: shut)
    assert backup.read_bytes() == old
    status = run(Request(config_dir=desk.site.dir, canary=False, assume_yes=True, restore=backup.name))
    said = desk.capsys.readouterr().err
    assert status == 1
    assert "error: the gate refused it: 2 of 11 checks failed" in said
    assert "hint: nothing was touched; choose another backup: aibackend backups list" in said
    assert desk.site.deployed_sha256() == new


def test_a_cache_that_does_not_answer_counts_only_where_the_change_brings_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = desk.change()
    troubles: dict[bytes, str] = {}
    monkeypatch.setattr(
        "pytest_aibackend.deploy.verify.cache_trouble",
        lambda raw, _environment: "the cache is silent" if raw != old else troubles.get(raw),
    )
    status, document = desk.reload()
    assert (status, document["outcome"], document["reason"]) == (1, "refused", "the cache is silent")
    assert desk.site.target.read_bytes() == old
    troubles[old] = "the cache is silent"
    status, document = desk.reload()
    assert (status, document["outcome"]) == (0, "deployed")
    assert document["notes"] == ["the cache is silent; it is not this change that it comes from"]
    assert desk.site.deployed_sha256() == new


def test_a_canary_that_is_asked_for_must_be_there(desk: Desk) -> None:
    status, document = desk.reload(validate_only=True, canary=True)
    assert (status, document["outcome"]) == (2, "unusable")
    assert document["reason"] == "there is no LiteLLM to try the candidate with"
    status, document = desk.reload(validate_only=True, canary=None)
    assert (status, document["outcome"]) == (0, "valid")
    desk.change()
    status, document = desk.reload(canary=None)
    assert (status, details(document)["canary"]) == (0, "LiteLLM is not installed here")


@pytest.mark.parametrize("broken", ["", "systemd is away"])
def test_the_canary_has_the_environment_of_the_gateway_or_ours(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    given: list[Mapping[str, str]] = []
    closed: list[str] = []

    class Bird:
        def __init__(self, python: str, environment: Mapping[str, str], *, directory: Path) -> None:
            assert (python, directory) == ("/a/python", desk.site.dir)
            given.append(environment)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_details: object) -> None:
            closed.append("closed")

        def try_out(self, raw: bytes, _tell: Callable[[str], None]) -> CanaryResult:
            problems = ("it does not boot",) if b"gamma" in raw else ()
            return CanaryResult(
                ok=not problems, problems=problems, seconds=1.0, boot_seconds=0.5, groups=2, deployments=3
            )

    monkeypatch.setattr(client, "find_litellm", lambda _python: "/a/python")
    monkeypatch.setattr(client, "Canary", Bird)
    monkeypatch.setenv("A_VARIABLE_OF_OURS", "1")
    desk.gateway.broken = broken
    status, document = desk.reload(validate_only=True, canary=True)
    assert (status, document["outcome"]) == (0, "valid")
    assert details(document)["canary"] == "LiteLLM serves 2 model groups, 3 deployments"
    desk.gateway.broken = ""
    old, _ = desk.change()
    status, document = desk.reload(canary=None)
    assert (status, document["reason"]) == (1, "the canary refused it: it does not boot")
    assert desk.site.target.read_bytes() == old
    assert {environment["A_VARIABLE_OF_OURS"] for environment in given} == {"1"}
    assert closed == ["closed"] * len(given)
