"""An environment file is read by us as by systemd itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.deploy.service.environment_file import parse_environment_file
from pytest_aibackend.deploy.service.unit_environment import split_shown
from tests.stack.systemd import HOME, USER, Manager, user_manager

SHOW = f"""
[Service]
Type=oneshot
EnvironmentFile={HOME}/file
ExecStart=/usr/bin/env -0
StandardOutput=truncate:{HOME}/out
"""
# A comment whose line ends in a backslash goes on in systemd before 254 only.
PIECES = st.sampled_from(
    [
        "A=",
        "B_2=",
        "=",
        " ",
        "\t",
        "\n",
        "\n",
        "x",
        "y z",
        "'",
        '"',
        "\\",
        "\\\n",
        "$",
        "`",
        "ä",
        "export ",
        "\n# c\n",
        ";",
    ]
)
EXAMPLES = [
    "A=1\n",
    "# comment\n ; comment\nA = spaced \t\nB_2='a b' \"c\"d # e\n",
    'A="one\ntwo \\" \\$ \\x"\nB_2=a\\\n  b\n',
    'A="one\\\ntwo"\nB_2="a\\\\b\\`"',
    "junk\n1A=no\nexport A=no\nA=yes",
    'A="not ended\nB_2=1',
    "A='not ended\\",
    "A=end\\",
    "A=end \t\\",
    'A="end" \\',
    "A=end \\\nB_2= \\",
    "='\nA=1",
    "",
]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    with user_manager(tmp_path_factory.mktemp("environment") / "user") as manager:
        manager.install("show.service", SHOW)
        yield manager


def environment_of(manager: Manager, text: str) -> dict[str, str]:
    """Return what systemd reads in an environment file."""
    file, out = manager.home / "file", manager.home / "out"
    file.write_bytes(text.encode())
    shutil.chown(file, USER)
    out.unlink(missing_ok=True)
    manager.systemctl("start", "show.service")
    pairs = (entry.split("=", 1) for entry in out.read_bytes().decode().split("\0") if entry)
    return {name: value for name, value in pairs if name in ("A", "B_2")}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples(manager: Manager, text: str) -> None:
    assert parse_environment_file(text) == environment_of(manager, text)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_text(manager: Manager, text: str) -> None:
    if any(line.lstrip().startswith(("#", ";")) and line.endswith("\\") for line in text.split("\n")):
        return
    ours = {name: value for name, value in parse_environment_file(text).items() if name in ("A", "B_2")}
    assert ours == environment_of(manager, text)


def test_environment_of_a_unit_is_read_as_it_is_shown(manager: Manager) -> None:
    written = {
        "A": "a b",
        "B": 'x"y',
        "C": "$b`c\\d",
        "D": "tab\there",
        "E": "line\nbreak",
        "F": "",
        "G": "it's ä",
    }
    quoted = " ".join(
        '"' + f"{name}={value}".replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        for name, value in written.items()
    )
    manager.install("shown.service", f"[Service]\nEnvironment={quoted}\nExecStart=/bin/true\n")
    shown = split_shown(manager.show("shown.service", "Environment"))
    assert dict(assignment.split("=", 1) for assignment in shown) == written
