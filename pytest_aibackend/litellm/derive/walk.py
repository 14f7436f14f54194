"""One file of LiteLLM, walked with the names in scope that stand for a place in config.yaml."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Final

from pytest_aibackend.litellm.derive.routes import (
    ANY,
    CONFIG,
    DEPLOYMENT,
    GUARDRAIL,
    ITEM,
    NAMES,
    PARTS,
    Read,
    Route,
)
from pytest_aibackend.litellm.derive.source import Module
from pytest_aibackend.litellm.derive.texts import asks_for_config, constants_of, is_empty

__all__ = ["Definitions", "Handed", "walk"]

Handed = dict[tuple[str, str | int], Route]  # what a function is called with, by its name and parameter
Definitions = Mapping[str, list[Module]]  # the files that define a function of a name

_READERS: Final = {"get": 0, "pop": 0, "setdefault": 0}
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
_WORD: Final = re.compile("|".join((*NAMES, *PARTS, "get_config", "general_", "settings")))
_METHODS: Final = frozenset(
    {*dir(dict), *dir(list), *dir(str), "dict", "json", "model_extra", "model_fields_set"}
    | {f"model_{name}" for name in ("copy", "dump", "dump_json", "fields", "validate")}
)
_COMMON: Final = 3  # functions of one name; more of them say nothing about who is called


def walk(module: Module, found: dict[Route, Read], handed: Handed, definitions: Definitions) -> None:
    """Note in `found` what a file reads by name, and in `handed` what it calls functions with."""
    _FileWalk(module, found, handed, definitions).visit(module.tree)


class _FileWalk(ast.NodeVisitor):
    """Walks one file with the names in scope that stand for a place in config.yaml."""

    def __init__(
        self,
        module: Module,
        found: dict[Route, Read],
        handed: Handed,
        definitions: Definitions,
    ) -> None:
        self.module, self.found, self.handed, self.definitions = module, found, handed, definitions
        part = GUARDRAIL if module.name.startswith("proxy/guardrails/") else DEPLOYMENT
        self.scopes: list[dict[str, Route | None]] = [
            {**NAMES, **{name: (*part, name.removeprefix("_")) for name in PARTS}}
        ]
        self.keys: list[dict[str, Route]] = [{}]
        self.constants = constants_of(module)
        self.lines = module.text.splitlines()
        self.inside: list[str] = []

    # -- scopes

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.inside.append(node.name)
        self.generic_visit(node)
        self.inside.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        scope: dict[str, Route | None] = {}
        arguments = [*node.args.posonlyargs, *node.args.args]
        if arguments and arguments[0].arg in {"self", "cls"}:
            arguments = arguments[1:]
        for index, argument in enumerate(arguments):
            route = self.handed.get((node.name, argument.arg), self.handed.get((node.name, index)))
            if route is not None:
                scope.setdefault(argument.arg, route)
        for argument in node.args.kwonlyargs:
            route = self.handed.get((node.name, argument.arg))
            if route is not None:
                scope[argument.arg] = route
        if self.inside[-1:] == ["ProxyConfig"]:
            scope.setdefault("config", CONFIG)
        if not scope and not any(self.scopes[1:]) and not _WORD.search(self._text_of(node)):
            return
        self.scopes.append(scope)
        self.keys.append({})
        self.generic_visit(node)
        self.scopes.pop()
        self.keys.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 # ast's name

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self._bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self._bind(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.generic_visit(node)
        self._bind(node.target, node.value)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        outer, constants = dict(self.keys[-1]), self.constants
        self._bind_loop(node.target, node.iter)
        self.generic_visit(node)
        self.keys[-1], self.constants = outer, constants

    visit_AsyncFor = visit_For  # noqa: N815 # ast's name

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        constants = self.constants
        for generator in node.generators:
            self._bind_loop(generator.target, generator.iter)
        self.generic_visit(node)
        self.constants = constants

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # noqa: N815 # ast's names

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            route = CONFIG if target.id == "config" and asks_for_config(value) else self._route(value)
            if route is not None:
                self.scopes[-1][target.id] = route
            elif target.id in self.scopes[-1] and not is_empty(value):
                self.scopes[-1][target.id] = None

    def _bind_loop(self, target: ast.expr, iterated: ast.expr) -> None:
        if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Attribute):
            route = self._route(iterated.func.value)
            names = (
                [item.id for item in target.elts if isinstance(item, ast.Name)]
                if isinstance(target, ast.Tuple)
                else []
            )
            if route is not None and iterated.func.attr == "items" and len(names) == 2:
                self.keys[-1][names[0]] = route
                self.scopes[-1][names[1]] = (*route, ANY)
                return
            if route is not None and iterated.func.attr == "values" and isinstance(target, ast.Name):
                self.scopes[-1][target.id] = (*route, ANY)
                return
        route = self._route(iterated)
        if isinstance(target, ast.Tuple) and isinstance(iterated, ast.Call) and len(target.elts) == 2:
            target = target.elts[1]  # enumerate
        if route is not None and isinstance(target, ast.Name):
            self.scopes[-1][target.id] = (*route, ITEM)
        elif isinstance(target, ast.Name) and (values := self._texts(iterated)):
            self.constants = {**self.constants, target.id: values}

    # -- reads

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in _READERS and node.args:
            self._read(self._route(function.value), node.args[0], node, node.args[1:2])
        if (
            isinstance(function, ast.Name)
            and function.id in {"getattr", "hasattr"}
            and len(node.args) > 1
            and not _METHODS.intersection(self._texts(node.args[1]))
        ):
            self._read(self._route(node.args[0]), node.args[1], node, node.args[2:3])
        for keyword in node.keywords:
            if keyword.arg == "key":  # of a function that looks for it in several mappings
                for holder in node.args:
                    self._read(self._route(holder), keyword.value, node)
        self._hand_over(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            self._read(self._route(node.value), node.slice, node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        route = self._route(node.value)
        if route and route[-1] in {"litellm_params", "model_info"} and node.attr not in _METHODS:
            self._record((*route, node.attr), node.lineno)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        for operator, left, right in zip(
            node.ops, (node.left, *node.comparators), node.comparators, strict=False
        ):
            if isinstance(operator, (ast.In, ast.NotIn)):
                self._read(self._route(right), left, node)
            if isinstance(operator, (ast.Is, ast.IsNot)) and isinstance(right, ast.Constant):
                self._compare(left, right.value)
            if isinstance(left, ast.Name) and isinstance(operator, (ast.Eq, ast.In)):
                self._read(self._key_of(left.id), right, node)

    def _read(
        self, route: Route | None, key: ast.expr, node: ast.expr, default: list[ast.expr] | None = None
    ) -> None:
        if route is None:
            return
        for name in self._texts(key):
            read = self._record((*route, name), node.lineno)
            for value in default or []:
                if isinstance(value, ast.Constant):
                    read.defaults[repr(value.value)] = value.value

    def _compare(self, value: ast.expr, constant: object) -> None:
        route = self._route(value)
        if isinstance(constant, bool) and route and route in self.found:
            self.found[route].is_boolean = True

    def _record(self, route: Route, line: int) -> Read:
        read = self.found[route]
        read.places.add(self.module.place(line))
        return read

    def _hand_over(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if not 0 < len(self.definitions.get(name, ())) <= _COMMON:
            return
        for position, argument in enumerate(node.args):
            self._hand(name, position, argument)
        for keyword in node.keywords:
            if keyword.arg is not None:
                self._hand(name, keyword.arg, keyword.value)

    def _hand(self, function: str, parameter: str | int, argument: ast.expr) -> None:
        route = self._route(argument)
        if route is not None and len(route) <= 4:
            self.handed.setdefault((function, parameter), route)

    # -- what an expression stands for

    def _route(self, node: ast.expr) -> Route | None:
        if isinstance(node, ast.Name):
            return self._named(node.id)
        if isinstance(node, ast.Attribute):
            return NAMES.get(node.attr) or self._part(node.attr)
        if isinstance(node, ast.BoolOp):
            return self._first(node.values)
        if isinstance(node, ast.IfExp):
            return self._first([node.body, node.orelse])
        if isinstance(node, (ast.Await, ast.Starred, ast.NamedExpr)):
            return self._route(node.value)
        if isinstance(node, ast.Subscript):
            return self._below(node.value, node.slice)
        if isinstance(node, ast.Call):
            return self._called(node)
        return None

    def _called(self, node: ast.Call) -> Route | None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"get", "pop"} and node.args:
            return self._below(node.func.value, node.args[0])
        if (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in {"copy", "model_dump"}
            and not node.args
        ):
            return self._route(node.func.value)
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if node.args and (
            name in _WRAPPERS or name.startswith(("_as_", "_object_", "_typed_", "validate_python"))
        ):
            return self._route(node.args[-1])
        return None

    def _below(self, holder: ast.expr, key: ast.expr) -> Route | None:
        names = self._texts(key)
        if len(names) != 1:
            return None
        route = self._route(holder)
        if route is not None:
            return (*route, names[0])
        return NAMES.get(names[0]) or self._part(names[0])

    def _part(self, name: str) -> Route | None:
        return self.scopes[0].get(name) if name in PARTS else None

    def _named(self, name: str) -> Route | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def _first(self, nodes: list[ast.expr]) -> Route | None:
        return next((route for node in nodes if (route := self._route(node)) is not None), None)

    def _text_of(self, node: ast.stmt) -> str:
        return "\n".join(self.lines[node.lineno - 1 : node.end_lineno])

    def _key_of(self, name: str) -> Route | None:
        return next((keys[name] for keys in reversed(self.keys) if name in keys), None)

    def _texts(self, node: ast.expr) -> tuple[str, ...]:
        """Return the texts that an expression can be: a constant, a name for one, some of them."""
        if isinstance(node, ast.Constant):
            return (node.value,) if isinstance(node.value, str) else ()
        if isinstance(node, ast.Name):
            return self.constants.get(node.id, ())
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            return tuple(text for item in node.elts for text in self._texts(item))
        return ()
