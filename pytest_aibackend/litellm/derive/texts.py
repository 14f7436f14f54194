"""What small expressions of LiteLLM's code say: texts by name, empty values."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_aibackend.litellm.derive.source import Module

__all__ = ["asks_for_config", "constants_of", "is_empty"]


def asks_for_config(value: ast.expr) -> bool:
    """Whether a value is what LiteLLM's get_config returns."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"get_config", "_get_config_from_file"}
        for node in ast.walk(value)
    )


def is_empty(value: ast.expr) -> bool:
    """Whether a name is only given something to be read in place of None."""
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Dict) and not value.keys)


def constants_of(module: Module) -> dict[str, tuple[str, ...]]:
    """Return the texts that the module's own names stand for."""
    found: dict[str, tuple[str, ...]] = {}
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AnnAssign):
            target = node.target
        else:
            continue
        if (
            isinstance(target, ast.Name)
            and node.value is not None
            and (texts := tuple(_literal_texts(node.value)))
        ):
            found[target.id] = texts
    return found


def _literal_texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        for item in node.elts:
            yield from _literal_texts(item)
    elif (
        isinstance(node, ast.Call)
        and node.args
        and getattr(node.func, "id", "") in {"frozenset", "tuple", "set"}
    ):
        yield from _literal_texts(node.args[0])
