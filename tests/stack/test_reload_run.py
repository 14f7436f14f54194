"""A reload from beginning to end against a gateway that runs: what is deployed, what is not, what is said."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_aibackend.deploy.site import master_key
from pytest_aibackend.litellm.command import generate
from pytest_aibackend.serving.state import sha256
from tests.stack.embedded import files_in
from tests.stack.forked_reload import ForkedReloads
from tests.stack.reloading import COMMAND, KEY, Deployment, deployment, environment
from tests.waiting import wait_until

CLI = COMMAND[:-1]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Deployment]:
    with deployment(tmp_path / "site") as made:
        yield made


@pytest.fixture(scope="module")
def reloads() -> Iterator[ForkedReloads]:
    with ForkedReloads() as made:
        yield made


@pytest.fixture
def running(site: Deployment, reloads: ForkedReloads) -> Deployment:
    """A deployment whose gateway runs and serves what is deployed and verified."""
    assert reloads.reload(site).status == 0
    site.start()
    assert reloads.reload(site).status == 0
    return site


def test_a_change_is_deployed_backed_up_and_served(running: Deployment) -> None:
    old = running.target.read_bytes()
    running.target.chmod(0o640)
    running.serve("alpha", "gamma")
    run = running.reload("--json")
    assert run.status == 0, run
    document = run.document
    assert document["outcome"] == "deployed"
    assert (document["old_sha256"], document["new_sha256"]) == (sha256(old), running.deployed_sha256())
    assert document["diff"]["added"] > 0
    assert {("name-added", "gamma"), ("name-removed", "beta")} <= {
        (change["rule"], change["subject"]) for change in document["changes"]
    }
    steps = {step["name"]: step["status"] for step in document["steps"]}
    assert list(steps) == ["generate", "gate", "canary", "backup", "swap", "signal", "verify"]
    assert [name for name, status in steps.items() if status != "passed"] == ["canary"]
    assert running.served_sha256() == running.deployed_sha256()
    assert running.target.stat().st_mode & 0o777 == 0o640
    (backup,) = running.backups()
    assert backup.name == document["backup"]
    assert backup.read_bytes() == old
    verified = running.state.verified()
    assert verified is not None
    assert (verified.sha256, verified.by) == (running.deployed_sha256(), "reload")
    assert running.leftovers() == []
    assert run.err == ""


def test_nothing_changed_means_nothing_is_touched(running: Deployment) -> None:
    before = {path: path.stat().st_mtime_ns for path in running.dir.rglob("*.yaml*")}
    run = running.reload()
    assert run.status == 0, run
    assert "unchanged: nothing to do" in run.out
    assert {path: path.stat().st_mtime_ns for path in running.dir.rglob("*.yaml*")} == before
    assert running.backups() == []
    assert running.history()[-1]["outcome"] == "unchanged"


def test_a_deployed_file_that_nobody_serves_is_made_to_be_served(
    running: Deployment, reloads: ForkedReloads
) -> None:
    """`aibackend generate` writes the deployed file in its place: the reload has yet to be done."""
    verified = running.target.read_bytes()
    running.serve("alpha", "gamma")
    generate(running.dir, check=False, output=None)
    run = reloads.reload(running)
    assert (run.status, run.document["outcome"]) == (0, "deployed"), run
    assert running.served_sha256() == running.deployed_sha256()
    assert running.backups()[-1].read_bytes() == verified, "what had been served can be had back"
    running.serve("fault-unready")
    generate(running.dir, check=False, output=None)
    good = running.served_sha256()
    run = reloads.reload(running, verify_within_s=2.0)
    assert run.status == 3, run
    assert running.served_sha256() == running.deployed_sha256() == good


@pytest.mark.parametrize("service", ["none", "pidfile"])
def test_without_a_running_gateway_the_file_is_deployed_and_approved(
    tmp_path: Path, reloads: ForkedReloads, service: str
) -> None:
    kind = {"kind": service} | ({"pidfile": "run/litellm.pid"} if service == "pidfile" else {})
    with deployment(tmp_path / "site", deploy={"service": kind}) as site:
        site.state.create()
        site.state.keep_verified(b"model_list: [{model_name: old}]\n", by="reload")
        run = site.reload()
        assert run.status == 0, run
        words = {"none": "whoever runs the gateway has to reload it", "pidfile": "at its next start"}
        assert words[service] in run.out
        assert site.state.approved() == site.deployed_sha256()
        site.start()
        assert site.served_sha256() == site.deployed_sha256(), "at its start the gateway may load it"
        assert reloads.reload(site).status == 0
        verified = site.state.verified()
        assert verified is not None
        assert verified.sha256 == site.deployed_sha256(), "it is served, so it is verified now"


FAULTS = {
    "fault-die": 3,
    "fault-hang": 3,
    "fault-old-list": 3,
    "fault-ignore": 3,
    "fault-unready": 3,
    "fault-stubborn": 3,  # the signal does not help, the restart does
    "fault-exit": 4,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_candidate_that_does_not_serve_is_rolled_back(
    running: Deployment, reloads: ForkedReloads, fault: str
) -> None:
    old = running.target.read_bytes()
    running.serve(fault, "other")
    status, document, *_ = reloads.reload(running, verify_within_s=2.0)
    assert status == document["exit"] == FAULTS[fault], document
    assert document["outcome"] == ("rolled-back" if status == 3 else "unhealthy")
    assert document["reason"].startswith("the gateway does not serve the candidate: ")
    assert running.target.read_bytes() == old
    assert running.leftovers() == []
    assert running.state.approved() == ""
    verified = running.state.verified()
    assert verified is not None
    assert verified.sha256 == sha256(old)
    if status == 3:
        assert running.served_sha256() == sha256(old)
    assert any(step["name"] == "restart" for step in document["steps"]) == (
        fault in ("fault-stubborn", "fault-exit")
    )
    running.serve("alpha", "next")
    if status == 4:
        running.stop()
        running.start()
    assert reloads.reload(running).status == 0, "the next good change goes through"


def test_a_first_deployment_that_fails_leaves_no_file(site: Deployment, reloads: ForkedReloads) -> None:
    site.target.write_text("model_list: []\n")
    site.start()
    site.target.unlink()
    site.state.verified_file.unlink(missing_ok=True)
    site.serve("fault-unready")
    run = reloads.reload(site, verify_within_s=1.0)
    assert run.status == 4, run
    assert not site.target.exists()


REFUSING = """
from pytest_aibackend.deploy.service import ServiceError
from pytest_aibackend.deploy.service.pidfile import PidfileService
def refuse(self):
    raise ServiceError("systemctl says no; ask it why")
