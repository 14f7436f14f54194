"""What `include:` does: which files LiteLLM reads besides the first, and what they take the place of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, RuleFunction, declare_lint_rule

__all__: list[str] = []

_WHERE: Final = "proxy/common_utils/config_includes.py (1.106.2)"
_ERRORS: Final = {
    "include-missing": """
        A file under `include:` does not exist.

        LiteLLM refuses to start. Names are relative to the file that includes, or else to the first one.
    """,
    "include-unreadable": """
        A file under `include:` cannot be read: it is a directory, a device, or not the user's to read.

        LiteLLM refuses to start. Name a file.
    """,
    "include-shape": """
        `include:` is not a list of file names.

        LiteLLM refuses to start: "'include' must be a list of file paths". Write `include: [models.yaml]`.
    """,
}
_WARNINGS: Final = {
    "include-overrides": """
        An included file has a section that stands elsewhere already, and takes its place as a whole.

        LiteLLM joins lists, so that every file may have a `model_list`. Any other section of an included
        file, such as `litellm_settings`, replaces the one that was there: nothing in that has effect.
        Keep each section in one file.
    """,
    "include-repeated": """
        A file is included twice, or includes itself.

        LiteLLM reads each file once and passes over the rest without a word. Remove the entry.
    """,
}


def _finder(rule_id: str) -> RuleFunction:
    def find(context: LintContext) -> Iterator[LintProblem]:
        for problem in context.document.include_problems:
            if problem.rule == rule_id:
                yield LintProblem(
                    path=("include",), message=problem.message, hint=problem.hint, location=problem.location
                )

    return find


for _rule, _text in _ERRORS.items():
    declare_lint_rule(_rule, _text, where=_WHERE, find=_finder(_rule))
for _rule, _text in _WARNINGS.items():
    declare_lint_rule(_rule, _text, where=_WHERE, find=_finder(_rule), severity=Severity.WARNING)
