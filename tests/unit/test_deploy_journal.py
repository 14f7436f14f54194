"""The journal: what a run that was killed leaves behind decides what is done about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.journal import Action, Entry, Journal, Reached, plan_recovery

OLD, NEW, VERIFIED, FOREIGN = ("old", "new", "verified", "foreign")
FILES = (None, OLD, NEW, VERIFIED, FOREIGN)  # SHA-256 in short; None: there is no file


def entry(reached: Reached, before: str | None, old: str | None) -> Entry:
    return Entry(
        pid=1,
        user="somebody",
        started="2026-01-01T00:00:00+00:00",
        reached=reached,
        target="litellm.yaml",
        before_sha256=before,
        old_sha256=old,
        new_sha256=NEW,
        approved_before="",
    )


@st.composite
def killed(draw: st.DrawFn) -> tuple[Entry, str | None]:
    """A run that was killed, and what is deployed then if nobody else touched it."""
    # What is returned to is what was deployed; or, where that is the candidate already or nothing, what was
    # verified last, if there is such a thing.
    before = draw(st.sampled_from((None, OLD, NEW)))
    old = OLD if before == OLD else draw(st.sampled_from((before, VERIFIED)))
    reached = draw(st.sampled_from(Reached))
    if reached < Reached.SWAPPED:
        deployed = draw(st.sampled_from((before, NEW) if reached >= Reached.INTENDED else (before,)))
    else:
        deployed = draw(st.sampled_from((NEW, old)))  # the old bytes: it was killed while it undid
    return entry(reached, before, old), deployed


@given(killed())
def test_a_killed_run_is_always_undone_or_finished(run: tuple[Entry, str | None]) -> None:
    told, deployed = run
    action = plan_recovery(told, deployed)
    if told.reached is Reached.VERIFIED:
        assert action is Action.FINISH
    elif deployed == NEW and told.before_sha256 != NEW:
        assert action is Action.UNDO, "a candidate that nobody verified never stays"
    elif told.reached < Reached.SWAPPED:
        assert action is Action.NOTHING
    else:
        assert action in (Action.UNDO, Action.SIGNAL), "the gateway may have loaded the candidate"


@given(killed())
def test_recovery_killed_half_way_is_taken_up_again(run: tuple[Entry, str | None]) -> None:
    """After the old bytes are back, the same journal never asks for the candidate or for another swap."""
    told, deployed = run
    if plan_recovery(told, deployed) is Action.UNDO:
        again = plan_recovery(told, told.old_sha256)
        if told.old_sha256 == NEW:
            assert again is Action.UNDO  # there is nothing else to return to
        elif told.reached >= Reached.SWAPPED:
            assert again is Action.SIGNAL
        else:
            assert again in (Action.NOTHING, Action.SIGNAL)


@given(
    st.sampled_from([reached for reached in Reached if reached < Reached.VERIFIED]),
    st.sampled_from((None, OLD, NEW)),
)
def test_what_somebody_else_deployed_since_is_kept(reached: Reached, before: str | None) -> None:
    assert plan_recovery(entry(reached, before, before), FOREIGN) is Action.KEEP


@given(
    before=st.none() | st.binary(max_size=50),
    old=st.none() | st.binary(max_size=50),
    new=st.binary(max_size=50),
    reached=st.sampled_from(Reached),
)
def test_the_journal_gives_back_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory,
    before: bytes | None,
    old: bytes | None,
    new: bytes,
    reached: Reached,
) -> None:
    state = tmp_path_factory.mktemp("state")
    written = Journal(state)
    written.begin(target=state / "x", before=before, old=old, new=new, approved_before="abc")
    written.reach(reached, backup="litellm.yaml.backup-20260101_000000")
    read = Journal(state)
    assert read.load() == written.entry
    assert (read.old, read.new) == (old, new)
    assert {path.stat().st_mode & 0o777 for path in state.iterdir()} == {0o600}
    read.forget()
    assert [*state.iterdir()] == []
    assert Journal(state).load() is None


def test_damaged_copies_are_not_returned(tmp_path: Path) -> None:
    Journal(tmp_path).begin(target=tmp_path / "x", before=b"a", old=b"a", new=b"b", approved_before="")
    (tmp_path / "journal.old").write_bytes(b"something else")
    journal = Journal(tmp_path)
    assert journal.load() is not None
    assert journal.old is None
    assert journal.new == b"b"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 2}', '{"schema_version": 1}'])
def test_a_journal_that_cannot_be_understood_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "journal.json").write_text(text)
    with pytest.raises(ValueError, match=r"journal\.json cannot be understood"):
        Journal(tmp_path).load()
