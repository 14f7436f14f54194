"""YAML text to located data: what PyYAML reads we read alike, and nothing makes us raise."""

from __future__ import annotations

import datetime as dt
import string
from functools import reduce
from operator import getitem
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.yaml_text import Document, YamlProblem, parse

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False),
    st.dates(dt.date(1, 1, 1)),
    st.text(max_size=30),
    st.text(string.printable, max_size=30),
    st.sampled_from(
        ["yes", "on", "~", "1e3", "0x1f", "012", "1:30", "<<", "=", "*a", "&a", "!b", "- c", "#", ""]
    ),
)
KEYS = st.one_of(st.text(max_size=12), st.integers(-9, 9999), st.sampled_from(["a.b", "x:y", "yes", "1"]))
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def read(text: str | bytes) -> Document:
    document, problems = parse(text if isinstance(text, bytes) else text.encode())
    assert problems == []
    assert document is not None
    return document


def refused(text: str | bytes) -> YamlProblem:
    document, problems = parse(text if isinstance(text, bytes) else text.encode())
    assert document is None
    assert len(problems) == 1, problems
    return problems[0]


@pytest.fixture(params=[yaml.CSafeLoader, yaml.SafeLoader], ids=["libyaml", "python"])
def either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML has libyaml in most places, not in all."""
    monkeypatch.setattr(yaml_text, "_Loader", request.param)


def paths_of(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, item in inner for found in paths_of(item, (*path, key)))]


def dumped(data: Any, *, flow: bool | None = False) -> str:
    # Aliases are written for equal objects; they are tested on their own.
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return str(yaml.dump(data, Dumper=dumper, default_flow_style=flow, allow_unicode=True, sort_keys=False))


@settings(deadline=None)
@given(DATA, st.sampled_from([False, True, None]))
def test_reads_what_was_written(data: Any, flow: bool | None) -> None:
    text = dumped(data, flow=flow)
    # PyYAML itself loses a few control characters on the way; we are to read what it reads.
    assert read(text).data == yaml.safe_load(text)


@settings(deadline=None)
@given(st.dictionaries(KEYS, DATA, min_size=1, max_size=4))
def test_every_key_and_item_has_its_place(data: Any) -> None:
    text = dumped(data)
    data = yaml.safe_load(text)
    document = read(text)
    # YAML breaks lines also at NEL, LS and PS, which str.splitlines does, and at nothing else that it does.
    lines = text.replace("\x85", "\n").replace("\u2028", "\n").replace("\u2029", "\n").split("\n")
    for path in paths_of(data):
        parent = reduce(getitem, path[:-1], document.data)
        assert not path or path[-1] in document.marks[id(parent)], path
        line, column = document.locate(path)
        if path and isinstance(path[-1], str) and path[-1].isascii() and path[-1].isalpha():
            written = lines[line - 1][column - 1 :].lstrip("\"'? ")
            assert written.startswith(path[-1]), (path, lines[line - 1])


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text("{}[]:,-?&*!|>'\"%@`#~ \t\n\ra1<=\x00\ufeff", max_size=60)))
def test_never_raises(raw: bytes | str) -> None:
    document, problems = parse(raw if isinstance(raw, bytes) else raw.encode())
    assert (document is None) == bool(problems)
    for problem in problems:
        assert problem.message
        assert problem.hint
        assert problem.line is None or problem.line >= 1
        assert problem.column is None or problem.column >= 1


@settings(deadline=None)
@given(st.text("{}[]:,-&*'\"# \nab1", max_size=40))
def test_reads_as_pyyaml_or_refuses(text: str) -> None:
    document, _ = parse(text.encode())
    if document is not None:
        assert document.data == yaml.safe_load(text)


def test_duplicate_keys_are_all_named_with_both_lines() -> None:
    document, problems = parse(b"a: 1\nb:\n  c: 1\n  c: 2\na: 3\na: 4\n")
    assert document is None
    assert [(each.rule, each.line, each.column) for each in problems] == [
        ("duplicate-key", 4, 3),
        ("duplicate-key", 5, 1),
        ("duplicate-key", 6, 1),
    ]
    assert "line 3" in problems[0].message
    assert "line 1" in problems[1].message
    assert "line 1" in problems[2].message


def test_keys_that_differ_only_in_type_are_two() -> None:
    assert read("1: a\n'1': b\n").data == {1: "a", "1": "b"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "bom"])
def test_line_ends_and_byte_order_mark(end: str, mark: str) -> None:
    document = read(mark + end.join(["a: 1", "b:", "  - c: 2", "  - d"]) + end)
    assert document.data == {"a": 1, "b": [{"c": 2}, "d"]}
    assert document.locate(("a",)) == (1, 1)
    assert document.locate(("b", 0, "c")) == (3, 5)
    assert document.locate(("b", 1)) == (4, 5)
    assert document.locate(("b", 1, "no", "such")) == (4, 5)


def test_merge_keys_and_aliases() -> None:
    text = "base: &base {a: 1, b: 2}\none:\n  <<: *base\n  b: 3\ntwo: [*base, *base]\n"
    assert read(text).data == yaml.safe_load(text)
    assert read(text).locate(("one", "a")) == (1, 14)
    assert read(text).locate(("one", "b")) == (4, 3)
    assert read(text).locate(("two", 1)) == (5, 14)
    assert read(text).locate(("two", 1, "b")) == (1, 20)


@pytest.mark.parametrize(
    "merges",
    ["<<: *a\n  <<: *b", "<<: [*a, *b]", "<<: [*b, {x: 8}]\n  y: 9", "x: 7\n  <<: *c", "=: 1\n  <<: *c"],
)
def test_merges_win_as_in_pyyaml(merges: str) -> None:
    text = f"a: &a {{x: 1, y: 1}}\nb: &b {{y: 2, z: 2}}\nc: &c {{<<: *a, z: 3}}\nd:\n  {merges}\n"
    assert read(text).data == yaml.safe_load(text)


def test_the_last_of_equal_keys_is_kept_where_that_is_wanted() -> None:
    document, problems = parse(b"a: 1\nb: {c: 1, c: 2}\na: {d: 3}\n", keep_last=True)
    assert document is not None
    assert document.data == {"a": {"d": 3}, "b": {"c": 2}}
    assert document.locate(("a",)) == (3, 1)
    assert document.locate(("a", "d")) == (3, 5)
    assert document.locate(("b", "c")) == (2, 11)
    assert [(problem.rule, problem.line) for problem in problems] == [
        ("duplicate-key", 2),
        ("duplicate-key", 3),
    ]


@pytest.mark.parametrize(
    ("text", "rule", "line", "column"),
    [
        (b"", "empty-file", 1, 1),
        (b"# only a comment\n", "empty-file", 1, 1),
        (b"\xef\xbb\xbf", "empty-file", 1, 1),
        (b"a: 1\n---\nb: 2\n", "several-documents", 2, 1),
        (b"a: b\n\tc: d\n", "tab-indentation", 2, 1),
        (b"a:\n  b: 1\n\tc: 2\n", "tab-indentation", 3, 1),
        (b"a: 1\nb: \xe9t\xe9\n", "not-utf8", 2, 4),
        ("a: 1\n".encode("utf-16"), "not-utf8", 1, 1),
        (b"a: [1, 2\nb: 3\n", "yaml-syntax", 2, 2),
        (b"a: 'open\nb: 1\n", "yaml-syntax", 1, 4),
        (b"a: b: c\n", "yaml-syntax", 1, 5),
        (b"a: @b\n", "yaml-syntax", 1, 4),
        (b"a: 'open\n---\nb'\n", "yaml-syntax", 1, 4),
        (b"a: 1\nb: \x01\n", "yaml-syntax", 2, 4),
        (b"a: *b\n", "unknown-alias", 1, 4),
        (b"a: &a [*a]\n", "endless-alias", 1, 8),
        (b"a: &a 1\nb: &a 2\n", "duplicate-anchor", 2, 4),
        (b"a: &a {b: &a 2}\n", "duplicate-anchor", 1, 11),
        (b"a: !!python/object:os.system {}\n", "unknown-tag", 1, 4),
        (b"a: !vault x\n", "unknown-tag", 1, 4),
        (b"a: 2025-13-45\n", "unreadable-value", 1, 4),
        (b"a: 0x" + b"f" * 4000 + b"\n", "unreadable-value", 1, 4),
        (b"a: 1" + b":30" * 4000 + b"\n", "unreadable-value", 1, 4),
        (b"? [a]\n: b\n", "unusable-key", 1, 3),
        (b"a: &a [1]\n*a : b\n", "unusable-key", 2, 1),
        (b"a: {<<: 1}\n", "unusable-merge", 1, 9),
    ],
)
@pytest.mark.usefixtures("either_loader")
def test_refusals_have_their_place(text: bytes, rule: str, line: int, column: int) -> None:
    problem = refused(text)
    assert (problem.rule, problem.line, problem.column) == (rule, line, column), problem


@pytest.mark.usefixtures("either_loader")
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [(b"\xe9", "byte 0xe9 is not UTF-8"), (b"\x07", "U+0007"), (b"\xef\xbf\xbe", "U+FFFE")],
    ids=["latin-1", "bell", "no-character"],
)
def test_the_character_that_is_wrong_has_its_place(wrong: bytes, says: str, mark: bytes, end: str) -> None:
    before, after = f"é: éé{end}b: 'é", f"'{end}" + f"c: é{end}" * 9
    problem = refused(mark + before.encode() + wrong + after.encode())
    assert says in problem.message
    assert (problem.line, problem.column) == (2, 6)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("password: *hunter2", "unknown-alias"),
        ("password: !hunter2 x", "unknown-tag"),
        ("password: !hunter2 [x]", "unknown-tag"),
        ("password: !!int hunter2", "unreadable-value"),
        ("api_keys:\n  - *hunter2", "unknown-alias"),
        ("api_keys: [[!hunter2 x]]", "unknown-tag"),
        ("credentials: {first: !!float hunter2}", "unreadable-value"),
    ],
)
def test_what_stands_below_a_key_of_secrets_is_not_shown(text: str, rule: str) -> None:
    problem = refused(text)
    assert problem.rule == rule
    assert "hunter2" not in f"{problem.message} {problem.hint}"
    assert "not shown" in problem.message


@pytest.mark.parametrize("text", ["password: x\n*b : 1", "password: x\nother: *b", "password: [x]\nc: [*b]"])
def test_what_stands_beside_a_key_of_secrets_is_shown(text: str) -> None:
    assert "*b" in refused(text).message


@pytest.mark.parametrize("value", ["@scope/model", "`date`", "%APPDATA%"])
def test_a_value_that_must_be_quoted(value: str) -> None:
    problem = refused(f"a: 1\nb:\n  - {value}\n")
    assert (problem.line, problem.column) == (3, 5)
    assert problem.hint == "quote a value that begins with @, ` or %"


def test_a_windows_path_in_double_quotes() -> None:
    problem = refused('a: 1\nb: "C:\\models"\n')
    assert (problem.line, problem.column) == (2, 7), "of the backslash"
    assert "single quotes" in problem.hint


def test_suggests_the_alias_that_was_meant() -> None:
    assert refused("a: &default 1\nb: *defualt\n").hint == "did you mean *default?"


def test_alias_bomb_ends_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert refused("\n".join(lines)).rule == "too-many-values"


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 5_000, "- " * 5_000 + "a"])
def test_depth_ends_quickly(text: str) -> None:
    assert refused(text).rule == "too-deep"


def test_depth_that_is_allowed() -> None:
    depth = yaml_text.MAX_DEPTH
    assert refused("[" * (depth + 1) + "]" * (depth + 1)).rule == "too-deep"
    assert read("[" * depth + "]" * depth).data is not None


def test_more_scalars_than_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_aibackend.sources.yaml_scalars._REMEMBERED", 3)
    text = "[1, 2, a, 3, 'yes', yes, 4.5, a, 3, ~]"
    assert read(text).data == yaml.safe_load(text)


def test_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_text, "MAX_BYTES", 10)
    assert refused("a: 1234567890").rule == "file-too-large"
