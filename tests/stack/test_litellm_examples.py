"""The configs that LiteLLM carries in its package, files and those in its texts: no key in them is wrong."""

from __future__ import annotations

import importlib.util
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import load_schema

SCHEMA = load_schema("1.106")
FENCED = re.compile(r"^([ #]*)```ya?ml[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SECTIONS = frozenset(SCHEMA.section("").keys) - {"include", "agents", "prompts"}  # words of other files, too
# Rules about keys, types and values: what names, addresses and keys there are is no matter in an example.
RULES = (
    *("unread-section", "unknown-key", "misplaced-key", "wrong-key-type", "wrong-type", "unknown-value"),
    *("value-out-of-range", "missing-key", "duplicate-key", "alias-shape", "fallback-shape"),
    *("callback-unknown", "guardrail-unknown", "guardrail-mode", "alerting-unknown", "budget-period"),
)


def root() -> Path:
    """Return the folder of the installed LiteLLM."""
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


@cache
def examples() -> list[tuple[str, str]]:
    """Return each config, with the name of its file."""
    found = []
    for path in sorted(root().rglob("*")):
        if path.suffix in {".yaml", ".yml", ".md", ".py"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            name = path.relative_to(root()).as_posix()
            found += [(name, config) for config in configs(path.suffix, text)]
    return found


def configs(suffix: str, text: str) -> Iterator[str]:
    """Yield what in a file is a config: it has sections of LiteLLM's, and nothing else at its top."""
    blocks = [text] if suffix in {".yaml", ".yml"} else [plain(*match) for match in FENCED.findall(text)]
    for block in blocks:
        try:
            data = yaml.safe_load(block)
        except (yaml.YAMLError, ValueError):
            continue
        if isinstance(data, dict) and data.keys() & {"model_list", *SECTIONS}:
            yield block


def plain(indent: str, block: str) -> str:
    """Return the text of a fenced block without the comment signs or spaces before its lines."""
    lines = [line.removeprefix(indent) if "#" in indent else line for line in block.splitlines()]
    return textwrap.dedent("\n".join(lines))


def test_there_are_many() -> None:
    assert len(examples()) > 40
    assert len({name for name, _config in examples()}) > 30


def test_lint_says_nothing_of_their_keys_types_and_values() -> None:
    said = []
    for name, config in examples():
        result = lint(LintDocument.read(config.encode(), name, None), SCHEMA, select=RULES)
        said += [str(finding) for finding in result.findings]
    assert said == []
