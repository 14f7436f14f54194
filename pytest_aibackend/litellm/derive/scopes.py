"""What an expression of LiteLLM's code stands for: a place in config.yaml, or some texts."""

from __future__ import annotations

import ast
from typing import Final

from pytest_aibackend.litellm.derive.routes import (
    ANY,
    CONFIG,
    DEPLOYMENT,
    GUARDRAIL,
    ITEM,
    NAMES,
    PARTS,
    Route,
)
from pytest_aibackend.litellm.derive.source import Module
from pytest_aibackend.litellm.derive.texts import asks_for_config, constants_of, is_empty

__all__ = ["Scopes"]

_WRAPPERS: Final = {
    "dict",
    "cast",
    "copy",
    "deepcopy",
    "list",
    "tuple",
    "sorted",
    "MappingProxyType",
    "enumerate",
}


class Scopes:
    """The names in scope that stand for a place, at one point of a walk through a file."""

    def __init__(self, module: Module) -> None:
        """Begin with the names that stand for a place everywhere, and the file's own constants."""
        part = GUARDRAIL if module.name.startswith("proxy/guardrails/") else DEPLOYMENT
        self.routes: list[dict[str, Route | None]] = [
            {**NAMES, **{name: (*part, name.removeprefix("_")) for name in PARTS}}
        ]
        self.keys: list[dict[str, Route]] = [{}]
        self.constants = constants_of(module)

    def enter(self, routes: dict[str, Route | None]) -> None:
        """Begin with what a function has by its parameters."""
        self.routes.append(routes)
        self.keys.append({})

    def leave(self) -> None:
        """Forget what the function had that is left."""
        self.routes.pop()
        self.keys.pop()

    def bind(self, target: ast.expr, value: ast.expr) -> None:
        """Note what a name stands for once a value is put into it."""
        if isinstance(target, ast.Name):
            route = CONFIG if target.id == "config" and asks_for_config(value) else self.route(value)
            if route is not None:
                self.routes[-1][target.id] = route
            elif target.id in self.routes[-1] and not is_empty(value):
                self.routes[-1][target.id] = None

    def bind_loop(self, target: ast.expr, iterated: ast.expr) -> None:
        """Note what the names of a loop stand for within it."""
        if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Attribute):
            route = self.route(iterated.func.value)
            names = (
                [item.id for item in target.elts if isinstance(item, ast.Name)]
                if isinstance(target, ast.Tuple)
                else []
            )
            if route is not None and iterated.func.attr == "items" and len(names) == 2:
                self.keys[-1][names[0]] = route
                self.routes[-1][names[1]] = (*route, ANY)
                return
            if route is not None and iterated.func.attr == "values" and isinstance(target, ast.Name):
                self.routes[-1][target.id] = (*route, ANY)
                return
        route = self.route(iterated)
        if isinstance(target, ast.Tuple) and isinstance(iterated, ast.Call) and len(target.elts) == 2:
            target = target.elts[1]  # enumerate
        if route is not None and isinstance(target, ast.Name):
            self.routes[-1][target.id] = (*route, ITEM)
        elif isinstance(target, ast.Name) and (values := self.texts(iterated)):
            self.constants = {**self.constants, target.id: values}

    def route(self, node: ast.expr) -> Route | None:
        """Return the place that an expression stands for; None where it is none, or not known."""
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Attribute):
            return NAMES.get(node.attr) or self._part(node.attr)
        if isinstance(node, ast.BoolOp):
            return self._first(node.values)
        if isinstance(node, ast.IfExp):
            return self._first([node.body, node.orelse])
        if isinstance(node, (ast.Await, ast.Starred, ast.NamedExpr)):
            return self.route(node.value)
        if isinstance(node, ast.Subscript):
            return self._below(node.value, node.slice)
        if isinstance(node, ast.Call):
            return self._called(node)
        return None

    def key_of(self, name: str) -> Route | None:
        """Return the place whose keys a name goes through, in a loop."""
        return next((keys[name] for keys in reversed(self.keys) if name in keys), None)

    def texts(self, node: ast.expr) -> tuple[str, ...]:
        """Return the texts that an expression can be: a constant, a name for one, some of them."""
        if isinstance(node, ast.Constant):
            return (node.value,) if isinstance(node.value, str) else ()
        if isinstance(node, ast.Name):
            return self.constants.get(node.id, ())
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return tuple(text for item in node.elts for text in self.texts(item))
        return ()

    def _called(self, node: ast.Call) -> Route | None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"get", "pop"} and node.args:
            return self._below(node.func.value, node.args[0])
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in {"copy", "model_dump"}
            and not node.args
        ):
            return self.route(node.func.value)
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if node.args and (
            name in _WRAPPERS or name.startswith(("_as_", "_object_", "_typed_", "validate_python"))
        ):
            return self.route(node.args[-1])
        return None

    def _below(self, holder: ast.expr, key: ast.expr) -> Route | None:
        names = self.texts(key)
        if len(names) != 1:
            return None
        route = self.route(holder)
        if route is not None:
            return (*route, names[0])
        return NAMES.get(names[0]) or self._part(names[0])

    def _part(self, name: str) -> Route | None:
        return self.routes[0].get(name) if name in PARTS else None

    def _named(self, name: str) -> Route | None:
        for scope in reversed(self.routes):
            if name in scope:
                return scope[name]
        return None

    def _first(self, nodes: list[ast.expr]) -> Route | None:
        return next((route for node in nodes if (route := self.route(node)) is not None), None)
