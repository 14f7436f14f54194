"""The derivation of the schema where LiteLLM is another than the one installed: what it lacks is passed over.

What it makes of the installed one is compared with the shipped schema in tests/stack/test_schema_derive.py.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Generic, Literal, TypedDict, TypeVar

import pytest
from annotated_types import Ge, Lt

from pytest_aibackend.litellm.derive import additions, classes, document, sections, source, values
from pytest_aibackend.litellm.derive.annotations import Types, json_value
from pytest_aibackend.litellm.derive.fields import Section
from pytest_aibackend.litellm.derive.source import Module

T = TypeVar("T")
REDIS = """\
def _get_redis_kwargs():
    return ["host", "self"]
"""
OLDER = """\
import os
first = second = 1
os.environ["A"] = "b"
if os.name:
    third: int = 3


class Cache:
    def __init__(self, ttl):
        pass


class Old:
    a: int
"""


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A LiteLLM of two small files, one of which this Python cannot parse, in place of the installed one."""
    for name, text in (
        ("_redis.py", REDIS),
        ("older.py", OLDER),
        ("newer.py", "type = match = lambda: :=\n"),
    ):
        (tmp_path / name).write_text(text)
    modules = [Module(tmp_path, path, "litellm") for path in sorted(tmp_path.iterdir())]
    monkeypatch.setattr(source, "modules", lambda: {module.name: module for module in modules})
    monkeypatch.setitem(sys.modules, "litellm", ModuleType("litellm"))
    return tmp_path


def of_litellm(name: str, module: str, **members: Any) -> type:
    return type(name, (), {"__module__": module, **members})


ENV = r"^os\.environ/.+"


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (
            Annotated[int, Ge(1), Lt(9)],
            {"type": ["integer", "string"], "pattern": ENV, "minimum": 1, "exclusiveMaximum": 9},
        ),
        (Annotated[int, []], {"type": ["integer", "string"], "pattern": ENV}),  # what cannot be hashed
        (list[int | None] | None, {"type": ["array", "null"], "items": {"type": ["integer", "null"]}}),
        (Literal["a"] | None, {"anyOf": [{"enum": ["a", None]}, {"$ref": "#/$defs/reference"}]}),
        (Any, {}),
    ],
)
def test_a_type_as_a_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert Types().schema(annotation) == schema


def test_a_default_that_no_file_can_hold_is_none() -> None:
    section = Section(Types())
    section.add("cooldown", float, math.inf)
    section.add("ttl", float, 60.0)
    made = section.properties("router_settings")
    assert "default" not in made["cooldown"]
    assert (made["ttl"]["default"], type(made["ttl"]["default"])) == (60, int)
    with pytest.raises(TypeError, match="no JSON number"):
        json_value([math.nan])


def test_places(older: Path) -> None:
    """What is of no file of LiteLLM's, or not where it is looked for, has no place."""
    cache, old = of_litellm("Cache", "litellm.older"), of_litellm("Old", "litellm.older")
    lost = of_litellm("Cache", "litellm.nowhere")
    assert source.class_place(cache) == "older.py:8"
    assert source.class_place(lost) is None
    assert source.parameter_places(cache, "__init__") == {"self": "older.py:9", "ttl": "older.py:9"}
    assert source.parameter_places(cache, "get") == source.parameter_places(lost, "__init__") == {}
    assert (source.field_place(old, "a"), source.field_place(old, "b")) == ("older.py:14", None)
    assert source.field_place(lost, "a") is None


def test_the_fields_of_a_typed_dict_are_found_where_its_bases_declare_them(older: Path) -> None:
    class Old(TypedDict):
        a: int

    class New(Old, Generic[T]):
        b: T

    Old.__module__ = New.__module__ = "litellm.older"
    assert (source.field_place(New, "a"), source.field_place(New, "b")) == ("older.py:14", None)


