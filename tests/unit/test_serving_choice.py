"""Which bytes a starting gateway loads, over every combination of what may be found."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from pytest_aibackend.serving.choice import DEPLOYED, VERIFIED, NothingToServeError, choose
from pytest_aibackend.serving.state import StateDir, sha256

A, B, C = (f"model_list: []  # {name}\n".encode() for name in "abc")
DEPLOYABLE = (A, B, C, b"", None, "a directory")
KEPT = (None, A, "damaged", "without its note")
APPROVED = (None, A, B)
UNSTARTABLE = (None, B)


@pytest.mark.parametrize("deployed", DEPLOYABLE)
def test_nothing_is_loaded_that_nobody_has_verified_or_approved(
    tmp_path: Path, deployed: bytes | str | None
) -> None:
    for number, (kept, approved, unstartable) in enumerate(product(KEPT, APPROVED, UNSTARTABLE)):
        folder = tmp_path / str(number)
        state = StateDir(folder / "state")
        state.create()
        file = folder / "deployed.yaml"
        if isinstance(deployed, bytes):
            file.write_bytes(deployed)
        elif deployed is not None:
            file.mkdir()
        if kept is not None:
            state.keep_verified(A, by="reload")
        if kept == "damaged":
            state.verified_file.write_bytes(C)
        if kept == "without its note":
            (state.path / "verified.json").unlink()
        if approved is not None:
            state.approve(sha256(approved))
        if unstartable is not None:
            state.note_unstartable(sha256(unstartable))  # which takes the approval away
        assert_chosen_well(
            state,
            file,
            deployed if isinstance(deployed, bytes) else None,
            verified=A if kept == A else None,
            approved=approved if unstartable is None else None,
        )


def assert_chosen_well(
    state: StateDir, file: Path, deployed: bytes | None, *, verified: bytes | None, approved: bytes | None
) -> None:
    if verified is None and deployed is None:
        with pytest.raises(NothingToServeError, match="deploy a configuration with `aibackend reload`"):
            choose(state, file)
        return
    choice = choose(state, file)
    raw = choice.path.read_bytes()
    assert sha256(raw) == choice.sha256
    if verified is None or (deployed is not None and deployed in (verified, approved)):
        assert (choice.path, choice.source, raw) == (file, DEPLOYED, deployed)
        assert choice.reason == choice.refused_sha256 == ""
    else:
        assert (choice.path, choice.source, raw) == (state.verified_file, VERIFIED, verified)
        assert str(file) in choice.reason
        assert choice.refused_sha256 == ("" if deployed is None else sha256(deployed))


def test_the_reason_tells_a_start_that_failed_from_a_change_past_the_reload(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "state")
    state.create()
    state.keep_verified(A, by="reload")
    file = tmp_path / "deployed.yaml"
    file.write_bytes(B)
    assert choose(state, file).reason == (
        f"{file} was changed past `aibackend reload`: nobody has verified it"
    )
    state.approve(sha256(B))
    state.note_unstartable(sha256(B))
    assert state.approved() == ""
    assert choose(state, file).reason == f"{file} was approved, and the gateway does not start on it"
    state.approve(sha256(B))  # the next reload tries again
    assert choose(state, file).source == DEPLOYED
