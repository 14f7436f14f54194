"""Edits of a LiteLLM config.yaml as people make them: exactly what is said of each, and what is not."""

from __future__ import annotations

import pytest

from pytest_aibackend.diff.changes import Change
from pytest_aibackend.diff.compare import compare
from pytest_aibackend.diff.formats import Comparison, as_markdown
from pytest_aibackend.diff.reading import read_bytes

BASE = """\
model_list:
  - model_name: gpt-4o
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, rpm: 60, timeout: 30}
    model_info: {max_input_tokens: 128000}
  - model_name: local
    litellm_params: {model: openai/qwen, api_base: "http://127.0.0.1:8000/v1", api_key: none, weight: 2}
    model_info: {max_input_tokens: 32000}
  - model_name: local
    litellm_params: {model: openai/qwen, api_base: "http://127.0.0.1:8001/v1", api_key: none, weight: 1}
    model_info: {max_input_tokens: 8000}
  - model_name: vectors
    litellm_params: {model: openai/text-embedding-3-small, api_key: os.environ/OPENAI_API_KEY}
  - model_name: "openai/*"
    litellm_params: {model: "openai/*", api_key: os.environ/OPENAI_API_KEY}
litellm_settings:
  cache: true
  cache_params: {type: redis, host: localhost, port: 6379, ttl: 600}
  success_callback: [prometheus]
router_settings:
  fallbacks: [{local: [gpt-4o]}]
  model_group_alias: {fast: local}
general_settings:
  master_key: os.environ/MK
"""
SECOND = """\
  - model_name: local
    litellm_params: {model: openai/qwen, api_base: "http://127.0.0.1:8001/v1", api_key: none, weight: 1}
    model_info: {max_input_tokens: 8000}
"""
CREDENTIAL = "credential_list: [{credential_name: a, credential_values: {api_key: os.environ/Z}}]\n"
LEAVES = ["cloud-deployment-added breaking,security"]