def test_a_module(older: Path) -> None:
    assert source.variable_places(source.modules()["older.py"]) == {
        "first": "older.py:2",
        "second": "older.py:2",
        "third": "older.py:5",
    }
    assert source.variable_places(source.modules()["newer.py"]) == {}  # for a newer Python than this
    assert Module(older, older / "older.py", "litellm_enterprise").name == "litellm_enterprise/older.py"


def test_what_is_not_there_is_none(older: Path) -> None:
    assert source.find("types.router:Deployment") is None
    assert source.find(":completion") is None
    assert values._literals_in("proxy/health_check.py") == set()
    assert sections._name_place("constants.py", "OPENAI_EMBEDDING_PARAMS") is None
    assert sections._function_places(older.exists) == {}
    nested = of_litellm("rerank", "litellm.older")
    assert sections._function_places(nested) == {}


def test_parameters_of_a_version_without_the_calls(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "_provider_reads", dict)
    assert sections.litellm_params(Types(), {}).keys == {}


def test_caches_of_a_version_without_clusters(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(self: Any, ttl: int | None = None) -> None: ...

    names: dict[str, Any] = {}
    exec(compile(REDIS, str(older / "_redis.py"), "exec"), names)
    there = {
        "caching.caching:Cache": of_litellm("Cache", "litellm.older", __init__=init),
        "_redis:_get_redis_kwargs": names["_get_redis_kwargs"],
    }
    monkeypatch.setattr(sections, "find", there.get)
    keys = sections.cache_params(Types(), {}).keys
    assert keys["ttl"].declared == "older.py:9"
    assert keys["host"].declared == "_redis.py:1"
    assert "port" in keys  # LiteLLM passes on whatever the client of Redis takes
    assert not {"self", "startup_nodes", "s3_bucket_name", "similarity_threshold"} & keys.keys()


def test_classes_and_tables_that_are_not_there_change_nothing(older: Path) -> None:
    def empty() -> dict[str, Section]:
        return {name: Section(Types()) for name in ("general_settings", "litellm_settings", "prompt_params")}

    without, known = empty(), empty()
    known["general_settings"].add("alerting_args", dict)
    known["prompt_params"].add("prompt_integration", str)
    before = {name: section.properties(name) for name, section in known.items()}
    classes.apply(without, Types())
    classes.apply(known, Types())
    assert all(section.keys == {} for section in without.values())
    assert {name: section.properties(name) for name, section in known.items()} == before


def test_corrections_of_keys_that_are_not_there(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = {"file": "older.py", "text": "third: int"}
    entries = [
        {"section": "s", "keys": ["known", "gone"], "if_known": True, "note": "corrected", "read": read},
        {"section": "s", "keys": ["added"], "note": "added", "read": read},
        {"section": "s", "keys": ["newer"], "note": "newer", "read": {**read, "text": "fourth"}},
        {"section": "s", "keys": ["elsewhere"], "unknown": "warned", "read": read},
    ]
    monkeypatch.setattr(additions, "entries", lambda: entries)
    section = Section(Types())
    section.add_names(["known", "elsewhere"])
    assert additions.apply({"s": section}) == {"s": {"elsewhere": "warned"}}
    assert {name: key.note for name, key in section.keys.items()} == {"known": "corrected", "added": "added"}
    assert section.keys["added"].declared == "older.py:5"


def test_sections_that_nothing_reads_are_left_out() -> None:
    definitions = {
        name: {"properties": {}, "x-litellm": {"route": route}}
        for name, (route, _) in document._SECTIONS.items()
    }
    top: dict[str, Any] = {"general_settings": {"description": "LiteLLM's words", "x-litellm": {"reads": []}}}
    document._join(top, definitions)
    assert sorted(definitions) == ["general_settings"]
    assert top == {
        "general_settings": {
            "$ref": "#/$defs/general_settings",
            "description": "LiteLLM's words",
            "x-litellm": {"reads": []},
        }
    }
