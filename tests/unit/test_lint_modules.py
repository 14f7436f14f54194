"""Code of one's own that a config names: looked for beside the config, and only where one can look."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.lint.run import lint
from pytest_aibackend.litellm.schema import load_schema

RULES = ("module-missing", "module-without-name", "callback-is-class")
CONFIG = b"litellm_settings:\n  callbacks: [own.code.handler]\n"


def said(path: str | None, files: Mapping[str, bytes], config: bytes = CONFIG) -> list[str]:
    def read(name: str) -> bytes:
        if name not in files:
            raise FileNotFoundError(name)
        return files[name]

    document = LintDocument.read(config, "config.yaml", path, read_included=read)
    return [finding.rule for finding in lint(document, load_schema("1.106"), select=RULES).findings]


def test_nobody_can_look_beside_standard_input() -> None:
    assert said(None, {}) == []


def test_a_module_lies_in_the_config_s_directory() -> None:
    assert said("gate/way/config.yaml", {"gate/way/own/code.py": b"handler = 1\n"}) == []
    assert said("gate/way/config.yaml", {"own/code.py": b"handler = 1\n"}) == ["module-missing"]
    assert said("config.yaml", {"own/code.py": b"handler = 1\n"}) == []


def test_a_package_may_hold_it() -> None:
    assert said("config.yaml", {"own/__init__.py": b""}) == []
    assert said("config.yaml", {"own/code/__init__.py": b"other = 1\n"}) == []


@pytest.mark.parametrize(
    "text",
    [
        b"from elsewhere import handler\n",
        b"import elsewhere as handler\n",
        b"from elsewhere import *\n",
        b"(other, handler) = 1, 2\n",
        b"handler: object = 1\n",
        b"async def handler() -> None: ...\n",
        b"if True:\n    handler = 1\n",
        b"try:\n    import handler\nexcept ImportError:\n    handler = None\n",
        b"def __getattr__(name: str) -> object: ...\n",
        b'pattern = "\\d"\nhandler = 1\n',
        b"this is no Python\n",
        b"\x00\xff",
        b"(" * 5000,
        b"\xef\xbb\xbf# coding: utf-8\nhandler = 1\n",
    ],
)
def test_what_may_define_the_name_is_believed(text: bytes) -> None:
    assert said("config.yaml", {"own/code.py": text}) == []


def test_what_does_not_define_it_is_not() -> None:
    assert said("config.yaml", {"own/code.py": b"def other() -> None:\n    handler = 1\n"}) == [
        "module-without-name"
    ]
    assert said("config.yaml", {"own/code.py": b"class handler: ...\n"}) == ["callback-is-class"]


@pytest.mark.parametrize(
    "value", ["s3://bucket/own.handler", "os.environ/OWN.CODE", "../own.code", "own..code"]
)
def test_what_names_no_file_is_not_looked_for(value: str) -> None:
    config = f"litellm_settings:\n  callbacks: ['{value}']\n".encode()
    assert said("config.yaml", {}, config) == []