PidfileService.reload = PidfileService.restart = refuse
"""


def test_a_service_that_refuses_is_rolled_back(running: Deployment, reloads: ForkedReloads) -> None:
    """The service manager refuses to signal: the gateway was never told, and nothing is lost."""
    old = running.deployed_sha256()
    running.serve("alpha", "gamma")
    run = reloads.reload(running, code=REFUSING)
    assert run.status == 3, run
    assert run.document["reason"].startswith("systemctl says no; ask it why; the old configuration is back")
    assert running.deployed_sha256() == running.served_sha256() == old
    assert running.leftovers() == []


def test_a_broken_file_that_somebody_deployed_is_replaced(
    running: Deployment, reloads: ForkedReloads
) -> None:
    """It is no backup, for it could never be restored; the way back leads to what was verified."""
    verified = running.target.read_bytes()
    running.target.write_text("model_list: [\n")
    running.serve("alpha", "fault-unready")
    assert reloads.reload(running, verify_within_s=1.0).status == 3
    assert running.target.read_bytes() == verified
    assert (running.state.path / "replaced.yaml").read_text() == "model_list: [\n"
    assert [path.read_bytes() for path in running.backups()] == [verified]


def test_a_backup_is_restored_though_the_sources_are_broken(
    running: Deployment, reloads: ForkedReloads
) -> None:
    """It goes through the gate and the swap like everything else; that the sources differ is said."""
    old = running.deployed_sha256()
    running.serve("alpha", "gamma")
    assert reloads.reload(running).status == 0
    (name,) = (path.name for path in running.backups())
    (running.dir / "providers.yaml").write_text("providers: [\n")
    assert reloads.reload(running, gate=True).status == 1
    run = reloads.reload(running, gate=True, restore=name)
    assert (run.status, run.document["findings"]) == (0, []), run
    assert running.deployed_sha256() == running.served_sha256() == old
    assert len(running.backups()) == 2, "what it replaced is a backup now"
    running.serve("alpha", "beta", "gamma")
    again = reloads.reload(running, gate=True, restore=name)
    assert again.document["outcome"] == "unchanged"
    assert again.document["notes"] == [
        "the sources say otherwise still: the next reload deploys what they say"
    ]
    assert reloads.reload(running, restore="litellm.yaml.backup-20200101_000000").status == 2
    backup = running.backup_dir / name
    backup.write_bytes(backup.read_bytes() + b"#")
    assert reloads.reload(running, restore=name).status == 1
    assert running.deployed_sha256() == old


BUG = """
from pytest_aibackend.deploy import {module}
def broken(*_arguments, **_more):
    raise RuntimeError("a thing that cannot happen")
{module}.{function} = broken
"""


@pytest.mark.parametrize(
    ("module", "function", "status"), [("pipeline", "read_deployed", 2), ("transaction", "_verify", 4)]
)
def test_a_bug_of_ours_is_shown_as_one(
    running: Deployment, reloads: ForkedReloads, module: str, function: str, status: int
) -> None:
    """Before the swap it is exit 2; after it the old bytes come back, even if the way back is broken, too."""
    old = running.deployed_sha256()
    running.serve("alpha", "gamma")
    run = reloads.reload(running, code=BUG.format(module=module, function=function))
    assert run.status == status, run
    assert "a bug: RuntimeError: a thing that cannot happen" in run.document["reason"]
    assert "Traceback" in run.err
    assert running.deployed_sha256() == old
    running.serve("alpha", "delta")
    after = reloads.reload(running)
    assert after.status == 0
    assert [("could not be undone (a bug" in text) for text in after.document["recovered"]] == [True] * (
        status == 4
    )
    assert running.served_sha256() == running.deployed_sha256()
    assert running.leftovers() == []


def test_validate_only_touches_nothing(running: Deployment) -> None:
    before = running.target.read_bytes()
    running.serve("alpha", "gamma")
    run = running.reload("--validate-only")
    assert run.status == 0, run
    assert "valid: nothing was touched" in run.out
    assert "+gamma" in run.out
    assert running.target.read_bytes() == before
    assert running.backups() == []
    assert running.leftovers() == []
    running.write("model-mappings.yaml", {"exact_matches": {"alpha": {"provider": "nobody"}}})
    assert running.reload("--validate-only").status == 1


def test_a_failed_swap_touches_nothing(running: Deployment, reloads: ForkedReloads) -> None:
    """The deployed file's directory refuses the new one: exit 2, and the old one is served."""
    old = running.deployed_sha256()
    running.serve("alpha", "gamma")
    (running.dir / f".{running.target.name}.reload.tmp").mkdir()
    run = reloads.reload(running)
    assert run.status == 2, run
    assert "cannot be written" in run.document["reason"]
    assert running.deployed_sha256() == running.served_sha256() == old
    assert not (running.state.path / "journal.json").exists()


