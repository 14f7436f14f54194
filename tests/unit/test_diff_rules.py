"""Each rule of change sees its change, says what kind it is, and is silent without it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_aibackend.diff.catalogue import change_rules
from pytest_aibackend.diff.changes import Change
from pytest_aibackend.diff.compare import compare
from pytest_aibackend.diff.deployment import windows_of
from pytest_aibackend.diff.documentation import render
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.planned import meaning_of_backend
from pytest_aibackend.sources.backend import load_backend

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
Config = dict[str, Any]  # of a directory, by the stem of the file
BASE: Config = {
    file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))
    for file in sorted(CONFIG.glob("*.yaml"))
    if file.stem != "litellm-unified"
}


def setting(*path: Any, to: Any = None) -> Callable[[Config], None]:
    """Return a change that sets a value, or takes it away."""

    def change(config: Config) -> None:
        holder: Any = config
        for step in path[:-1]:
            holder = holder.setdefault(step, {}) if isinstance(holder, dict) else holder[step]
        if to is None:
            del holder[path[-1]]
        else:
            holder[path[-1]] = to

    return change


def moved(*path: Any, to: str) -> Callable[[Config], None]:
    """Return a change that gives what stands there another name."""

    def change(config: Config) -> None:
        holder: Any = config
        for step in path[:-1]:
            holder = holder[step]
        holder[to] = holder.pop(path[-1])

    return change


def both(*changes: Callable[[Config], None]) -> Callable[[Config], None]:
    def change(config: Config) -> None:
        for each in changes:
            each(config)

    return change


PROVIDERS = ("providers", "providers")
ROUTES = ("model-mappings", "exact_matches")
CHAINS = ("model-mappings", "fallback_chains")
MEMBERS = ("model-mappings", "load_balancing", "general-chat", "providers")
LITELLM = ("gateway", "litellm_settings")
ROUTER = ("gateway", "router_settings")
GENERAL = ("gateway", "general_settings")
VLLM_MODEL = (*PROVIDERS, "vllm", "models", 0)
CLOUD = both(
    setting(
        *PROVIDERS,
        "groq",
        to={
            "type": "openai_compatible",
            "base_url": "https://api.groq.com/openai/v1",
            "env_var": "GROQ_API_KEY",
            "requires_api_key": True,
            "models": ["big"],
        },
    ),
    setting(*ROUTES, "big", to={"provider": "groq"}),
)
NOTHING = both()
EMBEDDINGS = both(
    setting(*PROVIDERS, "ollama", "models", 2, "name", to="bge-m3"),
    setting(*ROUTES, "nomic-embed-text", "backend_model", to="bge-m3"),
)
ALIAS = (*ROUTER, "model_group_alias")

# By rule: what happens before both sides are told apart, and what happens between the two.
CASES: dict[str, tuple[Callable[[Config], None], Callable[[Config], None]]] = {
    "name-removed": (CLOUD, both(setting(*ROUTES, "big"), setting(*PROVIDERS, "groq"))),
    "name-changed": (
        NOTHING,
        both(
            moved(*ROUTES, "llama3.2:3b", to="small"),
            setting("model-mappings", "capabilities", "fast", "preferred_models", to=["small"]),
            setting(*CHAINS, "mistral-7b", "chain", to=["small"]),
            setting(*CHAINS, "llama3.1:8b", "chain", to=["mistral-7b", "small"]),
            setting(*CHAINS, "general-chat", "chain", to=["small"]),
        ),
    ),
    "alias-retargeted": (
        NOTHING,
        setting("model-mappings", "capabilities", "fast", "preferred_models", to=["mistral-7b"]),
    ),
    "name-hidden": (
        setting(*ALIAS, to={"quick": {"model": "mistral-7b", "hidden": False}}),
        setting(*ALIAS, to={"quick": {"model": "mistral-7b", "hidden": True}}),
    ),
    "pattern-removed": (NOTHING, setting("model-mappings", "patterns", to=[])),
    "mode-changed": (NOTHING, setting(*VLLM_MODEL, "mode", to="completion")),
    "context-window-shrunk": (NOTHING, setting(*VLLM_MODEL, "context_length", to=4096)),
    "model-changed": (NOTHING, EMBEDDINGS),
    "cost-changed": (
        NOTHING,
        setting(*VLLM_MODEL, "passthrough", to={"litellm_params": {"input_cost_per_token": 0.001}}),
    ),
    "deployment-removed": (
        NOTHING,
        lambda config: config["model-mappings"]["load_balancing"]["general-chat"]["providers"].pop(),
    ),
    "deployment-moved": (NOTHING, setting(*PROVIDERS, "vllm", "base_url", to="http://127.0.0.1:8009")),
    "weight-changed": (NOTHING, setting(*MEMBERS, 0, "weight", to=0.5)),
    "order-changed": (
        NOTHING,
        setting(
            "model-mappings", "capabilities", "chat", "preferred_models", to=["mistral-7b", "llama3.1:8b"]
        ),
    ),
    "rate-limit-tightened": (NOTHING, setting(*VLLM_MODEL, "rpm", to=10)),
    "time-limit-changed": (NOTHING, setting(*VLLM_MODEL, "timeout_seconds", to=10)),
    "key-reference-changed": (CLOUD, setting(*PROVIDERS, "groq", "env_var", to="OTHER_API_KEY")),
    "deployment-setting-changed": (NOTHING, setting(*VLLM_MODEL, "options", to={"temperature": 0.1})),
    "cloud-deployment-added": (
        CLOUD,
        setting(
            *MEMBERS,
            to=[
                *BASE["model-mappings"]["load_balancing"]["general-chat"]["providers"],
                {"provider": "groq", "model": "big"},
            ],
        ),
    ),
    "cloud-fallback-added": (CLOUD, setting(*CHAINS, "mistral-7b", "chain", to=["llama3.2:3b", "big"])),
    "outside-endpoint-added": (NOTHING, CLOUD),
    "fallback-removed": (NOTHING, setting(*CHAINS, "mistral-7b")),
    "fallback-reordered": (
        NOTHING,
        setting(*CHAINS, "llama3.1:8b", "chain", to=["llama3.2:3b", "mistral-7b"]),
    ),
    "provider-removed": (NOTHING, setting(*PROVIDERS, "vllm")),
    "provider-disabled": (NOTHING, setting(*PROVIDERS, "vllm", "status", to="disabled")),
    "provider-moved": (NOTHING, setting(*PROVIDERS, "vllm", "base_url", to="http://127.0.0.1:8009")),
    "provider-type-changed": (NOTHING, setting(*PROVIDERS, "vllm", "type", to="openai_compatible")),
    "provider-renamed": (
        NOTHING,
        both(
            moved(*PROVIDERS, "vllm", to="fast"),
            setting(*ROUTES, "qwen-coder-vllm", "provider", to="fast"),
            setting("model-mappings", "patterns", 0, "provider", to="fast"),
        ),
    ),
    "provider-check-changed": (NOTHING, setting(*PROVIDERS, "vllm", "required", to=True)),
    "port-renamed": (NOTHING, moved("ports", "vllm", to="fast")),
    "port-moved": (NOTHING, setting("ports", "vllm", "port", to=8009)),
    "port-removed": (NOTHING, setting("ports", "vllm")),
    "port-protocol-changed": (NOTHING, setting("ports", "vllm", "protocol", to="tcp")),
    "port-required-changed": (NOTHING, setting("ports", "vllm", "required", to=True)),
    "master-key-changed": (NOTHING, setting(*GENERAL, "master_key", to="os.environ/OTHER_KEY")),
    "bind-address-changed": (NOTHING, setting("gateway", "deploy", "url", to="http://0.0.0.0:4000")),
    "gateway-address-changed": (NOTHING, setting("gateway", "deploy", "url", to="http://127.0.0.1:4001")),
    "access-setting-changed": (NOTHING, setting(*GENERAL, "allow_client_side_credentials", to=True)),
    "encryption-lost": (NOTHING, setting(*LITELLM, "ssl_verify", to=False)),
    "encryption-setting-changed": (NOTHING, setting(*LITELLM, "ssl_security_level", to="DEFAULT@SECLEVEL=1")),
    "callback-added": (NOTHING, setting(*LITELLM, "success_callback", to=["langfuse"])),
    "logging-changed": (NOTHING, setting(*LITELLM, "turn_off_message_logging", to=True)),
    "variable-changed": (
        NOTHING,
        setting("gateway", "environment_variables", to={"GROQ_API_KEY": "os.environ/OTHER"}),
    ),
    "secret-inlined": (NOTHING, setting(*LITELLM, "cache_params", "password", to="hunter2-hunter2")),
    "cache-off": (NOTHING, setting(*LITELLM, "cache", to=False)),
    "cache-namespace-changed": (NOTHING, setting(*LITELLM, "cache_params", "namespace", to="other")),
    "cache-lifetime-changed": (NOTHING, setting(*LITELLM, "cache_params", "ttl", to=60)),
    "cache-address-changed": (NOTHING, setting(*LITELLM, "cache_params", "port", to=6380)),
    "cache-setting-changed": (
        NOTHING,
        setting(*LITELLM, "cache_params", "supported_call_types", to=["acompletion"]),
    ),
    "routing-strategy-changed": (NOTHING, setting(*ROUTER, "routing_strategy", to="least-busy")),
    "timeout-changed": (NOTHING, setting(*LITELLM, "request_timeout", to=30)),
    "retries-changed": (NOTHING, setting(*ROUTER, "num_retries", to=5)),
    "cooldown-changed": (NOTHING, setting(*ROUTER, "cooldown_time", to=5)),
    "routing-changed": (NOTHING, setting(*ROUTER, "enable_pre_call_checks", to=True)),
    "gateway-limit-changed": (NOTHING, setting(*GENERAL, "max_parallel_requests", to=5)),
    "parameter-handling-changed": (NOTHING, setting(*LITELLM, "drop_params", to=False)),
    "workers-changed": (NOTHING, setting("gateway", "deploy", "workers", to=4)),
    "setting-changed": (NOTHING, setting(*LITELLM, "timezone", to="UTC")),
    "hidden-group-changed": (
        both(CLOUD, setting(*ALIAS, to={"big": "mistral-7b"})),
        both(setting(*ROUTES, "big"), setting(*PROVIDERS, "groq")),
    ),
    "writing-changed": (
        setting(*ROUTER, "context_window_fallbacks", to=[{"code": ["chat"]}]),
        setting(*ROUTER, "context_window_fallbacks", to=[{"code": [{"model": "chat", "temperature": 0}]}]),
    ),
    "deploy-setting-changed": (NOTHING, setting("gateway", "deploy", "retention", "recent", to=3)),
}
NOT_READ = "a key that nothing reads"  # and that the schema refuses
# What hardly is a change, and all that is said of it.
HARDLY: dict[str, tuple[Callable[[Config], None], set[str]]] = {
    "a window that is no longer known": (setting(*PROVIDERS, "ollama", "models", 0, "context_length"), set()),
    "a directory written in another way": (
        setting("gateway", "deploy", "backup_dir", to="./backups/"),
        set(),
    ),
    NOT_READ: (setting("gateway", "deploy", "retention", "notes", to="few"), set()),
    "an address written otherwise": (
        setting(*PROVIDERS, "vllm", "base_url", to="HTTP://127.0.0.1:8001/"),
        {"deployment-moved"},
    ),
    "a port with another name and other words": (
        both(moved("ports", "vllm", to="fast"), setting("ports", "fast", "description", to="words")),
        {"port-renamed"},
    ),
    "a provider with another name and other words": (
        both(CASES["provider-renamed"][1], setting(*PROVIDERS, "fast", "description", to="words")),
        {"provider-renamed"},
    ),
}
SEEN = {rule: name for name in CASES for rule in (name, change_rules()[name].opposite)}
UPDATE = os.environ.get("UPDATE_EXAMPLES") == "1"
EXPECTED = ROOT / "tests" / "examples" / "diff" / "expected.txt"


def changes(folder: Path, name: str, *, back: bool = False) -> list[Change]:
    before, between = CASES[name]
    sides = meanings(folder, before, between)
    assert compare(sides[0], sides[0]) == []
    return compare(*reversed(sides)) if back else compare(*sides)


def meanings(
    folder: Path, before: Callable[[Config], None], between: Callable[[Config], None], *, valid: bool = True
) -> list[Meaning]:
    """Return both sides of a change, from directories."""
    old = copy.deepcopy(BASE)
    before(old)
    new = copy.deepcopy(old)
    between(new)
    sides = []
    for side, config in (("old", old), ("new", new)):
        (folder / side).mkdir()
        for stem, data in config.items():
            (folder / side / f"{stem}.yaml").write_text(
                yaml.safe_dump(data, sort_keys=False), encoding="utf-8"
            )
        backend = load_backend(folder / side)
        found = [str(each) for role in config for each in backend.schema_findings(role)]
        assert found == [] or not valid
        sides.append(meaning_of_backend(backend))
    return sides


@pytest.mark.parametrize("name", HARDLY)
def test_what_hardly_is_a_change(tmp_path: Path, name: str) -> None:
    between, said = HARDLY[name]
    old, new = meanings(tmp_path, NOTHING, between, valid=name != NOT_READ)
    for there in (compare(old, new), compare(new, old)):
        assert {change.rule for change in there} == said
        assert {each for change in there for each in change.classes} <= {"info"}


def test_a_window_shrinks_only_where_it_surely_does() -> None:
    """All groups of up to three deployments, against every size that the unknown ones may have."""
    sizes = (1, 2, 3)
    groups = [group for count in sizes for group in combinations_with_replacement((None, *sizes), count)]
    for old, new in product(groups, groups):
        before, after = (windows_of((None, size) for size in group) for group in (old, new))
        if before is None or after is None:
            continue
        lost = after.is_less_than(before)
        assert not (lost and before.is_less_than(after))
        unknown = None in old, None in new
        if unknown == (False, False):
            assert lost == ((min(new), max(new)) < (min(old), max(old)))  # type: ignore[type-var]  # all known
        elif lost and unknown != (True, True):
            for was, now in product(possible(old), possible(new)):
                assert min(now) < min(was) or max(now) < max(was), (old, new)


def possible(group: tuple[int | None, ...]) -> Iterator[tuple[int, ...]]:
    """Return what the windows of a group may be."""
    return product(*(range(5) if size is None else (size,) for size in group))


@pytest.mark.parametrize("name", sorted(CASES))
def test_rule_sees_its_change_there_and_back(tmp_path: Path, name: str) -> None:
    rule = change_rules()[name]
    (tmp_path / "there").mkdir()
    (tmp_path / "back").mkdir()
    there, back = changes(tmp_path / "there", name), changes(tmp_path / "back", name, back=True)
    assert rule.id in {change.rule for change in there}
    assert rule.opposite in {change.rule for change in back}
    if rule.opposite != rule.id:
        assert rule.id not in {change.rule for change in back}
    for change in (*there, *back):
        assert change.message.strip()
        assert change.notice.endswith(".")
        assert "hunter2" not in str(change.as_dict())


def test_every_rule_has_its_case() -> None:
    assert sorted(set(change_rules()) - set(SEEN)) == []


def test_what_is_said_of_each_change(tmp_path: Path) -> None:
    """The words that people read, all of them, in one file."""
    told = []
    for name in CASES:
        (tmp_path / name).mkdir()
        told.append(f"# {name}")
        for change in changes(tmp_path / name, name):
            told.append(f"{change.kind} {','.join(change.classes)} {change.rule}: {change.message}")
            told.append(f"  {change.notice} {list(change.clients) or ''}".rstrip())
    said = "\n".join(told) + "\n"
    if UPDATE:
        EXPECTED.parent.mkdir(parents=True, exist_ok=True)
        EXPECTED.write_text(said, encoding="utf-8")
    assert said == EXPECTED.read_text(encoding="utf-8")


def test_documentation_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "changes.md").read_text(encoding="utf-8")
    if committed != render():
        pytest.fail("docs/changes.md is out of date: aibackend docs changes > docs/changes.md", pytrace=False)


@pytest.mark.parametrize("rule_id", sorted(change_rules()))
def test_documentation_says_what_and_why(rule_id: str) -> None:
    first, _, rest = change_rules()[rule_id].documentation.partition("\n\n")
    assert first.endswith(".")
    assert "\n" not in first
    assert rest.strip()
