"""Which settings LiteLLM reads by name, found in its syntax trees.

An expression stands for a place in config.yaml when it has one of the names that LiteLLM always gives to a
section (`general_settings`), when it is taken out of such a place (`config.get("guardrails")`), or when
a function is called with one. From there `x.get("key")`, `x["key"]`, `"key" in x`, `x.pop("key")`,
`getattr(x, "key")` and comparisons with the keys of a loop over `x.items()` are reads of `key`.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aibackend.litellm.derive.source import Module, modules

__all__ = ["ANY", "ITEM", "Read", "Route", "scan"]

Route = tuple[str, ...]
ITEM: Final = "[]"  # an entry of a list
ANY: Final = "*"  # the value of any key of a mapping

_CONFIG: Final[Route] = ()
# What LiteLLM calls the sections, wherever it handles them.
_NAMES: Final[dict[str, Route]] = {
    "general_settings": ("general_settings",),
    "_general_settings": ("general_settings",),
    "proxy_general_settings": ("general_settings",),
    "litellm_settings": ("litellm_settings",),
    "_litellm_settings": ("litellm_settings",),
    "router_settings": ("router_settings",),
    "cache_params": ("litellm_settings", "cache_params"),
    "callback_settings": ("callback_settings",),
    "mcp_servers_config": ("mcp_servers",),
    "guardrails_config": ("guardrails",),
    "all_guardrails": ("guardrails",),
}
_DEPLOYMENT: Final[Route] = ("model_list", ITEM)
_GUARDRAIL: Final[Route] = ("guardrails", ITEM)
_PART_NAMES: Final = ("litellm_params", "model_info", "_litellm_params", "_model_info")
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
_ELSEWHERE: Final = ("llms/", "types/llms/", "proxy/client/")
_WORDS: Final = ("_settings", "cache_params", "litellm_params", "model_info", "_config", "guardrails")
_FUNCTION: Final = re.compile(r"^ *(?:async )?def (\w+)", re.MULTILINE)
_COMMON: Final = 3  # functions of one name; more of them say nothing about who is called


@dataclass(slots=True)
class Read:
    """One setting that is read by name."""

    places: set[str] = field(default_factory=set)
    defaults: dict[str, Any] = field(default_factory=dict)  # what stands beside the key in .get(key, default)


def scan() -> dict[Route, Read]:
    """Return every setting that LiteLLM reads by name, by its route in config.yaml."""
    files = [module for module in modules().values() if _worth_reading(module)]
    definitions = _definitions(files)
    handed: dict[tuple[str, str | int], Route] = {}
    found: dict[Route, Read] = defaultdict(Read)
    due = files
    while due:
        known = set(handed)
        for module in due:
            _File(module, found, handed, definitions).visit(module.tree)
        called = {function for function, _parameter in set(handed) - known}
        due = [module for module in files if any(module in definitions[name] for name in called)]
    return dict(sorted(found.items()))


def _worth_reading(module: Module) -> bool:
    if module.name.startswith(_ELSEWHERE):
        return False  # the providers read what a deployment is given, not the file
    return any(word in module.text for word in _WORDS)


def _definitions(files: list[Module]) -> dict[str, list[Module]]:
    """Return the files that define each function."""
    found: dict[str, list[Module]] = defaultdict(list)
    for module in files:
        for name in _FUNCTION.findall(module.text):
            found[name].append(module)
    return found


class _File(ast.NodeVisitor):
    """Walks one file with the names in scope that stand for a place in config.yaml."""

    def __init__(
        self,
        module: Module,
        found: dict[Route, Read],
        handed: dict[tuple[str, str | int], Route],
        definitions: dict[str, list[Module]],
    ) -> None:
        self.module, self.found, self.handed, self.definitions = module, found, handed, definitions
        part = _GUARDRAIL if module.name.startswith("proxy/guardrails/") else _DEPLOYMENT
        self.scopes: list[dict[str, Route | None]] = [
            {**_NAMES, **{name: (*part, name.removeprefix("_")) for name in _PART_NAMES}}
        ]
        self.keys: list[dict[str, Route]] = [{}]
        self.constants = _constants(module)
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
            scope.setdefault("config", _CONFIG)
        self.scopes.append(scope)
        self.keys.append({})
        self.generic_visit(node)
        self.scopes.pop()
        self.keys.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

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
        outer = dict(self.keys[-1])
        self._bind_loop(node.target, node.iter)
        self.generic_visit(node)
        self.keys[-1] = outer

    visit_AsyncFor = visit_For  # type: ignore[assignment]

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._bind_loop(node.target, node.iter)
        self.generic_visit(node)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        for generator in node.generators:
            self.visit(generator)
        self.generic_visit(node)

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # type: ignore[assignment]

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            route = _CONFIG if target.id == "config" and _asks_for_config(value) else self._route(value)
            if route is not None:
                self.scopes[-1][target.id] = route
            elif target.id in self.scopes[-1] and not _is_empty(value):
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
        if isinstance(function, ast.Name) and function.id in {"getattr", "hasattr"} and len(node.args) > 1:
            self._read(self._route(node.args[0]), node.args[1], node, node.args[2:3])
        self._hand_over(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            self._read(self._route(node.value), node.slice, node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        route = self._route(node.value)
        if route and route[-1] in {"litellm_params", "model_info"} and not hasattr(dict, node.attr):
            if not node.attr.startswith(("_", "model_")) and node.attr not in {"dict", "json"}:
                self._record((*route, node.attr), node.lineno)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        for operator, left, right in zip(
            node.ops, (node.left, *node.comparators), node.comparators, strict=False
        ):
            if isinstance(operator, (ast.In, ast.NotIn)):
                self._read(self._route(right), left, node)
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
            return _NAMES.get(node.attr) or self._part(node.attr)
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
        return _NAMES.get(names[0]) or self._part(names[0])

    def _part(self, name: str) -> Route | None:
        return self.scopes[0].get(name) if name in _PART_NAMES else None

    def _named(self, name: str) -> Route | None:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return None

    def _first(self, nodes: list[ast.expr]) -> Route | None:
        return next((route for node in nodes if (route := self._route(node)) is not None), None)

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


def _asks_for_config(value: ast.expr) -> bool:
    """Whether a value is what LiteLLM's get_config returns."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in {"get_config", "_get_config_from_file"}
        for node in ast.walk(value)
    )


def _is_empty(value: ast.expr) -> bool:
    """Whether a name is only given something to be read in place of None."""
    return isinstance(value, ast.Constant) or (isinstance(value, ast.Dict) and not value.keys)


def _constants(module: Module) -> dict[str, tuple[str, ...]]:
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
