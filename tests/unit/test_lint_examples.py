"""Every lint rule finds its trouble in its bad examples, and not in its good ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_aibackend.litellm.lint.catalogue import lint_rules
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import LintResult, lint
from pytest_aibackend.litellm.schema import load_schema
from pytest_aibackend.reporting.lint_catalogue import render
from pytest_aibackend.rules import registry
from pytest_aibackend.sources.env_file import parse_env_file
from pytest_aibackend.sources.yaml_text import MAX_BYTES

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples" / "lint"
RULES = sorted(lint_rules())
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
GOOD, BAD = (
    [str(path.relative_to(EXAMPLES)) for path in sorted(EXAMPLES.glob(f"*/{kind}*.yaml"))]
    for kind in ("good", "bad")
)
UPDATE = os.environ.get("UPDATE_EXAMPLES") == "1"


def environment_of(folder: Path) -> Mapping[str, str] | None:
    """Return the variables of an example's folder; without one nothing is known of the environment."""
    file = folder / "environment"
    if not file.exists():
        return None
    variables, _ = parse_env_file(file.read_text())
    return {name: value for name, value in variables.items() if value is not None}


def run(path: Path) -> LintResult:
    raw = path.read_bytes()
    if raw.startswith(b"# GROW"):
        raw += b"#\n" * (MAX_BYTES // 2)
    document = LintDocument.read(raw, path.name, str(path))
    return lint(document, load_schema("1.106"), environment=environment_of(path.parent))


def said_of(result: LintResult) -> str:
    return "".join(f"{finding}\n  hint: {finding.hint}\n" for finding in result.findings)


@pytest.mark.parametrize("example", BAD)
def test_bad_example(example: str) -> None:
    path = EXAMPLES / example
    result = run(path)
    assert path.parent.name in {finding.rule for finding in result.findings}
    # expected.txt holds what is said of all bad examples of the folder, in the order of their names.
    bad = sorted(path.parent.glob("bad*.yaml"))
    said = "".join(said_of(run(each)) for each in bad)
    expected = path.parent / "expected.txt"
    if UPDATE:
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", GOOD)
def test_good_example(example: str) -> None:
    """A good example is clean by every rule, not by its own alone."""
    assert said_of(run(EXAMPLES / example)) == ""


@pytest.mark.parametrize("rule_id", RULES)
def test_every_rule_has_examples(rule_id: str) -> None:
    assert any(name.startswith(f"{rule_id}/") for name in BAD)
    assert any(name.startswith(f"{rule_id}/") for name in GOOD)


def test_every_folder_is_of_a_rule() -> None:
    assert sorted(set(FOLDERS) - set(RULES)) == []


@pytest.mark.parametrize("rule_id", RULES)
def test_documentation_says_what_and_how(rule_id: str) -> None:
    rule = lint_rules()[rule_id]
    first, _, rest = rule.documentation.partition("\n\n")
    assert first.endswith(".")
    assert "\n" not in first
    assert rest.strip()
    assert rule.where


def test_docs_are_current() -> None:
    assert (ROOT / "docs" / "lint.md").read_text(encoding="utf-8") == render()


# Ids that the eleven checks have, too: there the same trouble, of a source or of the file that we generate.
SAME_TROUBLE = {
    *("file-too-large", "not-utf8", "empty-file", "several-documents", "yaml-syntax", "tab-indentation"),
    *(
        "duplicate-key",
        "unusable-key",
        "unusable-merge",
        "unknown-alias",
        "endless-alias",
        "duplicate-anchor",
    ),
    *("unknown-tag", "unreadable-value", "too-deep", "too-many-values", "wrong-top-level"),
    *("unknown-key", "wrong-type", "unknown-value", "value-out-of-range", "missing-key", "wrong-key-type"),
    *("model-list-empty", "unread-section", "router-setting-dropped", "deployment-without-model"),
    *("master-key-unnamed", "master-key-literal", "literal-secret", "credentials-in-url", "unencrypted-key"),
    *("cache-without-namespace", "api-base-missing", "api-base-path", "api-key-missing", "malformed-url"),
    *("alias-shape", "alias-target-unknown", "fallback-shape", "fallback-member-unknown", "self-fallback"),
    *("chain-cycle", "duplicate-member", "fallback-without-effect", "setting-without-effect", "zero-weights"),
    *("conflicting-setting", "billed-health-check", "unservable-name", "url-with-query", "unknown-provider"),
}


def test_an_id_means_one_trouble() -> None:
    assert sorted((set(RULES) & set(registry.RULES)) - SAME_TROUBLE) == []
