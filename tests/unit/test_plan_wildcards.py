"""Regular expressions as wildcards, and which of two wildcards LiteLLM takes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.litellm.plan.wildcards import (
    InexpressibleError,
    example_of_both,
    matches,
    specificity,
    wildcard_of,
)


@pytest.mark.parametrize(
    ("pattern", "wildcard"),
    [
        (r"^Qwen/Qwen2\.5-Coder.*", "Qwen/Qwen2.5-Coder*"),
        (r"^meta-llama/.*", "meta-llama/*"),
        (r"^meta-llama/.*$", "meta-llama/*"),
        (r"gpt-4", "gpt-4*"),
        (r"^a.*b", "a*b*"),
        (r"^a.*?b.*", "a*b*"),
        (r".*", "*"),
        (r"^.*$", "*"),
        (r"^a.*.*", "a*"),
        (r"^50\+\$.*", "50+$*"),
        (r"", "*"),
    ],
)
def test_expressible(pattern: str, wildcard: str) -> None:
    found = wildcard_of(pattern)
    assert (found.text, found.wider) == (wildcard, None)


@pytest.mark.parametrize(
    ("pattern", "wildcard", "why"),
    [
        (r".*\.gguf$", "*.gguf", "does not anchor the end"),
        (r"^solidrust/dolphin.*AWQ$", "solidrust/dolphin*AWQ", "does not anchor the end"),
        (r"^Qwen/.+", "Qwen/*", "at least one character"),
    ],
)
def test_wider_than_written(pattern: str, wildcard: str, why: str) -> None:
    found = wildcard_of(pattern)
    assert found.text == wildcard
    assert found.wider is not None
    assert why in found.wider


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r".*:\d+[bB]$", r"repetition '\d+'"),
        (r"^[Qq]wen/.*", "character class '['"),
        (r"^(a|b)/.*", "group, alternative or flag '('"),
        (r"^a|b.*", "group, alternative or flag '|'"),
        (r"(?i)^qwen.*", "'('"),
        (r"^a.b.*", "unescaped dot"),
        (r"^ab?.*", "repetition 'b?'"),
        (r"^a{2}.*", "repetition 'a{2}'"),
        (r"^\w.*", "character class"),
        (r"^a\b.*", "anchor"),
        (r"^a\*.*", "literal '*'"),
        (r"^gpt-4$", "one name only"),
        (r"a^b.*", "'^'"),
        (r"^a$b.*", "'$'"),
    ],
)
def test_inexpressible(pattern: str, why: str) -> None:
    with pytest.raises(InexpressibleError) as caught:
        wildcard_of(pattern)
    assert why in str(caught.value)


def test_what_does_not_compile_is_an_error_of_its_own() -> None:
    with pytest.raises(re.error):
        wildcard_of("^(a")


LETTERS = st.text("ab/.-:", max_size=6)


@given(st.lists(st.sampled_from(["a", "b", "/", r"\.", r"\-", ".*"]), max_size=5), st.booleans(), LETTERS)
def test_an_exact_wildcard_matches_what_the_expression_matches(
    parts: list[str], end: bool, name: str
) -> None:
    pattern = "^" + "".join(parts) + ("$" if end else "")
    try:
        wildcard = wildcard_of(pattern)
    except InexpressibleError:
        assert end
        return
    wanted = re.match(pattern, name) is not None
    if wildcard.wider is None:
        assert matches(wildcard.text, name) is wanted
    elif wanted:
        assert matches(wildcard.text, name)


def test_the_longer_wildcard_is_tried_first() -> None:
    assert specificity("meta/llama*") > specificity("meta/*")
    assert specificity("*.gguf") > specificity("wild/*")


@pytest.mark.parametrize(
    ("one", "other"), [("a*", "ab*"), ("*.gguf", "wild/*"), ("a*b*c", "a*c*b"), ("*", "*")]
)
def test_an_example_matches_both(one: str, other: str) -> None:
    name = example_of_both(one, other)
    assert name is not None
    assert matches(one, name)
    assert matches(other, name)


def test_no_example_where_nothing_matches_both() -> None:
    assert example_of_both("a*", "b*") is None
    assert example_of_both("x/a*", "x/b*") is None
