"""The lint rules, docs/lint.md: generated from the rules themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

__all__ = ["render"]

_INTRODUCTION: Final = """\
<!-- Generated from the rules: `aibackend docs lint > docs/lint.md`. Do not edit. -->

# `aibackend lint`

Checks any LiteLLM `config.yaml`, hand-written or not, with all that it includes; LiteLLM need not be
installed.

    aibackend lint config.yaml
    aibackend lint config.yaml --env-file .env --strict
    aibackend lint --format github deploy/*.yaml

| option | what it does |
|---|---|
| `--json`, `--format text\\|json\\|github\\|sarif` | how findings are printed |
| `--litellm-version V` | judge as that LiteLLM does; else the installed one, else the newest that is known |
| `--env-file F`, `--environment` | the variables that the gateway will have: those it lacks are reported |
| `--select RULE`, `--ignore RULE` | only these rules, or all others; `*` stands for anything |
| `--strict` | warnings fail, too |
| `--baseline F`, `--write-baseline` | for an old configuration: note what is found now, tell what is new |

Exit status: 0 clean or warnings, 1 errors (with `--strict` also warnings), 2 wrong usage. `-` reads
standard input. `# aibackend: ignore[rule-id] reason` on a finding's line, or alone on the line above it,
silences the finding, which is then counted in the summary.

An error stops LiteLLM, breaks requests, exposes the gateway or has no effect where one was surely meant;
a warning may be meant so. Each rule names the place in LiteLLM that makes it true. What it knows of LiteLLM's
keys, and for which versions: [schema.md](schema.md), also for editors.
"""


def render() -> str:
    """Return the catalogue as Markdown, the same text for the same rules."""
    rules = import_module("pytest_aibackend.litellm.lint.catalogue").lint_rules()  # reports know no rules
    lines = [_INTRODUCTION, "| rule | | |", "|---|---|---|"]
    lines += [f"| [{rule.id}](#{rule.id}) | {rule.severity} | {rule.summary} |" for rule in rules.values()]
    module = None
    for rule in rules.values():
        if rule.module != module:
            module = rule.module
            lines += ["", f"## {_title(module)}"]
        lines += ["", *_section(rule)]
    return "\n".join(lines) + "\n"


def _title(module: str) -> str:
    documented = inspect.getdoc(import_module(f"pytest_aibackend.litellm.lint.{module}")) or module
    return documented.partition("\n")[0].rstrip(".")


def _section(rule: Any) -> Iterator[str]:
    yield f"### {rule.id}"
    yield ""
    yield f"*{str(rule.severity).capitalize()}. LiteLLM: {rule.where}.*"
    yield ""
    yield rule.documentation.strip() or "Not documented."
