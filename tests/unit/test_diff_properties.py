"""Whatever means the same is no change, whatever does not is one, and back again is the contrary."""

from __future__ import annotations

import copy
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import pytest_aibackend.diff
from pytest_aibackend.diff.catalogue import change_rules
from pytest_aibackend.diff.changes import Change, ChangeKind
from pytest_aibackend.diff.compare import compare
from pytest_aibackend.diff.formats import Comparison, as_document, as_json, as_markdown, lines
from pytest_aibackend.diff.meaning import Meaning
from pytest_aibackend.diff.planned import meaning_of_backend
from pytest_aibackend.diff.renaming import aligned
from pytest_aibackend.litellm.meaning import same_meaning
from pytest_aibackend.sources.backend import load_backend
from tests.fakes.litellm_configs import SECRETS, configs
from tests.work import calls

CONFIG = Path(__file__).resolve().parents[2] / "config"
SCHEMA = json.loads(
    Path(pytest_aibackend.diff.__file__).with_name("diff.schema.json").read_text(encoding="utf-8")
)
OPPOSITE = {
    ChangeKind.ADDED: ChangeKind.REMOVED,
    ChangeKind.REMOVED: ChangeKind.ADDED,
    ChangeKind.CHANGED: ChangeKind.CHANGED,
}
slow = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def between(old: Any, new: Any) -> list[Change]:
    return compare(Meaning(document=old), Meaning(document=new))


def said(changes: list[Change]) -> set[tuple[str, ChangeKind, str]]:
    return {(change.rule, change.kind, change.subject) for change in changes}


def reversed_(changes: list[Change], names: dict[str, str]) -> set[tuple[str, ChangeKind, str]]:
    """Return what is to be said of the contrary, where names that changed have their old ones again."""
    old = {new: old for old, new in names.items()} | names
    return {
        (
            change_rules()[change.rule].opposite,
            OPPOSITE[change.kind],
            old.get(change.subject, change.subject),
        )
        for change in changes
    }


def renamed_between(one: Any, other: Any) -> dict[str, str]:
    """Return the new names by the old ones; where a fallback was forgotten, a name has two meanings."""
    after = aligned(Meaning(document=one), Meaning(document=other))[1]
    names = dict(after.renamed)
    forgotten = {old: new for old, new in names.items() if old not in after.kept}
    assume(not in_fallbacks(other, set(forgotten)) and not in_fallbacks(one, set(forgotten.values())))
    return names


def in_fallbacks(document: Any, names: set[str]) -> bool:
    """Say whether a fallback has to do with one of some names."""
    sections = (document.get(section) for section in ("router_settings", "litellm_settings"))
    written = [
        json.dumps(value, default=str)
        for section in sections
        if isinstance(section, dict)
        for key, value in section.items()
        if "fallbacks" in str(key)
    ]
    return any(json.dumps(name) in text for name in names for text in written)


