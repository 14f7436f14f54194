"""One file of LiteLLM, walked with the names in scope that stand for a place in config.yaml."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Final

from pytest_aibackend.litellm.derive.routes import CONFIG, NAMES, PARTS, Read, Route
from pytest_aibackend.litellm.derive.scopes import Scopes
from pytest_aibackend.litellm.derive.source import Module

__all__ = ["Definitions", "Handed", "walk"]

Handed = dict[tuple[str, str | int], Route]  # what a function is called with, by its name and parameter
Definitions = Mapping[str, list[Module]]  # the files that define a function of a name

_READERS: Final = {"get": 0, "pop": 0, "setdefault": 0}
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
        self.scopes = Scopes(module)
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
        if not scope and not any(self.scopes.routes[1:]) and not _WORD.search(self._text_of(node)):
            return
        self.scopes.enter(scope)
        self.generic_visit(node)
        self.scopes.leave()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 # ast's name

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            self.scopes.bind(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if node.value is not None:
            self.scopes.bind(node.target, node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.generic_visit(node)
        self.scopes.bind(node.target, node.value)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        outer, constants = dict(self.scopes.keys[-1]), self.scopes.constants
        self.scopes.bind_loop(node.target, node.iter)
        self.generic_visit(node)
        self.scopes.keys[-1], self.scopes.constants = outer, constants

    visit_AsyncFor = visit_For  # noqa: N815 # ast's name

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        constants = self.scopes.constants
        for generator in node.generators:
            self.scopes.bind_loop(generator.target, generator.iter)
        self.generic_visit(node)
        self.scopes.constants = constants

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # noqa: N815 # ast's names

    # -- reads

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in _READERS and node.args:
            self._read(self.scopes.route(function.value), node.args[0], node, node.args[1:2])
        if (
            isinstance(function, ast.Name)
            and function.id in {"getattr", "hasattr"}
            and len(node.args) > 1
            and not _METHODS.intersection(self.scopes.texts(node.args[1]))
        ):
            self._read(self.scopes.route(node.args[0]), node.args[1], node, node.args[2:3])
        for keyword in node.keywords:
            if keyword.arg == "key":  # of a function that looks for it in several mappings
                for holder in node.args:
                    self._read(self.scopes.route(holder), keyword.value, node)
        self._hand_over(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            self._read(self.scopes.route(node.value), node.slice, node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        route = self.scopes.route(node.value)
        if route and route[-1] in {"litellm_params", "model_info"} and node.attr not in _METHODS:
            self._record((*route, node.attr), node.lineno)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        for operator, left, right in zip(
            node.ops, (node.left, *node.comparators), node.comparators, strict=False
        ):
            if isinstance(operator, (ast.In, ast.NotIn)):
                self._read(self.scopes.route(right), left, node)
            if isinstance(operator, (ast.Is, ast.IsNot)) and isinstance(right, ast.Constant):
                self._compare(left, right.value)
            if isinstance(left, ast.Name) and isinstance(operator, (ast.Eq, ast.In)):
                self._read(self.scopes.key_of(left.id), right, node)

    def _read(
        self, route: Route | None, key: ast.expr, node: ast.expr, default: list[ast.expr] | None = None
    ) -> None:
        if route is None:
            return
        for name in self.scopes.texts(key):
            read = self._record((*route, name), node.lineno)
            for value in default or []:
                if isinstance(value, ast.Constant):
                    read.defaults[repr(value.value)] = value.value

    def _compare(self, value: ast.expr, constant: object) -> None:
        route = self.scopes.route(value)
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
        route = self.scopes.route(argument)
        if route is not None and len(route) <= 4:
            self.handed.setdefault((function, parameter), route)

    def _text_of(self, node: ast.stmt) -> str:
        return "\n".join(self.lines[node.lineno - 1 : node.end_lineno])
