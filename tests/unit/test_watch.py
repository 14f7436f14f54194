"""When a watch takes a change for complete."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.watch.sources import SOURCES, Debounce, Fingerprint, changed_sources, fingerprint

QUIET_S, PATIENCE_S = 1.0, 5.0
AWAY: Fingerprint = (None, None)
hashes = st.sampled_from([None, "a", "b"])
# Time passes between two looks; now and then so much that whatever was seen has come to rest.
looks = st.lists(
    st.tuples(st.sampled_from([0.25, 0.5, 2.0, 6.0]), st.tuples(hashes, hashes)), min_size=1, max_size=30
)


def replay(steps: list[tuple[float, Fingerprint]]) -> list[tuple[float, bool, Fingerprint]]:
    """Return each look: when, whether it was to be acted upon, what was seen."""
    debounce = Debounce(quiet_s=QUIET_S, patience_s=PATIENCE_S)
    seen, now = [], 0.0
    for pause, state in steps:
        now += pause
        seen.append((now, debounce.see(now, state), state))
    return seen


@given(looks)
def test_only_what_has_come_to_rest_is_acted_upon(steps: list[tuple[float, Fingerprint]]) -> None:
    seen = replay(steps)
    acted: Fingerprint = AWAY
    for place, (now, is_due, state) in enumerate(seen):
        if not is_due:
            continue
        since = place
        while since and seen[since - 1][2] == state:
            since -= 1
        lost = any(old and not new for old, new in zip(acted, state, strict=True))
        assert now - seen[since][0] >= (PATIENCE_S if lost else QUIET_S)
        assert state != AWAY
        acted = state


@given(looks)
def test_no_state_is_acted_upon_twice_running(steps: list[tuple[float, Fingerprint]]) -> None:
    acted = [state for _, is_due, state in replay(steps) if is_due]
    assert all(one != next_one for one, next_one in pairwise(acted))


@given(looks, st.tuples(hashes, hashes))
def test_whatever_happened_the_last_state_is_the_one_acted_upon(
    steps: list[tuple[float, Fingerprint]], last: Fingerprint
) -> None:
    rest = [(0.25, last)] * int(PATIENCE_S / 0.25 + 2)
    acted = [state for _, is_due, state in replay([*steps, *rest]) if is_due]
    before = [state for _, is_due, state in replay(steps) if is_due]
    if last == AWAY:
        assert acted == before
    else:
        assert acted[-1] == last
        assert len(acted) - len(before) <= 1  # while it rests, once at most


def test_the_same_state_can_be_asked_for_again() -> None:
    debounce = Debounce(quiet_s=QUIET_S, patience_s=PATIENCE_S)
    assert [debounce.see(now, ("a",)) for now in (0.0, 1.0, 2.0)] == [False, True, False]
    debounce.again()
    assert [debounce.see(now, ("a",)) for now in (3.0, 4.0)] == [True, False]


def test_the_text_counts_and_nothing_else(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "nowhere") == fingerprint(tmp_path) == (None,) * len(SOURCES)
    providers = tmp_path / "providers.yaml"
    providers.write_text("a: 1\n")
    first = fingerprint(tmp_path)
    assert [name for name, seen in zip(SOURCES, first, strict=True) if seen] == ["providers.yaml"]

    os.utime(providers, (0, 0))
    other = tmp_path / "other"
    other.write_text("a: 1\n")
    other.replace(providers)
    (tmp_path / "4913").touch()
    (tmp_path / "litellm-unified.yaml").write_text("b: 1\n")
    assert fingerprint(tmp_path) == first

    # Same size, and on many systems the same time stamp.
    providers.write_text("a: 2\n")
    assert changed_sources(first, fingerprint(tmp_path)) == ["providers.yaml"]
    assert changed_sources(None, first) == []


def test_what_is_no_text_is_missing(tmp_path: Path) -> None:
    (tmp_path / "providers.yaml").mkdir()
    (tmp_path / "model-mappings.yaml").touch()
    os.mkfifo(tmp_path / "ports.yaml")
    (tmp_path / "gateway.yaml").symlink_to("gateway.yaml")
    assert not any(fingerprint(tmp_path))
    (tmp_path / "gateway.yaml").unlink()
    (tmp_path / "gateway.yaml").symlink_to("/proc/self/mem")  # which even root cannot read
    assert not any(fingerprint(tmp_path))