def shuffled(value: Any, random: Any, path: tuple[Any, ...] = ()) -> Any:
    """Change the order wherever it means nothing."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random, (*path, key)) for key in keys}
    if isinstance(value, list) and path == ("model_list",):
        value = random.sample(value, len(value))
    return [shuffled(item, random, (*path, 0)) for item in value] if isinstance(value, list) else value


@slow
@given(configs, st.randoms(use_true_random=False))
def test_another_order_is_no_change(config: dict[str, Any], random: Any) -> None:
    assert between(config, shuffled(copy.deepcopy(config), random)) == []


@slow
@given(configs, configs)
def test_empty_if_and_only_if_litellm_does_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (between(one, other) == []) == same_meaning(one, other)


@slow
@given(configs, st.data())
def test_one_change_is_seen_and_back_again_is_its_contrary(
    config: dict[str, Any], data: st.DataObject
) -> None:
    """Replace or drop some part: what comes out is empty only for the same meaning, and mirrors."""
    changed = copy.deepcopy(config)
    holder: Any = changed
    path = data.draw(st.sampled_from(sorted(parts(config), key=repr)))
    for step in path[:-1]:
        holder = holder[step]
    if isinstance(holder, dict) and data.draw(st.booleans()):
        del holder[path[-1]]
    else:
        holder[path[-1]] = data.draw(ODD)
    there, back = between(config, changed), between(changed, config)
    assert (there == []) == same_meaning(config, changed)
    assert said(back) == reversed_(there, renamed_between(config, changed))


@slow
@given(configs, configs)
def test_what_is_added_one_way_is_removed_the_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    there, back = between(one, other), between(other, one)
    assert said(back) == reversed_(there, renamed_between(one, other))


def renamed(value: Any, old: str, new: str, path: tuple[Any, ...] = ()) -> Any:
    """Change a name wherever it is that of a model group."""
    if isinstance(value, dict):
        is_chain = any("fallbacks" in str(step) for step in path)
        return {
            new if is_chain and key == old else key: renamed(item, old, new, (*path, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        is_alias = "model_group_alias" in path  # of a shape that LiteLLM does not read
        return value if is_alias else [renamed(item, old, new, path) for item in value]
    is_name = path[-1:] == ("model_name",) or any(
        "fallbacks" in str(step) or step == "model_group_alias" for step in path
    )
    return new if is_name and value == old else value


@slow
@given(configs, st.data())
def test_a_new_name_for_a_model_group_is_one_change(config: dict[str, Any], data: st.DataObject) -> None:
    meaning = Meaning(document=config)
    groups = [name for name in meaning.groups if "*" not in name and name not in meaning.aliases]
    assume(groups)
    name = data.draw(st.sampled_from(groups))
    changed = renamed(config, name, "a new name")
    (change,) = between(config, changed)
    assert (change.rule, change.subject, change.kind) == ("name-changed", name, ChangeKind.CHANGED)
    assert str(change.gravest) == "breaking"
    (back,) = between(changed, config)
    assert (back.rule, back.subject) == ("name-changed", "a new name")


@slow
@given(configs, configs)
def test_no_output_holds_a_secret_and_json_is_what_its_schema_says(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    comparison = Comparison(old=("a", "file"), new=("b", "file"), changes=tuple(between(one, other)))
    document = as_document(comparison)
    jsonschema.validate(document, SCHEMA)
    kinds = Counter(change["kind"] for change in document["changes"])
    assert sum(kinds.values()) == document["summary"]["changes"]
    told = "".join(line for line, _ in lines(comparison.changes))
    for text in (as_json(comparison), as_markdown(comparison), told):
        assert [secret for secret in SECRETS if secret in text] == []


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def parts(value: Any, path: tuple[Any, ...] = ()) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from parts(item, (*path, key))


@slow
@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_sources_in_another_order_with_comments_mean_the_same(
    tmp_path_factory: Any, random: Any, comments: int
) -> None:
    folder = tmp_path_factory.mktemp("config")
    for file in CONFIG.glob("*.yaml"):
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        text = yaml.safe_dump(shuffled(data, random), sort_keys=False, allow_unicode=True, width=10**6)
        written = text.splitlines()
        for number in range(comments):
            written.insert(random.randrange(len(written) + 1), f"# a remark: {number}")
        (folder / file.name).write_text("\n".join(written) + "\n", encoding="utf-8")
    old, new = meaning_of_backend(load_backend(CONFIG)), meaning_of_backend(load_backend(folder))
    assert compare(old, new) == []
    assert compare(new, old) == []


def fleet(names: list[str], weight: int) -> dict[str, Any]:
    """Return a configuration of one deployment for each name, which may be the same for several."""
    listed = []
    for number, name in enumerate(names):
        params = {"model": f"openai/m{number}", "api_base": f"http://127.0.0.1:{9000 + number}/v1"}
        entry = {"litellm_params": params | {"weight": weight}, "model_info": {"max_input_tokens": weight}}
        listed.append({"model_name": name, **entry})
    return {"model_list": listed}


def test_many_deployments_of_one_name_take_no_longer_than_as_many_names() -> None:
    def cost(names: list[str]) -> int:
        changes: list[Change] = []
        count = calls(lambda: changes.extend(between(fleet(names, 1000), fleet(names, 2000))))
        assert sum(change.rule == "weight-changed" for change in changes) == 1000
        return count

    assert cost(["m"] * 1000) < 2 * cost([f"m{number}" for number in range(1000)])


def test_every_rule_has_an_opposite_of_the_contrary_kind() -> None:
    rules = change_rules()
    for rule in rules.values():
        opposite = rules[rule.opposite]
        assert opposite.opposite == rule.id
        assert opposite.kind is OPPOSITE[rule.kind]
    assert all(first.id != second.id for first, second in itertools.combinations(rules.values(), 2))


def test_a_name_that_is_taken_away_is_not_another_name() -> None:
    named = {"model_list": [{"model_name": "gpt-4o", "litellm_params": {"model": "openai/gpt-4o"}}]}
    nameless = {"model_list": [{"litellm_params": {"model": "openai/gpt-4o"}}]}
    for old, new in ((named, nameless), (nameless, named)):
        assert {change.rule for change in between(old, new)} == {"name-removed", "name-added"}


def test_what_litellm_does_not_read_as_a_deployment_is_no_change() -> None:
    for listed in (["https://nobody.example.com"], {"api_base": "http://nobody.example.com"}):
        assert between({"model_list": []}, {"model_list": listed}) == []


def test_a_fallback_that_was_forgotten_when_its_name_changed() -> None:
    spare = {"model_name": "spare", "litellm_params": {"model": "openai/spare"}}
    old, new = (
        {
            "model_list": [{"model_name": name, "litellm_params": {"model": "openai/gpt-4o"}}, spare],
            "router_settings": {"fallbacks": [{"gpt-4o": ["spare"]}]},
        }
        for name in ("gpt-4o", "chat")
    )
    (renamed, lost, *others) = sorted(between(old, new), key=lambda change: change.rule, reverse=True)
    assert (renamed.rule, renamed.subject) == ("name-changed", "gpt-4o")
    assert (lost.rule, lost.subject) == ("fallback-removed", "chat")
    assert {other.rule for other in others} <= {"fallback-added"}