def answer(site: Deployment, text: bytes, *options: str) -> tuple[int, str]:
    """Reload on a terminal, where the question is answered."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [*COMMAND, *site.arguments(*options)], environment())
    shown = b""
    is_answered = False
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
            if b"[y/N]" in shown and not is_answered:
                os.write(terminal, text)
                is_answered = True
    except OSError:
        pass  # the terminal ends with its last process
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


@pytest.mark.parametrize(
    ("text", "status"), [(b"y\n", 0), (b"yes\n", 0), (b"n\n", 1), (b"\n", 1), (b"what\n", 1), (b"\x04", 1)]
)
def test_on_a_terminal_it_asks(site: Deployment, reloads: ForkedReloads, text: bytes, status: int) -> None:
    assert reloads.reload(site).status == 0
    old = site.deployed_sha256()
    site.serve("alpha", "gamma")
    seen, shown = answer(site, text)
    assert seen == status, shown
    assert "deploy it to" in shown
    assert (site.deployed_sha256() == old) == (status == 1)
    assert site.history()[-1]["outcome"] == ("declined" if status else "deployed")
    assert len(site.backups()) == 1 - status


def test_an_interrupted_question_is_no_answer(site: Deployment) -> None:
    status, shown = answer(site, b"\x03")
    assert status == 130, shown
    assert "interrupted by SIGINT; nothing was touched" in shown
    assert not site.target.exists()


def test_yes_is_not_asked(site: Deployment) -> None:
    assert answer(site, b"", "--force")[0] == 0
    site.serve("alpha", "gamma")
    status, shown = answer(site, b"", "--yes")
    assert (status, "[y/N]" in shown) == (0, False), shown


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("no-config", "there is no configuration directory"),
        ("target-directory", "is a directory"),
        ("target-parent", "there is no directory"),
        ("state-file", "the state directory"),
        ("no-pidfile", "has no 'pidfile'"),
    ],
)
def test_wrong_usage_or_environment(tmp_path: Path, harm: str, words: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "target-parent": {"path": "nowhere/litellm.yaml"},
        "no-pidfile": {"service": {"kind": "pidfile"}},
        "state-file": {"state_dir": "taken"},
    }
    with deployment(tmp_path / "site", deploy=changes.get(harm)) as site:
        (site.dir / "taken").touch()
        if harm == "target-directory":
            site.target.mkdir()
        if harm == "no-config":
            site.dir.rename(tmp_path / "moved")
        run = site.reload()
        assert run.status == 2, run
        assert words in run.err
        assert "Traceback" not in run.err
        assert "hint: " in run.err or "; " in run.err


def test_the_second_exits_5_at_once_or_waits(running: Deployment) -> None:
    """The first one hangs in its verification; the second is told, a third waits for it."""
    running.serve("fault-unready")
    first = subprocess.Popen(
        [*COMMAND, *running.arguments("--verify-within", "8")],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until((running.state.path / "journal.json").exists)
    second = running.reload("--json")
    assert (second.status, second.document["outcome"]) == (5, "locked"), second
    assert f"aibackend reload, pid {first.pid} of " in second.err
    assert first.poll() is None, "it did not wait"
    assert running.history()[-1]["exit"] == 5
    running.serve("alpha", "beta")
    third = running.reload("--wait", "60")
    assert first.wait(timeout=60) == 3
    assert third.status == 0, third
    assert "waiting 60 s more for aibackend reload" in third.out
    assert running.leftovers() == []


def test_a_reader_that_goes_away_does_not_stop_it(running: Deployment) -> None:
    running.serve("alpha", "gamma")
    process = subprocess.Popen(
        [*COMMAND, *running.arguments()],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr as said:
        assert said.read() == b""
    assert process.wait(timeout=60) == 0
    assert running.served_sha256() == running.deployed_sha256()


WARM = """
from pytest_aibackend.deploy.canary.client import CanaryResult
class Warm:
    def try_out(self, raw, tell, *, within_s=90.0):
        tell("booting")
        problems = ("gamma is not served",) if b"gamma" in raw else ()
        return CanaryResult(
            ok=not problems, problems=problems, seconds=0.1, boot_seconds=0.1, groups=2, deployments=2
        )
