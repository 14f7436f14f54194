"""Files that LiteLLM cannot read, or reads otherwise than they look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Location, Severity
from pytest_aibackend.litellm.lint.catalogue import (
    LintContext,
    LintProblem,
    RuleFunction,
    declare_lint_rule,
    lint_rule,
)

__all__ = ["wrong_top_level"]

_LOADER: Final = "proxy/proxy_server.py, _get_config_from_file: yaml.safe_load (1.106.2)"
_OURS: Final = "none: a bound of this program"
# What a text can be that is not YAML, and what becomes of it: sources/yaml_*.py find them.
_TROUBLES: Final = {
    "file-too-large": """
        A config is larger than any config is (16 MiB).

        It is not read, so that a wrong or hostile file cannot exhaust the machine. Name the right file.
    """,
    "too-deep": """
        Values are nested deeper than in any config (64 levels).

        Look for brackets or indentation that never close.
    """,
    "too-many-values": """
        A config stands for more values than any config holds, counting what its aliases expand to.

        Nested aliases can make a small file expand without end, in LiteLLM, too. Write it without them.
    """,
    "not-utf8": """
        A config holds bytes that are not UTF-8.

        LiteLLM refuses to start, or reads other letters than were written. Save the file as UTF-8.
    """,
    "empty-file": """
        A config is empty or holds only comments.

        LiteLLM refuses to start: "Config cannot be None or Empty". Of an included file it reads nothing,
        without a word.
    """,
    "several-documents": """
        A config holds more than one YAML document.

        LiteLLM refuses to start. Remove the line with `---`, or move what follows into a file of its own
        and name that under `include:`.
    """,
    "yaml-syntax": """
        A config is not YAML.

        LiteLLM refuses to start. The place is where the reader gave up; the cause is often in the line
        above. Check indentation, colons, quotes and brackets.
    """,
    "tab-indentation": """
        A line is indented with a tab.

        YAML forbids it, and LiteLLM refuses to start. Indent with spaces.
    """,
    "duplicate-key": """
        A mapping holds the same key twice.

        LiteLLM keeps the last one and drops the first without a word: half of what was configured is
        missing. Keep one, or join them.
    """,
    "unusable-key": """
        A list or a mapping stands where a key must be text.

        LiteLLM refuses to start. Often a quote is missing around `{...}` or `[...]`.
    """,
    "unusable-merge": """
        A merge key `<<` names something that is not a mapping.

        LiteLLM refuses to start. Let it name an anchor of a mapping, or a list of such.
    """,
    "unknown-alias": """
        An alias `*name` stands without an anchor `&name` before it.

        LiteLLM refuses to start. Define the anchor first; quote the text if a literal `*` is meant, as in
        `model_name: "*"`.
    """,
    "endless-alias": """
        An alias stands inside the very value that it names.

        LiteLLM goes round in it until it fails. Write the value out.
    """,
    "duplicate-anchor": """
        Two anchors of one file have the same name.

        LiteLLM's YAML reader refuses that. Give one of them another name.
    """,
    "unknown-tag": """
        A value has a tag that plain YAML does not know, such as `!!python/object`, `!vault` or `!env`.

        LiteLLM refuses to start. Remove the tag; a value from the environment is `os.environ/NAME`.
    """,
    "unreadable-value": """
        A value looks like a date or a number and is none, such as `2025-13-45`.

        LiteLLM refuses to start. Put it in quotes if it is meant as text.
    """,
}


def _finder(rule_id: str) -> RuleFunction:
    def find(context: LintContext) -> Iterator[LintProblem]:
        for file in context.document.files:
            for problem in file.problems:
                if problem.rule == rule_id:
                    harmless = file.included and rule_id == "empty-file"
                    yield LintProblem(
                        path=(),
                        message=problem.message,
                        hint=problem.hint,
                        location=Location(file=file.display, line=problem.line, column=problem.column),
                        subject=file.display,
                        severity=Severity.WARNING if harmless else None,
                    )

    return find


for _rule, _text in _TROUBLES.items():
    _where = _OURS if _rule in ("file-too-large", "too-deep", "too-many-values") else _LOADER
    declare_lint_rule(_rule, _text, where=_where, find=_finder(_rule), reads_broken=True)


@lint_rule("wrong-top-level", where="proxy/proxy_server.py, load_config (1.106.2)", reads_broken=True)
def wrong_top_level(context: LintContext) -> Iterator[LintProblem]:
    """A config is a list or a piece of text, where a mapping of sections is expected.

    LiteLLM refuses to start. Begin with `model_list:` and put the list below it.
    """
    for file in context.document.files:
        if file.document is None or isinstance(file.document.data, dict):
            continue
        data = file.document.data
        if data is None and file.included:
            continue
        kind = "a list" if isinstance(data, list) else "nothing" if data is None else "a piece of text"
        looks_like_models = isinstance(data, list) and any(isinstance(item, dict) for item in data)
        yield LintProblem(
            path=(),
            message=f"the file holds {kind} where LiteLLM expects sections; it refuses to start",
            hint="put the list below model_list:" if looks_like_models else "begin with model_list:",
            location=file.locate(()),
            subject=file.display,
        )