# By name: what is replaced by what, and what is said: the rule and its classes, the gravest first.
EDITS: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    # The same to LiteLLM.
    "a number in quotes": ([("rpm: 60", 'rpm: "60"')], []),
    "a port in quotes": ([("port: 6379", 'port: "6379"')], []),
    "another spelling of numbers": ([("128000", "1.28e+5"), ("ttl: 600", "ttl: 0x258")], []),
    "LiteLLM's own strategy": ([("  fallbacks:", "  routing_strategy: simple-shuffle\n  fallbacks:")], []),
    "certificates looked at": ([("  cache: true", "  ssl_verify: true\n  cache: true")], []),
    "OpenAI's own address": (
        [("openai/gpt-4o,", 'openai/gpt-4o, api_base: "https://api.openai.com/v1",')],
        [],
    ),
    "another place of fallbacks": (
        [
            ("  fallbacks: [{local: [gpt-4o]}]\n", ""),
            ("  cache: true", "  fallbacks: [{local: [gpt-4o]}]\n  cache: true"),
        ],
        [],
    ),
    # Names.
    "a group renamed": (
        [("model_name: local", "model_name: qwen"), ("{local: [", "{qwen: ["), ("fast: local", "fast: qwen")],
        ["name-changed breaking"],
    ),
    "a group renamed, its alias forgotten": (
        [("model_name: local", "model_name: qwen"), ("{local: [", "{qwen: [")],
        ["name-changed breaking", "alias-retargeted breaking"],
    ),
    "a group renamed, the old name kept": (
        [
            ("model_name: local", "model_name: qwen"),
            ("{local: [gpt-4o]}", "{local: [gpt-4o]}, {qwen: [gpt-4o]}"),
            ("fast: local", "fast: qwen, local: qwen"),
        ],
        ["name-changed info", "fallback-added info"],
    ),
    "the old name kept without its fallbacks": (
        [
            ("model_name: local", "model_name: qwen"),
            ("{local: [", "{qwen: ["),
            ("fast: local", "fast: qwen, local: qwen"),
        ],
        [
            "fallback-removed breaking,performance",
            "name-changed info",
            "cloud-fallback-removed info",
            "fallback-added info",
        ],
    ),
    "an alias renamed": ([("fast: local", "quick: local")], ["name-changed breaking"]),
    "an alias led elsewhere": (
        [("fast: local", "fast: gpt-4o")],
        ["alias-retargeted breaking", *LEAVES, "context-window-grown info"],
    ),
    "one name become two": (
        [("fast: local", "quick: local, slow: local")],
        ["name-removed breaking", "name-added info", "name-added info"],
    ),
    # Model groups.
    "the smaller window shrinks": ([("tokens: 8000", "tokens: 4000")], ["context-window-shrunk breaking"]),
    "the larger window shrinks": ([("32000", "16000")], ["context-window-shrunk breaking"]),
    "the window of a deployment that is asked later": (
        [("weight: 2", "order: 1"), ("weight: 1", "order: 2")],
        [
            *["weight-changed performance"] * 2,
            *["order-changed performance"] * 2,
            "context-window-grown info",
        ],
    ),
    "vectors by a model that makes others": (
        [("text-embedding-3-small", "text-embedding-3-large")],
        ["model-changed breaking"],
    ),
    "vectors by a model that chats": (
        [("openai/text-embedding-3-small", "openai/gpt-4o-mini")],
        ["mode-changed breaking", "model-changed breaking"],
    ),
    # Deployments.
    "other weights, the same shares": (
        [("weight: 2", "weight: 0.5"), ("weight: 1", "weight: 0.25")],
        ["weight-changed info"] * 2,
    ),
    "other shares": ([("weight: 2", "weight: 3")], ["weight-changed performance"]),
    "a server fewer": (
        [(SECOND, "")],
        ["deployment-removed performance", "context-window-grown info"],
    ),
    "this machine by its other name": (
        [("http://127.0.0.1:8000", "http://localhost:8000")],
        ["deployment-moved info"],
    ),
    "a server on another machine, in the open": (
        [("http://127.0.0.1:8000", "http://10.0.0.3:8000")],
        ["outside-endpoint-added security", "encryption-lost security", "deployment-moved info"],
    ),
    "a budget": ([("rpm: 60", "rpm: 60, max_budget: 1")], ["rate-limit-tightened performance"]),
    "certificates of one server": ([("rpm: 60", "rpm: 60, ssl_verify: false")], ["encryption-lost security"]),
    "a key in the open": (
        [("api_key: os.environ/OPENAI_API_KEY, rpm", "api_key: sk-proj-abcdef12345, rpm")],
        ["key-reference-changed security", "secret-inlined security"],
    ),
    "another secret in a header": (
        [("weight: 2", "weight: 2, extra_headers: {Authorization: Bearer 123456789, X-Team: a}")],
        ["secret-inlined security", "deployment-setting-changed info"],
    ),
    "a password in an address": (
        [("http://127.0.0.1:8000", "http://me:12345678@127.0.0.1:8000")],
        ["deployment-moved security", "secret-inlined security"],
    ),
    "a key in the query of an address": (
        [("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1?api_key=abc")],
        ["deployment-moved security", "secret-inlined security"],
    ),
    "who may ask": (
        [("tokens: 32000", "tokens: 32000, access_groups: [beta]")],
        ["deployment-setting-changed security"],
    ),
    "a placeholder for a placeholder": ([("api_key: none, weight: 2", "api_key: EMPTY, weight: 2")], []),
    "a key from a credential": (
        [
            ("api_key: os.environ/OPENAI_API_KEY, rpm", "litellm_credential_name: a, rpm"),
            ("general_settings", f"{CREDENTIAL}general_settings"),
        ],
        [
            "key-reference-changed security",
            "key-reference-changed security",
            "access-setting-changed security",
        ],
    ),
    "a credential that leads elsewhere": (
        [
            (
                'api_base: "http://127.0.0.1:8000/v1", api_key: none',
                "litellm_credential_name: a",
            ),
            (
                "general_settings",
                CREDENTIAL.replace("/Z", '/Z, api_base: "https://c.example.com/v1"') + "general_settings",
            ),
        ],
        [
            *LEAVES,
            "key-reference-changed security",
            "outside-endpoint-added security",
            "access-setting-changed security",
            "deployment-moved info",
            "key-reference-changed info",  # there was a placeholder
        ],
    ),
    # Fallbacks.
    "a fallback for any name": (
        [("  fallbacks:", "  default_fallbacks: [gpt-4o]\n  fallbacks:")],
        ["cloud-fallback-added breaking,security", "fallback-added info"],
    ),
    "a fallback for any name, as a star": (
        [("[{local: [gpt-4o]}]", '[{local: [gpt-4o]}, {"*": [gpt-4o]}]')],
        ["cloud-fallback-added breaking,security", "fallback-added info"],
    ),
    "a chain of its own given up for the one of all": (
        [("[{local: [gpt-4o]}]", '[{"*": [gpt-4o]}]')],
        ["cloud-fallback-added breaking,security", "fallback-removed info", "fallback-added info"],
    ),
    "no fallback": (
        [("[{local: [gpt-4o]}]", "[]")],
        ["fallback-removed breaking,performance", "cloud-fallback-removed info"],
    ),
    # Everything around.
    "the cache on this machine, written differently": (
        [("host: localhost", "host: 127.0.0.1")],
        ["cache-address-changed info"],
    ),
    "the password of the cache": (
        [("ttl: 600", "ttl: 600, password: os.environ/REDIS_PASSWORD")],
        ["cache-setting-changed security"],
    ),
    "the cache with TLS": ([("ttl: 600", "ttl: 600, ssl: true")], ["encryption-gained info"]),
    "parameters left out": (
        [("cache: true", "cache: true\n  drop_params: true")],
        ["parameter-handling-changed info"],
    ),
    "addresses let in": (
        [("  master_key", '  allowed_ips: ["10.0.0.1"]\n  master_key')],
        ["access-setting-changed breaking,security"],
    ),
    "one more way through": (
        [
            (
                "  master_key",
                '  pass_through_endpoints: [{path: /x, target: "http://127.0.0.1:9"}]\n  master_key',
            )
        ],
        ["access-setting-changed security"],
    ),
    "the variable of the master key": (
        [("general_settings", "environment_variables: {MK: os.environ/OTHER}\ngeneral_settings")],
        ["variable-changed breaking,security"],
    ),
    "where prompts are sent": (
        [
            ("[prometheus]", "[prometheus, langfuse]"),
            ("ttl: 600}", 'ttl: 600}\n  callback_settings: {otel: {endpoint: "https://c.example.com"}}'),
        ],
        ["outside-endpoint-added security", "callback-added security", "logging-changed security"],
    ),
}


