"""docs/troubleshooting.md has every message of the code that is no finding, and none that is gone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from pytest_aibackend.cli import main
from tests.messages import NOT_MESSAGES, PACKAGE, Code, Message, literals, messages
from tests.walkthrough import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.*?) ?\|$", PAGE, re.MULTILINE)
# What is said while all is well.
PROGRESS = (
    "... is unchanged",
    "LiteLLM is ready after ... s",
    "... ended by ...",
    "... looking at the sources",
    "canary: LiteLLM is being loaded, to try each candidate before it is deployed",
    "watching ...: ...; Ctrl-C ends it",
)


def pattern(row: str) -> re.Pattern[str]:
    """Return what finds the beginning of a message: the words of a row, values where the row has some."""
    return re.compile(r"\.\.\..*?".join(re.escape(part) for part in row.split("...")))


@cache
def all_texts() -> str:
    """Return what can be said, a line each, without backticks, which cannot stand within those of a row."""
    return "\n".join(
        text.replace("`", "") for text in (*literals(), *literals(PROGRAMS), *SCRIPTS, *WRONG_USAGE.values())
    )


PATTERNS = [pattern(row[0]) for row in ROWS]


def is_on_the_page(text: str) -> bool:
    told = text.replace("`", "")
    return any(each.match(told) for each in PATTERNS)


def test_the_code_has_messages() -> None:
    texts = {message.text for message in messages()}
    assert len(texts) > 150
    assert {"the gate refused it: ...", "unrecognized arguments: ...", "git is not installed"} <= texts
    assert all((PACKAGE / name).is_file() for name in NOT_MESSAGES)


PROGRAMS = Code.of(ROOT / "scripts")
SAID = [*messages(), *messages(PROGRAMS)]


@pytest.mark.parametrize("message", SAID, ids=lambda message: f"{message.place}-{message.text}")
def test_message_is_on_the_page(message: Message) -> None:
    assert message.text in PROGRESS or is_on_the_page(message.text), f"{message.place}: {message.text}"


# What Python's argparse says in its own words, and how to have it said.
WRONG_USAGE = {
    "deploy": "argument ...: invalid choice: ...",
    "diff": "the following arguments are required: ...",
    "ports --port": "argument ...: expected one argument",
    "serve --port x": "argument ...: invalid ... value: ...",
    "lint --json --format text x": "argument ...: not allowed with argument ...",
}


@pytest.mark.parametrize(("usage", "row"), WRONG_USAGE.items())
def test_wrong_usage_is_on_the_page(usage: str, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(usage.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert re.fullmatch(rf"aibackend[\w ]*: error: {re.escape(row).replace(re.escape('...'), '.+')}", said)
    assert row in {each[0] for each in ROWS}


SCRIPTS = [
    re.sub(r"\$\w+|\$\d|%s", "...", text.replace("\\`", ""))
    for script in sorted((ROOT / "scripts").glob("*.sh"))
    for text in re.findall(
        r"""(?:refuse |echo )"([^"]+)"(?= >&2|$| *;;)""", script.read_text(encoding="utf-8"), re.MULTILINE
    )
]


@pytest.mark.parametrize("text", [text for text in SCRIPTS if re.search(r"[a-z]{2,}", text)])
def test_message_of_a_script_is_on_the_page(text: str) -> None:
    assert is_on_the_page(text), text


@pytest.mark.parametrize("row", [row[0] for row in ROWS])
def test_row_of_the_page_is_a_message(row: str) -> None:
    assert re.search(f"^{pattern(row).pattern}", all_texts(), re.MULTILINE), row
    assert len(re.findall(r"[a-z]{2,}", row)) > 0


def test_rows_say_something() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)
    assert all(cause for _, cause, _ in ROWS)


# Each has a message that nobody has written down. Whoever finds a way past the reader adds it here.
WAYS = {
    "an error": "raise OursError('a new message')",
    "an error of an error": "raise LatterError(f'a new message')",
    "an error by keyword": "raise OursError(text='a new message')",
    "an error of the system": "raise FileNotFoundError('a new message')",
    "an error of argparse": "raise argparse.ArgumentTypeError('a new message')",
    "print": "print('a new message', file=sys.stderr)",
    "write": "sys.stderr.write('a new message')",
    "a console": "console = Console(stderr=True)\n    console.print('a new message')",
    "exit": "sys.exit('a new message')",
    "a log": "log.warning('a new message %s', value)",
    "a warning": "warnings.warn('a new message', stacklevel=2)",
    "a parser": "parser.error('a new message')",
    "a function": "complain('a new message')",
    "a function of a function": "complain_loudly(words='a new message')",
    "a constant": "raise OursError(A_NEW_ONE)",
    "a constant of another module": "raise OursError(FAR)",
    "a variable": "said = 'a new message'\n    raise OursError(said)",
    "a variable that grows": "said: str = ''\n    said += 'a new message'\n    raise OursError(said)",
    "a format": "raise OursError('a new message {}'.format(value))",
    "a percent sign": "raise OursError('a new message %s' % value)",
    "a choice": "raise OursError('an old one' if value else 'a new message')",
    "a table": "raise OursError({1: 'a new message'}.get(value, 'an old one'))",
    "lines": "raise OursError('\\n'.join(['a new message', value]))",
    "a sum": "raise OursError('a new ' + 'message')",
    "what a function returns": "raise OursError(words_of(value))",
    "what a function elsewhere returns": "raise OursError(far_words(value))",
    "a walrus": "if said := 'a new message':\n        raise OursError(said)",
}
AROUND = """
from package.far import FAR, far_words

A_NEW_ONE: Final = "a new message"

class OursError(ValueError):
    pass

class LatterError(OursError):
    pass

def complain(text: str) -> None:
    print(f"aibackend: {text}", file=sys.stderr)

def complain_loudly(*, words: str) -> None:
    complain(words.upper() if words else str(words))

def words_of(value):
    return "a new message"

def act(value):
    {statement}
"""
FAR = "FAR = 'a new message'\n\ndef far_words(value):\n    return FAR\n"


@pytest.mark.parametrize("statement", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("layer", ["cli", "deploy", "probes"])
def test_no_way_of_telling_is_overlooked(statement: str, layer: str, tmp_path: Path) -> None:
    (tmp_path / "far.py").write_text(FAR)
    (tmp_path / layer).mkdir()
    (tmp_path / layer / "new.py").write_text(AROUND.replace("{statement}", statement))
    seen = {message for message in messages(Code.of(tmp_path)) if "new message" in message.text}
    assert {message.place for message in seen} == {f"{layer}/new.py"}
    assert not any(is_on_the_page(message.text) for message in seen)


def test_what_is_not_told_is_no_message(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").write_text(
        """
def act(value):
    print("all is well here")
    path = "not a message"
    if value:
        raise ValueError("between our own functions")
    return {"text": "not a message"}
"""
    )
    assert messages(Code.of(tmp_path)) == []
