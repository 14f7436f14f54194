"""Environment files of units; tests/stack/test_systemd_environment.py asks systemd the same."""

from __future__ import annotations

import pytest

from pytest_aibackend.deploy.service.environment_file import parse_environment_file


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\n", {"A": "1"}),
        ("# comment\n ; comment\nA = spaced \t\nB_2='a b' \"c\"d # e\n", {"A": "spaced", "B_2": "a bcd # e"}),
        ('A="one\ntwo \\" \\$ \\x"\nB_2=a\\\n  b\n', {"A": 'one\ntwo " $ \\x', "B_2": "a  b"}),
        ('A="one\\\ntwo"\nB_2="a\\\\b\\`"', {"A": "onetwo", "B_2": "a\\b`"}),
        ("A=end \t\\", {"A": "end \t"}),
        ("A=end  ", {"A": "end"}),
        ("junk\n1A=no\nexport A=no\nA=yes", {"A": "yes"}),
        ("", {}),
    ],
)
def test_what_systemd_reads(text: str, expected: dict[str, str]) -> None:
    assert parse_environment_file(text) == expected
