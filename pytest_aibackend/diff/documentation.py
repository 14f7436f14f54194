"""The rules of change, docs/changes.md: generated from the rules themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.diff.catalogue import ChangeRule, area_of, change_rules
from pytest_aibackend.diff.changes import in_class_order

__all__ = ["render"]

_INTRODUCTION: Final = """\
<!-- Generated from the rules: `aibackend docs changes > docs/changes.md`. Do not edit. -->

# `aibackend diff`

Says what a change of the configuration means, not which lines moved.

    aibackend diff main..HEAD                    # two git revisions: config/ at each of them
    aibackend diff main...HEAD                   # since the two parted, as a pull request shows it
    aibackend diff main                          # a revision and the working tree
    aibackend diff v1 v2 --config deploy/config  # another directory
    aibackend diff old-config new-config         # two directories of sources
    aibackend diff before.yaml after.yaml        # two LiteLLM config.yaml, whoever wrote them
    aibackend diff main:config.yaml config.yaml  # a file at a revision, and on the disk
    ssh gateway cat litellm.yaml | aibackend diff - litellm.yaml   # what is deployed, and what would be

| option | what it does |
|---|---|
| `--config DIR` | the directory, or LiteLLM's file, that is read at a revision (`config`) |
| `--json`, `--format text\\|json\\|markdown` | how changes are printed; Markdown is the body of a comment |
| `--fail-on CLASS` | exit 1 where there is such a change: `breaking`, `security`, `performance`, `info` |

Exit status: 0 compared; 1 a change of a class that `--fail-on` names; 2 wrong usage, or a side that cannot be
read: the message says file and line. Nothing is checked out: revisions are read from git.

Directories are compared as the gateway would run them: the sources are planned as `aibackend generate` does,
and context windows, providers, ports and how it is deployed are compared beside that. A LiteLLM file is
compared with what it includes, as LiteLLM reads it; what only sources say is left out where one side is a
file. What is the same to LiteLLM prints nothing: order of keys and of deployments, comments, anchors, nulls,
defaults written down, `rpm: "60"` and `rpm: 60`. A name that leads to the same as another did is renamed, not
removed and added. Values of secrets are never shown.

A change may be of several classes; the table has those that a rule most often gives, and the section of the
rule says when it gives others. **breaking**: a request that was answered may fail, or be answered by what
nobody agreed to. **security**: who can ask, who can read along, where requests and keys go. **performance**:
how fast, how often, how much. **info**: anything else.

What is not seen: variables of the gateway's environment, keys and models that it keeps in its database, what
a model server does on its own, and LiteLLM's map of prices and context windows.

`aibackend reload` shows the same lines before it asks, for the deployed file and the one that will be.
"""


def render() -> str:
    """Return the catalogue as Markdown, the same text for the same rules."""
    rules = change_rules()
    lines = [_INTRODUCTION, "| change | kind | class | |", "|---|---|---|---|"]
    lines += [
        f"| [{rule.id}](#{rule.id}) | {rule.kind} | {_classes(rule)} | {rule.summary} |"
        for rule in rules.values()
    ]
    module = None
    for rule in rules.values():
        if rule.module != module:
            module = rule.module
            lines += ["", f"## {area_of(module)}"]
        lines += ["", *_section(rule)]
    return "\n".join(lines) + "\n"


def _section(rule: ChangeRule) -> Iterator[str]:
    yield f"### {rule.id}"
    yield ""
    other = f" Back again: [{rule.opposite}](#{rule.opposite})." if rule.opposite != rule.id else ""
    yield f"*{str(rule.kind).capitalize()}; {_classes(rule)}.*{other}"
    yield ""
    yield rule.documentation.strip()


def _classes(rule: ChangeRule) -> str:
    return ", ".join(in_class_order(rule.classes))
