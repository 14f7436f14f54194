"""The corners of the offline rules: rarer forms of a trouble that each has one example on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_aibackend.findings import Finding
from pytest_aibackend.rules.registry import evaluate
from pytest_aibackend.sources.backend import load_backend
from pytest_aibackend.sources.cycles import shown_cycle
from pytest_aibackend.sources.wording import Suggester

BASE = Path(__file__).parents[1] / "examples" / "base"
PATTERNS = "\npatterns:\n  - pattern: '{}'\n    provider: ollama\n"
MEMBERS = "    preferred_models:\n"
LAB = "  lab:\n    type: openai_compatible\n    base_url: http://127.0.0.1:{}/v1\n"
CLOUD = """
  cloud:
    type: openai
    base_url: https://api.openai.com/v1
    env_var: {}
    models:
      - name: gpt-x
        context_length: 1000
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the base configuration."""
    return Path(shutil.copytree(BASE, tmp_path / "config"))


def findings(config: Path) -> list[Finding]:
    """What the offline rules find, each rule and message once."""
    results = evaluate(load_backend(config)).values()
    assert [result.crash for result in results if result.crash] == []
    found = {
        (each.rule, each.message): each
        for result in results
        for subject in result.findings.values()
        for each in subject
    }
    return list(found.values())


def edit(config: Path, name: str, old: str, new: str) -> None:
    path = config / name
    text = path.read_text(encoding="utf-8")
    assert old in text or not old
    path.write_text(text.replace(old, new, 1) if old else text + new, encoding="utf-8")


GATEWAY, MAPPINGS, PORTS, PROVIDERS = "gateway.yaml", "model-mappings.yaml", "ports.yaml", "providers.yaml"
URL = "url: http://127.0.0.1:4000"


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (GATEWAY, URL, "url: ftp://127.0.0.1", ("gateway-url", "begins with ftp://")),
        (GATEWAY, URL, "url: http://me:pw@127.0.0.1:4000", ("gateway-url", "carries credentials")),
        (GATEWAY, URL, "url: http://127.0.0.1:4001", ("gateway-url", "has port 4001")),
        (PORTS, "port: 4000", "port: 4005", ("gateway-url", "4005")),
        (GATEWAY, URL, "path: ~nobody-here/x.yaml", ("wrong-format", "deploy.path is '~nobody-here/x.yaml'")),
        (GATEWAY, URL, 'state_dir: "a\\0b"', ("wrong-format", "deploy.state_dir is 'a\\x00b'")),
        (GATEWAY, URL, f"state_dir: /a/{'ä' * 128}", ("wrong-format", "deploy.state_dir")),
        (GATEWAY, URL, "backup_dir: ~nobody-here/b", ("wrong-format", "deploy.backup_dir")),
        (GATEWAY, URL, "service: {pidfile: ~nobody-here/p}", ("wrong-format", "deploy.service.pidfile")),
        (PROVIDERS, "http://127.0.0.1:8001", "http://[::1", ("malformed-url", "brackets")),
        (PROVIDERS, "http://127.0.0.1:8001", "http://a_b!c:8001", ("malformed-url", "no server can have")),
        (PROVIDERS, "http://127.0.0.1:8001", "http://here:80:01", ("malformed-url", "more than one port")),
        (PROVIDERS, "http://127.0.0.1:8001", "http://here:99999", ("malformed-url", "port 99999")),
        (PROVIDERS, "http://127.0.0.1:8001", "http://he re:8001", ("malformed-url", "holds white space")),
        (PROVIDERS, "http://127.0.0.1:8001", "http://:8001", ("malformed-url", "names no host")),
        (MAPPINGS, "", PATTERNS.format("a{99999999999}"), ("pattern-syntax", "does not compile: the rep")),
        (
            MAPPINGS,
            "",
            PATTERNS.format("(" * 3000 + ")" * 3000),
            ("pattern-syntax", "does not compile: maximum"),
        ),
        (
            MAPPINGS,
            "      - llama3.1:8b\n  coder",
            "      - ' '\n  coder",
            ("unknown-model", "without a name"),
        ),
        (
            MAPPINGS,
            "    preferred_models:",
            "    fallback: code\n    preferred_models:",
            ("self-fallback", "'code'"),
        ),
        (PROVIDERS, "", CLOUD.format("sk-no-name"), ("wrong-format", "env_var")),
    ],
)
def test_corner(config: Path, name: str, old: str, new: str, expected: tuple[str, str]) -> None:
    edit(config, name, old, new)
    rule, said = expected
    found = findings(config)
    assert [each for each in found if each.rule == rule and said in each.message], found


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            MAPPINGS,
            "",
            PATTERNS.format("*coder"),
            (
                "pattern '*coder' does not compile: nothing to repeat at character 1"
                " | begin with .* where anything may stand"
            ),
        ),
        (
            MAPPINGS,
            "capabilities:\n  code:\n    preferred_models:\n",
            (
                "patterns: [{pattern: ^Qwen/.*, provider: vllm}]\n"
                "capabilities:\n  code:\n    preferred_models:\n      - Qwen/any\n"
            ),
            "capability 'code' names model 'Qwen/any', which only a pattern matches | define a route for it",
        ),
        (
            MAPPINGS,
            "    backend_model: Qwen/Qwen2.5-Coder-7B-Instruct-AWQ\n",
            "    backend_model: Qwen/Qwen2.5-Coder-7B-Instruct-AWG\n",
            (
                "route 'qwen-coder-vllm' names model 'Qwen/Qwen2.5-Coder-7B-Instruct-AWG' of provider 'vllm',"
                " which does not list it | did you mean 'Qwen/Qwen2.5-Coder-7B-Instruct-AWQ'?"
            ),
        ),
        (
            MAPPINGS,
            "    backend_model: Qwen/Qwen2.5-Coder-7B-Instruct-AWQ\n",
            "    backend_model: llama3.1:8b\n",
            (
                "route 'qwen-coder-vllm' names model 'llama3.1:8b' of provider 'vllm', which does not list it"
                " | it is a model of provider 'ollama'; 'vllm' lists 'Qwen/Qwen2.5-Coder-7B-Instruct-AWQ'"
            ),
        ),
        (
            MAPPINGS,
            MEMBERS,
            f"{MEMBERS}      - Qwen/Qwen2.5-Coder-7B-Instruct-AWQ\n",
            (
                "capability 'code' names model 'Qwen/Qwen2.5-Coder-7B-Instruct-AWQ', which is served as"
                " 'qwen-coder-vllm' only | did you mean 'qwen-coder-vllm'?"
            ),
        ),
        (
            MAPPINGS,
            "  code:\n    preferred_models:\n",
            "  small: {preferred_models: [llama3.1:8b]}\n  code:\n    preferred_models:\n      - small\n",
            (
                "capability 'code' names model 'small', which is a capability and not a model group"
                " | name the models themselves"
            ),
        ),
        (
            MAPPINGS,
            "  coder:\n    providers:\n",
            "  coder:\n    providers:\n      - {provider: ollama, model: 'qwen2.5-coder:7b'}\n",
            (
                "load-balancing group 'coder' names 'ollama: qwen2.5-coder:7b' more than once"
                " | remove it, or name the one meant"
            ),
        ),
        (
            MAPPINGS,
            "    provider: ollama\n",
            "    provider: llama3.1:8b\n",
            (
                "route 'llama3.1:8b' names provider 'llama3.1:8b', which providers.yaml does not define"
                " | 'llama3.1:8b' is a model of provider 'ollama'; name the provider here"
            ),
        ),
        (
            PROVIDERS,
            "",
            LAB.format(9009),
            (
                "provider 'lab' is at port 9009, which no service has"
                " | mend base_url, or register the service in ports.yaml"
            ),
        ),
        (
            PROVIDERS,
            "",
            LAB.format(6379),
            (
                "provider 'lab' is at port 6379, which belongs to service 'redis'"
                " | mend base_url, or register the provider's service in ports.yaml"
            ),
        ),
        (
            MAPPINGS,
            "",
            "patterns: [{provider: ollama}]\n",
            "patterns[0] has no 'pattern' | add pattern:",
        ),
        (
            PORTS,
            "ranges:",
            "reservd: {lab: {port: 9000}}\nranges:",
            "reservd has no 'port' | did you mean the section 'reserved'? A service needs port:",
        ),
        (
            PORTS,
            "  llm_inference: 8000-8999",
            "  llm_inference: 8000-8999\n  small: 8100-8199\n  last: 8900-9100",
            "range 'last' overlaps with 'llm_inference' in 8900-8999 | move the bounds apart",
        ),
        (
            PORTS,
            "redis-cli -p 6379",
            "redis-cli -h 127.0.0.1 -p 6380",
            (
                "the health check of service 'redis' asks port 6380, not 6379"
                " | ask port 6379, or mend the service's port"
            ),
        ),
    ],
)
def test_message_and_hint(config: Path, name: str, old: str, new: str, said: str) -> None:
    edit(config, name, old, new)
    assert said in [f"{each.message} | {each.hint}" for each in findings(config)]


@pytest.mark.parametrize(
    ("status", "models", "hint"),
    [
        ("disabled", "[a]", "name a model; provider 'lab' is not active"),
        ("active", "[a, b]", "name one of its models: 'a', 'b'"),
        ("active", "[]", "name one of its models"),
    ],
)
def test_a_provider_in_the_place_of_a_model(config: Path, status: str, models: str, hint: str) -> None:
    edit(config, PROVIDERS, "", f"{LAB.format(9009)}    status: {status}\n    models: {models}\n")
    edit(config, MAPPINGS, MEMBERS, f"{MEMBERS}      - lab\n")
    (found,) = [each for each in findings(config) if each.rule == "provider-as-model"]
    assert found.message == "capability 'code' names 'lab', which is a provider and not a model"
    assert found.hint == hint


def test_the_default_chain_is_for_no_model_of_that_name(config: Path) -> None:
    edit(config, MAPPINGS, "", "  default: [llama3.1:8b]\nrouting_rules: {default_provider: ollama}\n")
    assert [each for each in findings(config) if each.location.file.endswith(MAPPINGS)] == []


def test_a_long_cycle_is_shown_in_one_line() -> None:
    cycle = [f"m{number}" for number in range(20)]
    shown = shown_cycle(cycle)
    assert shown.startswith("'m0' -> 'm1' -> ")
    assert shown.endswith(" more) -> 'm19' -> 'm0'")
    assert sum(f"'{name}'" in shown for name in cycle) + int(shown.partition("(")[2].split()[0]) == 20


def test_a_health_check_of_another_machine_may_ask_any_port(config: Path) -> None:
    edit(config, PORTS, "redis-cli -p 6379", "redis-cli -h cache.example -p 6380")
    assert [each for each in findings(config) if each.location.file.endswith(PORTS)] == []


def test_a_pattern_that_is_missing_has_a_name(config: Path) -> None:
    edit(config, MAPPINGS, "", "patterns: [{provider: ollama}]\n")
    (found,) = [each for each in findings(config) if each.rule == "missing-key"]
    assert found.subject == "patterns[0]"


@pytest.mark.parametrize("whole", ["providers: [ollama, vllm]\n", "provders: {}\n"])
def test_providers_that_cannot_be_read_are_not_called_unknown(config: Path, whole: str) -> None:
    (config / PROVIDERS).write_text(whole, encoding="utf-8")
    found = findings(config)
    assert "unknown-provider" not in {each.rule for each in found}
    assert [each.rule for each in found if each.location.file.endswith(PROVIDERS)]


def test_many_unknown_names_get_no_suggestions_any_more() -> None:
    known = [f"model-{number}" for number in range(4_000)]
    suggester = Suggester()
    hints = [suggester.hint("model-3x99", known, otherwise="look it up") for _ in range(4)]
    assert hints == ["did you mean 'model-399'?"] * 2 + ["look it up"] * 2
    assert Suggester().find("", known) is None


def test_the_gateways_port_without_its_file(config: Path) -> None:
    (config / GATEWAY).unlink()
    edit(config, PORTS, "port: 4000", "port: 4005")
    (found,) = [each for each in findings(config) if each.rule == "gateway-url"]
    assert found.location.file.endswith(PORTS)
    assert "deploy.url without gateway.yaml" in found.message


def test_a_variable_in_a_wrong_form_is_one_finding(config: Path) -> None:
    edit(config, PROVIDERS, "", CLOUD.format("sk-no-name"))
    about = [each for each in findings(config) if "env_var" in each.message]
    assert [each.rule for each in about] == ["wrong-format"]
    assert "sk-no-name" not in str(about)


def test_a_secret_in_the_file_is_told_once(config: Path) -> None:
    edit(config, GATEWAY, "os.environ/LITELLM_MASTER_KEY", "Wq8-tr4in-7Lamp-9cloud")
    rules = [each.rule for each in findings(config)]
    assert rules.count("literal-secret") == 1
    assert not {"master-key-literal", "master-key-weak"} & set(rules)


def test_unreadable_providers_are_not_blamed_on_those_who_name_them(config: Path) -> None:
    edit(config, PROVIDERS, "  vllm:\n    type: vllm", "  vllm: 7\n  other:\n    type: vllm")
    rules = {each.rule for each in findings(config)}
    assert "unknown-provider" not in rules
    assert "wrong-type" in rules
