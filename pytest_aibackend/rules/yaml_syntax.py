"""Check 1: every file can be read, is YAML, and is a mapping."""

from __future__ import annotations

from pytest_aibackend.findings import Finding
from pytest_aibackend.rules.registry import Group, declare_group, declare_rule
from pytest_aibackend.sources.backend import FILES, Backend

__all__ = ["YAML_SYNTAX"]


def _files(backend: Backend) -> list[str]:
    return [
        source.path.name
        for source in backend.sources.values()
        if source.exists or source.problems or source.role not in ("gateway", "generated")
    ]


def _findings(backend: Backend) -> list[Finding]:
    return [finding for role in FILES for finding in backend.load_findings(role)]


YAML_SYNTAX = declare_group(
    Group(id="yaml-syntax", check=1, noun="config file", needs=(), subjects=_files, built_in=_findings)
)

_DOCUMENTED = {
    "missing-file": """
        A file that the configuration needs is not there.

        `providers.yaml`, `model-mappings.yaml` and `ports.yaml` must exist; without `gateway.yaml` the
        documented defaults hold, and a missing generated file is the business of check 9.
        Restore the file, or name the right directory with `--aibackend-config`.
    """,
    "unreadable-file": """
        A file is there and cannot be read.

        Usually a matter of rights: the user that runs the checks must be able to read the file.
    """,
    "not-a-file": """
        A directory, a socket or a device stands where a file is expected.

        Put the file back in its place.
    """,
    "file-too-large": """
        A file is larger than any configuration is (16 MiB).

        It is not read, so that a wrong or hostile file cannot exhaust the machine.
    """,
    "not-utf8": """
        A file holds bytes that are not UTF-8.

        YAML is read as UTF-8; another encoding turns letters into others or cannot be read. Save it as UTF-8.
    """,
    "empty-file": """
        A file is empty or holds only comments.

        LiteLLM boots from an empty file and serves nothing; an empty source is nearly always an accident.
    """,
    "several-documents": """
        A file holds more than one YAML document.

        What stands behind the second `---` would be ignored or refused. Keep one document a file.
    """,
    "yaml-syntax": """
        A file is not YAML.

        The place is where the reader gave up; the cause is often in the line above. Check indentation,
        colons, quotes and brackets.
    """,
    "tab-indentation": """
        A line is indented with a tab.

        YAML forbids it. Indent with spaces.
    """,
    "duplicate-key": """
        A mapping holds the same key twice.

        YAML readers, LiteLLM's among them, keep the last one and drop the first without a word. Keep one.
    """,
    "unusable-key": """
        A list or a mapping stands where a key must be text.

        Often a missing quote around `{...}` or `[...]`. Quote the key.
    """,
    "unusable-merge": """
        A merge key `<<` names something that is not a mapping.

        Let it name an anchor of a mapping, or a list of such.
    """,
    "unknown-alias": """
        An alias `*name` stands without an anchor `&name` before it.

        Define the anchor first, or quote the text if a literal `*` is meant.
    """,
    "duplicate-anchor": """
        Two anchors of one file have the same name.

        PyYAML, and so LiteLLM, does not read such a file. Give one of them another name.
    """,
    "endless-alias": """
        An alias stands inside the very value that it names.

        Nothing that reads configuration can follow it. Write the value out.
    """,
    "unknown-tag": """
        A value has a tag that plain YAML does not know, such as `!!python/object` or `!vault`.

        Such tags build objects or run code when they are read; they are refused. Remove the tag.
    """,
    "unreadable-value": """
        A value looks like a date or a number and is none, such as `2025-13-45`.

        Put it in quotes if it is meant as text.
    """,
    "too-deep": """
        Values are nested deeper than any configuration is (64 levels).

        Look for brackets or indentation that never close.
    """,
    "too-many-values": """
        A file stands for more values than any configuration holds, counting what its aliases expand to.

        Nested aliases can make a small file expand without end. Write it without them.
    """,
    "wrong-top-level": """
        A file holds a list or a piece of text where a mapping is expected.

        Begin with the keys that the shipped file of this name begins with.
    """,
}
for _rule, _text in _DOCUMENTED.items():
    declare_rule(_rule, _text, group=YAML_SYNTAX.id)
