"""The corners of the lint rules: what depends on the gateway's environment, its version, or a rarer form."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pytest_aibackend.findings import Finding
from pytest_aibackend.litellm.lint import run as running
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rules
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.schema import load_schema

Said = tuple[int, str, str]  # the line, the rule, and a part of the message
KEY = "general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}\n"
LLAMA = """\
model_list:
  - {model_name: llama, litellm_params: {model: ollama_chat/llama3.1, api_base: 'http://10.0.0.1:11434'}}
"""
HEAD = KEY + LLAMA  # three lines: what a case adds begins in the fourth
GOOD_KEY = "sk-9f1c2b7a5e4d48c08a6f"


def findings(
    text: str, environment: Mapping[str, str] | None = None, version: str = "1.106"
) -> tuple[Finding, ...]:
    document = LintDocument.read(text.encode(), "c.yaml")
    return running.lint(document, load_schema(version), environment=environment).findings


def assert_said(found: tuple[Finding, ...], expected: list[Said]) -> None:
    assert [(each.location.line, each.rule) for each in found] == [each[:2] for each in expected], found
    for finding, (_, _, part) in zip(found, expected, strict=True):
        assert part in finding.message


def model(*params: str, info: str = "") -> str:
    about = f", model_info: {{{info}}}" if info else ""
    return f"  - {{model_name: it, litellm_params: {{{', '.join(params)}}}{about}}}\n"


VLLM, OPENAI = "model: hosted_vllm/m", "model: openai/m"
AT = "api_base: 'http://10.0.0.2:8000/v1'"
BY_VARIABLE = model(OPENAI, AT, "api_key: os.environ/K")
REDIS = "litellm_settings: {cache: true, cache_params: {type: redis, namespace: n}}\n"


@pytest.mark.parametrize(
    ("added", "environment", "expected"),
    [
        (REDIS, {"REDIS_URL": "redis://10.0.0.1:6379"}, []),
        (REDIS, {}, [(4, "cache-without-address", "REDIS_HOST is not set: LiteLLM does not start")]),
        (model("model: ollama/m"), {"OLLAMA_API_BASE": "http://10.0.0.1:11434"}, []),
        (model(VLLM), {"HOSTED_VLLM_API_BASE": "http://10.0.0.1:8000/v1"}, []),
        (model(VLLM), {}, [(4, "api-base-missing", "api.openai.com, unless HOSTED_VLLM_API_BASE is set")]),
        (model(OPENAI, AT), {"OPENAI_API_KEY": "x"}, []),
        (model(OPENAI, AT), {}, [(4, "api-key-missing", "no api_key, and OPENAI_API_KEY is not set")]),
        (model("model: groq/m"), {}, [(4, "api-key-missing", "no api_key, and GROQ_API_KEY is not set")]),
        # What stands in the config's own block is set after LiteLLM has looked for the variables of the rest.
        (BY_VARIABLE + "environment_variables: {K: x}\n", {}, [(4, "late-variable", "sets K after")]),
        (BY_VARIABLE + "environment_variables: {K: x}\n", {"K": ""}, [(4, "late-variable", "sets K after")]),
        (BY_VARIABLE + "environment_variables: {K: x}\n", {"K": "y"}, []),
        (BY_VARIABLE + "environment_variables: {K: }\n", {}, [(4, "unset-variable", "K, which is not set")]),
        (
            BY_VARIABLE + "environment_variables: {K: os.environ/K}\n",
            {},
            [(5, "unset-variable", "environment_variables.K is taken from K, which is not set")],
        ),
    ],
)
def test_where_the_environment_is_known(
    added: str, environment: dict[str, str], expected: list[Said]
) -> None:
    assert_said(findings(HEAD + added, {"LITELLM_MASTER_KEY": GOOD_KEY, **environment}), expected)


def test_a_key_for_every_deployment() -> None:
    settings = "litellm_settings: {openai_key: os.environ/K}\n"
    found = findings(HEAD + model(OPENAI, AT) + settings, {"LITELLM_MASTER_KEY": GOOD_KEY, "K": "x"})
    assert_said(found, [])


PERMIT = "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"
BLOCK = "environment_variables: {LITELLM_MASTER_KEY: os.environ/K}\n"


@pytest.mark.parametrize(
    ("added", "environment", "expected"),
    [
        ("", {"LITELLM_MASTER_KEY": GOOD_KEY}, []),
        ("", {PERMIT: "True"}, [(1, "master-key-unnamed", "lets LiteLLM start without")]),
        # The block is read before LiteLLM looks for the variable that nothing names.
        (BLOCK, {"K": GOOD_KEY}, []),
        (BLOCK, {"K": GOOD_KEY, "LITELLM_MASTER_KEY": ""}, []),
        (BLOCK, {"K": GOOD_KEY, PERMIT: "true"}, []),
        (BLOCK, {"K": "sk-1234"}, [(3, "master-key-weak", "is the one from LiteLLM's documentation")]),
        (BLOCK, {"K": f"{GOOD_KEY}\n"}, [(3, "master-key-unusable", "a line break at an end")]),
        ("general_settings: {master_key: 2024-05-31}\n", {}, [(3, "wrong-type", "is a date, and")]),
        ("general_settings: {master_key: 1.5}\n", {}, [(3, "wrong-type", "is a number, and")]),
        ("general_settings: {master_key: !!binary c2s=}\n", {}, [(3, "wrong-type", "is binary data, and")]),
    ],
)
def test_the_master_key(added: str, environment: dict[str, str], expected: list[Said]) -> None:
    assert_said(findings(LLAMA + added, environment), expected)


OLLAMA = ("model: ollama/m", "api_base: 'http://10.0.0.1:11434'")
URL = "vault.example.org/v1/key"
GUARD = "guardrails: [{{guardrail_name: g, litellm_params: {{guardrail: presidio, {}}}}}]\n"
GROUPS = """\
router_settings:
  routing_groups:
    - {group_name: [a], models: [llama], routing_strategy: least-busy}
    - 7
    - {group_name: b, models: [8, llama], routing_strategy: least-busy}
