"""Whatever YAML comes, the linter answers; and what it says does not hold the secrets of the file."""

from __future__ import annotations

import copy
import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_aibackend.findings import Path
from pytest_aibackend.litellm.lint.catalogue import lint_rules
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import LintResult, lint
from pytest_aibackend.litellm.schema import load_schema
from pytest_aibackend.reporting.lint_formats import FORMATS, LintedFile, LintReport

SCHEMA = load_schema("1.106")
SECRET = "Zq7-hidden-Zq7"
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(),
    st.text(max_size=12),
    st.dates(),
    st.sampled_from(
        [
            "os.environ/X",
            "${X}",
            "http://[::1",
            "http://u:p@h/v1",
            "openai/*",
            "*",
            "redis",
            "sk-1234",
            "a/b",
            "%zz",
        ]
    ),
)
KEYS = st.one_of(
    st.sampled_from(sorted({key for section in SCHEMA.sections.values() for key in section.keys})),
    st.sampled_from(["model_list", "litellm_params", "router_settings", "general_settings", "fallbacks"]),
    st.text(max_size=8),
    st.integers(),
    st.booleans(),
    st.none(),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=30,
)
GOOD: dict[str, Any] = {
    "model_list": [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"{provider}/{name}",
                "api_base": base,
                "api_key": "os.environ/KEY",
                "rpm": 60,
                "tpm": 1000,
                "timeout": 30,
            },
            "model_info": {"mode": "chat", "id": f"{provider}-{name}"},
        }
        for provider, name, base in (
            ("hosted_vllm", "big", "http://10.0.0.1:8000/v1"),
            ("openai", "small", "http://10.0.0.2:8000/v1"),
            ("ollama_chat", "tiny", "http://10.0.0.3:11434"),
        )
    ],
    "router_settings": {
        "routing_strategy": "simple-shuffle",
        "num_retries": 2,
        "fallbacks": [{"big": ["small"]}],
        "model_group_alias": {"default": "small", "quiet": {"model": "tiny", "hidden": True}},
        "retry_policy": {"TimeoutErrorRetries": 2},
        "routing_groups": [{"group_name": "own", "models": ["big"], "routing_strategy": "least-busy"}],
        "provider_budget_config": {"openai": {"budget_limit": 5, "time_period": "1d"}},
    },
    "litellm_settings": {
        "drop_params": True,
        "cache": True,
        "cache_params": {"type": "redis", "host": "127.0.0.1", "port": "6379", "namespace": "g", "ttl": 60},
        "context_window_fallbacks": [{"tiny": ["big"]}],
        "default_fallbacks": ["small"],
    },
    "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY", "alerting": ["slack"]},
    "guardrails": [
        {"guardrail_name": "pii", "litellm_params": {"guardrail": "presidio", "mode": "pre_call"}}
    ],
}


def run(text: str | bytes, **environment: str) -> LintResult:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return lint(LintDocument.read(raw, "config.yaml"), SCHEMA, environment=environment or None)


def paths_of(value: Any, path: Path = ()) -> list[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for step, item in items for found in paths_of(item, (*path, step)))]


def put(value: Any, path: Path, new: Any) -> Any:
    """Return a copy of a value with something else at a path."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = new
    return changed


def test_the_good_config_is_good() -> None:
    assert [str(finding) for finding in run(yaml.safe_dump(GOOD)).findings] == []


@given(config=ANYTHING, known=st.booleans())
def test_any_document_is_answered(config: Any, known: bool) -> None:
    text = yaml.safe_dump(config, allow_unicode=True)
    environment = {"X": "1"} if known else {}
    result = run(text, **environment)
    for finding in result.findings:
        assert finding.message
        assert finding.hint
        assert finding.location.file == "config.yaml"
    assert (
        run(yaml.safe_dump(config, allow_unicode=True), **({"X": "1"} if known else {})).findings
        == result.findings
    )


@given(sections=st.dictionaries(st.sampled_from(sorted(SCHEMA.section("").keys)), ANYTHING, max_size=4))
def test_any_content_of_known_sections_is_answered(sections: dict[str, Any]) -> None:
    result = run(yaml.safe_dump(sections, allow_unicode=True))
    file = LintedFile(path="config.yaml", findings=result.findings, ignored=result.ignored)
    report = LintReport(files=[file], litellm_version=SCHEMA.version, rules=lint_rules())
    printed = {name: render(report) for name, render in FORMATS.items()}
    assert json.loads(printed["json"])["files"][0]["findings"] == [each.as_dict() for each in result.findings]
    assert len(json.loads(printed["sarif"])["runs"][0]["results"]) == len(result.findings)
    assert len(printed["github"].splitlines()) == len(result.findings)
    assert len(printed["text"].splitlines()) == 2 * len(result.findings) + 1


@given(data=st.data(), new=ANYTHING)
def test_a_good_config_with_anything_somewhere_is_answered(data: st.DataObject, new: Any) -> None:
    path = data.draw(st.sampled_from(paths_of(GOOD)))
    run(yaml.safe_dump(put(GOOD, path, new), allow_unicode=True))


def test_a_good_config_with_a_wrong_shape_anywhere_is_answered() -> None:
    """A list or a mapping where a name is meant: neither can be looked up in a table."""
    shapes: list[Any] = [[], {"a": [1]}]
    for path in paths_of(GOOD):
        for new in shapes:
            run(yaml.safe_dump(put(GOOD, path, new)))


@given(cut=st.integers(0, len(yaml.safe_dump(GOOD))), junk=st.binary(max_size=6))
def test_a_damaged_file_is_answered(cut: int, junk: bytes) -> None:
    raw = yaml.safe_dump(GOOD).encode()
    run(raw[:cut] + junk + raw[cut + len(junk) :])


@given(data=st.data(), wrong=st.sampled_from([SECRET, [SECRET], {SECRET: SECRET}, {"key": SECRET}]))
def test_secrets_are_not_shown(data: st.DataObject, wrong: Any) -> None:
    paths = [path for path in paths_of(GOOD) if path and path[-1] in ("api_key", "master_key")]
    path = data.draw(st.sampled_from(paths))
    if isinstance(wrong, dict) and SECRET in wrong:
        wrong = {"key": wrong[SECRET]}
    said = "".join(
        f"{finding}{finding.hint}" for finding in run(yaml.safe_dump(put(GOOD, path, wrong))).findings
    )
    assert SECRET not in said