def between(old: str, new: str) -> list[Change]:
    return compare(read_bytes(old.encode(), "old").meaning, read_bytes(new.encode(), "new").meaning)


def edited(replaced: list[tuple[str, str]]) -> str:
    text = BASE
    for before, after in replaced:
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.mark.parametrize("name", EDITS)
def test_what_is_said_of_an_edit(name: str) -> None:
    replaced, expected = EDITS[name]
    changes = between(BASE, edited(replaced))
    assert [f"{change.rule} {','.join(change.as_dict()['classes'])}" for change in changes] == expected


@pytest.mark.parametrize("name", EDITS)
def test_whoever_notices_nothing_is_told_so_in_info_alone(name: str) -> None:
    for change in between(BASE, edited(EDITS[name][0])):
        if change.notice.startswith("Nothing:") or change.notice == "Nothing.":
            assert change.classes == ("info",) or change.rule in {"secret-inlined", "logging-changed"}


@pytest.mark.parametrize(
    "place",
    [
        "extra_headers: {Authorization: 'Bearer SECRET'}",
        "aws_secret_access_key: SECRET",
        "api_key: SECRET",
        "api_base: 'http://me:SECRET@127.0.0.1:8000/v1'",
        "api_base: 'http://127.0.0.1:8000/v1?api_key=SECRET'",
    ],
)
def test_another_secret_is_a_change_of_security_and_not_shown(place: str) -> None:
    def written(secret: str) -> str:
        entry = f"{{model_name: m, litellm_params: {{model: bedrock/m, {place.replace('SECRET', secret)}}}}}"
        return f"model_list:\n  - {entry}\n"

    changes = between(written("Zq1Zq1Zq1Zq1"), written("Xw2Xw2Xw2Xw2"))
    assert [str(change.gravest) for change in changes] == ["security"]
    told = str([change.as_dict() for change in changes])
    assert "Zq1" not in told
    assert "Xw2" not in told


def test_names_that_changed_keep_their_meaning_there_and_back() -> None:
    there, back = (
        between(*sides)
        for sides in (
            (BASE, edited(EDITS["a group renamed"][0])),
            (edited(EDITS["a group renamed"][0]), BASE),
        )
    )
    (one,), (other,) = there, back
    assert (one.message, one.notice) == (
        "'local' is called 'qwen' now: openai/qwen at 127.0.0.1:8000, openai/qwen at 127.0.0.1:8001",
        "A request for 'local' is refused: ask for 'qwen'.",
    )
    assert other.notice == "A request for 'qwen' is refused: ask for 'local'."


def test_a_name_that_two_could_have_got_is_removed_and_added() -> None:
    def listed(*names: str) -> str:
        return "model_list:\n" + "".join(
            f"  - {{model_name: {name}, litellm_params: {{model: ollama/x}}}}\n" for name in names
        )

    rules = [change.rule for change in between(listed("a"), listed("b", "c"))]
    assert rules == ["name-removed", "name-added", "name-added"]
    assert [change.rule for change in between(listed("a"), listed("b"))] == ["name-changed"]


def test_no_line_end_or_escape_of_a_name_reaches_a_log() -> None:
    hostile = BASE.replace("openai/gpt-4o,", '"openai/x\\n::error::y\\e[31m\\u202E",')
    told = [text for change in between(BASE, hostile) for text in (change.message, change.notice)]
    assert told
    assert all(text.isprintable() for text in told)
    assert any("\\n::error::y" in text for text in told)
    named = BASE.replace("model_name: gpt-4o", 'model_name: "g\\u202E|\\e[31m\\n# h"')
    comparison = Comparison(old=("a", "file"), new=("b", "file"), changes=tuple(between(BASE, named)))
    assert comparison.changes
    assert all(line.replace("\u200b", "").isprintable() for line in as_markdown(comparison).splitlines())