"""


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        # What servers of vLLM and others take is sent on to them; a note may resemble a key.
        (model(VLLM, AT, "min_tokens: 5", "top_a: 1", "plugins: []"), []),
        (model(*OLLAMA, info="node: 2"), []),
        (model(*OLLAMA, info="created_at: '1717142400'"), []),
        (model(*OLLAMA, info="updated_at: 'yesterday'"), [(4, "malformed-time", "is 'yesterday'")]),
        # Whatever pydantic takes for a flag; LiteLLM takes any other text for off, and only logs it.
        ("litellm_settings: {drop_params: ' On '}\n", []),
        ("litellm_settings: {drop_params: banana}\n", [(4, "wrong-type", "is the text 'banana'")]),
        # A URL is no secret in itself, whatever its field is called; a password in it is one.
        (model(VLLM, AT, f"api_key: 'https://{URL}'"), []),
        (
            model(VLLM, AT, f"api_key: 'https://me:9f1c2b7a5e4d@{URL}'"),
            [(4, "credentials-in-url", "model_list[1].litellm_params.api_key carries a password")],
        ),
        # A model of Replicate is known by the digest behind its name.
        (model(f"model: 'stability-ai/sdxl:{'0123456789abcdef' * 4}'", "api_key: os.environ/K"), []),
        (
            model("model: some-model", "api_base: 'http://[::1'"),
            [(4, "provider-unresolved", "'some-model' names no"), (4, "malformed-url", "not hold an IPv6")],
        ),
        (model("model: some-model"), [(4, "provider-unresolved", "'some-model' names no provider")]),
        (model(*OLLAMA).replace("it,", '"a\\tb",'), [(4, "unusable-name", "another control character")]),
        # A guardrail's moment is read in whatever case, and no other word of it.
        (GUARD.format("mode: PRE_CALL"), []),
        (
            GUARD.format("mode: pre_call, presidio_run_on: BOTH"),
            [(4, "unknown-value", "is 'BOTH'; LiteLLM knows 'input', 'output', 'both'")],
        ),
        ("litellm_settings: {drop_params: 1}\n", []),
        ("litellm_settings: {drop_params: [seed]}\n", [(4, "wrong-type", "should be true or false")]),
        # Nothing at all, where LiteLLM looks into a mapping.
        ("  -\n", [(4, "wrong-type", "model_list[1] is nothing, and should be a mapping")]),
        ("guardrails: [null]\n", [(4, "wrong-type", "guardrails[0] is nothing")]),
        ("mcp_servers:\n  x:\n", [(5, "wrong-type", "mcp_servers.x is nothing")]),
        ("router_settings: {routing_groups: [null]}\n", [(4, "wrong-type", "routing_groups[0] is nothing")]),
        ("litellm_settings: {callbacks: [null]}\n", [(4, "callback-unknown", "callbacks[0] is no name")]),
        ("litellm_settings: {success_callback: [{a: 1}]}\n", []),
        ("litellm_settings: {success_callback: [7]}\n", [(4, "callback-unknown", "[0] is no name")]),
        ("router_settings: {model_group_retry_policy: {llama: null}}\n", []),
        (
            GROUPS,
            [
                (6, "wrong-type", "group_name is a list, and should be text"),
                (7, "wrong-type", "router_settings.routing_groups[1] is 7, and should be a mapping"),
                (8, "wrong-type", "models[0] is 8, and should be text"),
            ],
        ),
    ],
)
def test_corner(added: str, expected: list[Said]) -> None:
    assert_said(findings(HEAD + added), expected)


@pytest.mark.parametrize(
    ("only", "expected"), [("[llama]", []), ("[it]", [(4, "health-checks-billed", "1 ev")])]
)
def test_health_checks_of_some_groups(only: str, expected: list[Said]) -> None:
    settings = KEY.replace(
        "}", f", background_health_checks: true, background_health_check_model_groups: {only}}}"
    )
    paid = model("model: openai/gpt-4o", "api_key: os.environ/K")
    assert_said(findings(LLAMA + paid + settings), expected)


@pytest.mark.parametrize(
    ("version", "expected"), [("1.85", []), ("1.106", [(4, "mcp-without-flow", "LiteLLM does not start")])]
)
def test_what_only_newer_versions_ask_for(version: str, expected: list[Said]) -> None:
    server = "mcp_servers: {x: {url: 'http://10.0.0.1:1/mcp', auth_type: oauth2}}\n"
    assert_said(findings(HEAD + server, version=version), expected)


def test_an_included_file_may_be_empty(tmp_path: Path) -> None:
    """LiteLLM takes it for one without sections, and refuses to start with a first file that is empty."""
    (tmp_path / "none.yaml").write_text("# nothing yet\n")
    (tmp_path / "null.yaml").write_text("~\n")
    path = tmp_path / "c.yaml"
    path.write_text(f"include: [none.yaml, null.yaml]\n{HEAD}")
    document = LintDocument.read(path.read_bytes(), "c.yaml", str(path))
    (found,) = running.lint(document, load_schema("1.106")).findings
    assert (str(found.severity), found.rule, found.location.file) == ("warning", "empty-file", "none.yaml")
    assert_said(findings("~\n"), [(1, "wrong-top-level", "the file holds nothing")])


def test_a_fault_of_a_rule_names_the_rule_and_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(context: LintContext) -> Iterator[LintProblem]:
        raise KeyError(context.document.files[0].display)

    rule = dataclasses.replace(lint_rules()["unknown-key"], find=find)
    monkeypatch.setattr(running, "lint_rules", lambda: {rule.id: rule})
    with pytest.raises(KeyError) as caught:
        findings(HEAD)
    assert caught.value.__notes__ == ["in lint rule unknown-key, on c.yaml"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (None, []),  # nobody knows what the variable says
        ({"P": "hosted_vllm", "LITELLM_MASTER_KEY": GOOD_KEY}, []),
        (
            {"P": "vlm", "LITELLM_MASTER_KEY": GOOD_KEY},
            [(4, "provider-unresolved", "no provider 'os.environ/P'")],
        ),
    ],
    ids=["not known", "a provider", "none"],
)
def test_a_provider_that_a_variable_names(environment: dict[str, str] | None, expected: list[Said]) -> None:
    text = HEAD + model("model: m", AT, "api_key: none", "custom_llm_provider: os.environ/P")
    assert_said(findings(text, environment), expected)