canary = Warm()
"""


def test_a_warm_canary_decides(running: Deployment, reloads: ForkedReloads) -> None:
    """`watch` hands in a canary that is kept; what it refuses is not deployed."""
    old = running.deployed_sha256()
    running.serve("alpha", "gamma")
    run = reloads.reload(running, code=WARM, canary=None)
    assert (run.status, run.document["reason"]) == (1, "the canary refused it: gamma is not served")
    assert running.deployed_sha256() == old
    assert running.history()[-1]["canary"] == {"ok": False, "seconds": 0.1}
    running.serve("alpha", "delta")
    assert reloads.reload(running, code=WARM, canary=None).status == 0
    assert running.served_sha256() == running.deployed_sha256() != old


def test_history_is_shown_and_holds_no_secret(running: Deployment, reloads: ForkedReloads) -> None:
    secret = "sk-live-55555555abcdefgh"
    cache = {"cache": True, "cache_params": {"password": secret}}
    running.write("gateway.yaml", running.gateway_yaml() | {"litellm_settings": cache})
    refused = reloads.reload(running)
    assert refused.status == 1, refused
    running.write("gateway.yaml", running.gateway_yaml())
    running.target.write_text(
        f"general_settings: {{master_key: {secret}}}\nmodel_list: [{{model_name: a}}]\n"
    )
    replaced = running.reload()
    assert replaced.status == 0, replaced
    everything = [raw.decode() for raw in files_in(running.state.path).values()]
    for text in (str(refused), replaced.out, replaced.err, *everything):
        assert secret not in text
        assert KEY not in text
    shown = subprocess.run(
        [*CLI, "history", "--config", str(running.dir)], capture_output=True, text=True, check=True
    )
    lines = shown.stdout.splitlines()
    assert [line.split()[3:6] for line in lines[1:]] == [
        ["reload", "deployed", "0"],
        ["reload", "unchanged", "0"],
        ["reload", "refused", "1"],
        ["reload", "deployed", "0"],
    ]
    command = [*CLI, "history", "--config", str(running.dir), "--json", "-n", "1"]
    (record,) = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(record) == running.history()[-1]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("general_settings: {master_key: os.environ/OTHER}", "other"),
        ("general_settings: {master_key: sk-literal}", "sk-literal"),
        ("general_settings: {}", "usual"),
        ("model_list: []", "usual"),
        ("- x", "usual"),
        ("{", "usual"),
        ("general_settings: {master_key: os.environ/UNSET}", None),
    ],
)
def test_the_key_is_the_one_that_the_file_names(text: str, key: str | None) -> None:
    assert master_key(text.encode(), {"OTHER": "other", "LITELLM_MASTER_KEY": "usual"}) == key


def test_interrupted_in_the_gate(running: Deployment) -> None:
    """Ctrl-C while the checks run: nothing is touched, nothing is left, none of them goes on."""
    old = running.deployed_sha256()
    running.serve("alpha", "gamma")
    process = subprocess.Popen(
        [*COMMAND, *running.arguments()],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((running.state.path / "staging").exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said == "error: interrupted by SIGINT; nothing was touched\n"
    assert running.deployed_sha256() == old
    assert running.leftovers() == []
