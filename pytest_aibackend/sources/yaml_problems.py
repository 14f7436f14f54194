"""Why a text is not the YAML that we read, in words that lead to the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from yaml.error import MarkedYAMLError
from yaml.reader import ReaderError

__all__ = [
    "Place",
    "RefusedError",
    "YamlProblem",
    "place_of",
    "problem_at",
    "syntax_problem",
    "unknown_tag",
    "unreadable_character",
]

Place = tuple[int, int]  # line and column, from 1

_LOOK_AROUND: Final = "check indentation, colons, quotes and brackets here and in the line above"


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlProblem:
    """Why a text is not the YAML we read: rule id, place and remedy."""

    rule: str
    message: str
    hint: str
    line: int | None = None
    column: int | None = None


class RefusedError(Exception):
    """Ends the reading; carries the problem."""

    def __init__(self, problem: YamlProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def place_of(text: str) -> Place:
    """Return the place of what follows a text."""
    lines = f"{text}x".splitlines()
    return len(lines), len(lines[-1])


def problem_at(event: Any, rule: str, message: str, hint: str) -> YamlProblem:
    """Return a problem that stands where an event of PyYAML begins."""
    mark = event.start_mark
    return YamlProblem(rule=rule, message=message, hint=hint, line=mark.line + 1, column=mark.column + 1)


def unknown_tag(tag: str, event: Any, *, is_shown: bool) -> YamlProblem:
    """Return the problem of a tag that is not among those of plain data."""
    shown = tag.replace("tag:yaml.org,2002:", "!!") if is_shown else "(not shown)"
    is_unsafe = "python/" in tag
    return problem_at(
        event,
        "unknown-tag",
        f"tag {shown} would run code or build objects when read"
        if is_unsafe
        else f"tag {shown} is not known here",
        "remove the tag; a configuration holds plain text, numbers, lists and mappings",
    )


def unreadable_character(error: ReaderError, text: str) -> YamlProblem:
    """Return the problem of a character that YAML does not allow, at the first one in the text.

    The error's own position counts bytes where libyaml reads, and characters where it does not.
    """
    line, column = place_of(text[: text.index(chr(error.character))])
    return YamlProblem(
        rule="yaml-syntax",
        message=f"U+{error.character:04X} is a character that YAML does not allow",
        hint="remove it; an editor that shows invisible characters helps",
        line=line,
        column=column,
    )


def syntax_problem(error: MarkedYAMLError, text: str) -> YamlProblem:
    """Return the problem that PyYAML has with a text, at the place where a person would mend it."""
    problem, context = error.problem or "this cannot be read as YAML", error.context or ""
    # Of a quote that is never closed the place is where it opens, not where the file ends.
    is_quoted = "quoted" in context
    is_open_quote = is_quoted and "unexpected" in problem
    mark = error.context_mark if is_open_quote else error.problem_mark
    assert mark is not None
    lines = text.splitlines()
    for number in (mark.line, mark.line - 1):
        if 0 <= number < len(lines) and _is_tabbed(lines[number]):
            return _tab_indentation(number, lines[number])
    there = "".join(lines[mark.line : mark.line + 1])[mark.column :]
    hint = _LOOK_AROUND
    if "mapping values are not allowed" in problem:
        hint = "quote a value that holds ': ', or check the indentation of this line"
    elif is_quoted and "escape" in problem:
        hint = "in double quotes a backslash begins an escape: write two, or use single quotes"
    elif there.startswith(("@", "`", "%")):
        hint = "quote a value that begins with @, ` or %"
    where = f" ({context})" if context and context not in problem else ""
    return YamlProblem(
        rule="yaml-syntax", message=f"{problem}{where}", hint=hint, line=mark.line + 1, column=mark.column + 1
    )


def _tab_indentation(number: int, line: str) -> YamlProblem:
    return YamlProblem(
        rule="tab-indentation",
        message="the line is indented with a tab, which YAML does not allow",
        hint="indent with spaces",
        line=number + 1,
        column=line.index("\t") + 1,
    )


def _is_tabbed(line: str) -> bool:
    indentation = line[: len(line) - len(line.lstrip(" \t"))]
    return "\t" in indentation
