"""Data comes back from the emitted YAML as it went in."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.litellm.yaml_emit import emit

TIMES = st.dates() | st.datetimes()
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12) | TIMES
)
WORDS = """off 4.6 1e3 1_000 0x1F 12:30 2025-01-01 ~ * &a !x café 模型 é😀 ' " \\ {} = << null Yes y: -"""
TRICKY = st.sampled_from([*WORDS.split(), "", " a", "a: b", "a #b", "- a", "\u2028", "\x85", "\x00", "a\nb"])
DATA = st.dictionaries(
    TRICKY | st.text(max_size=8),
    st.recursive(
        SCALARS | TRICKY,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(TRICKY | st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


@given(DATA)
def test_round_trip(data: dict[str, Any]) -> None:
    assert yaml.safe_load(emit(data)) == (data or None)


def test_shape() -> None:
    data = {
        "list": [{"name": "a", "params": {"b": 1}}, ["x", []], {}],
        "empty": {},
        "date": dt.date(2025, 1, 2),
        "floats": [math.nan, math.inf, -math.inf, 1e20],
    }
    assert emit(data).splitlines() == [
        "list:", "  - name: a", "    params:", "      b: 1", "  - - x", "    - []", "  - {}",
        "empty: {}", "date: 2025-01-02",
        "floats:", "  - .nan", "  - .inf", "  - -.inf", "  - 1.0e+20",
    ]  # fmt: skip


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no plain form"):
        emit({"a": {1}})
