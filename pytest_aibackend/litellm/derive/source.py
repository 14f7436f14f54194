"""The Python files of the installed LiteLLM, read but not run: where something is defined or read."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = [
    "Module",
    "class_place",
    "field_place",
    "find",
    "module_of",
    "modules",
    "parameter_places",
    "variable_places",
]

_PACKAGES: Final = ("litellm", "litellm_enterprise", "litellm_proxy_extras")


class Module:
    """One Python file; parsed only when asked for."""

    def __init__(self, root: Path, path: Path, package: str) -> None:
        """Read the file. Places in LiteLLM itself are named without the package's name."""
        relative = path.relative_to(root).as_posix()
        self.name = relative if package == "litellm" else f"{package}/{relative}"
        self.text = path.read_text(encoding="utf-8", errors="replace")
        self._tree: ast.Module | None = None

    @property
    def tree(self) -> ast.Module:
        """The syntax tree; an empty one for a file that this Python cannot parse."""
        if self._tree is None:
            try:
                self._tree = ast.parse(self.text)
            except SyntaxError:
                self._tree = ast.Module(body=[], type_ignores=[])
        return self._tree

    def place(self, line: int) -> str:
        """Return `proxy/proxy_server.py:6545`."""
        return f"{self.name}:{line}"


@cache
def modules() -> dict[str, Module]:
    """Return every file of LiteLLM and of the packages that its proxy loads, by name, sorted."""
    found = {}
    for package in _PACKAGES:
        for root in _roots(package):
            for path in root.rglob("*.py"):
                module = Module(root, path, package)
                found[module.name] = module
    return dict(sorted(found.items()))


def module_of(thing: Any) -> Module | None:
    """Return the file that defines a class or function; None if it is not LiteLLM's."""
    name = getattr(thing, "__module__", None) or ""
    package, _, rest = name.partition(".")
    if package not in _PACKAGES:
        return None
    stem = rest.replace(".", "/")
    prefix = "" if package == "litellm" else f"{package}/"
    for candidate in (f"{prefix}{stem}.py", f"{prefix}{stem}/__init__.py", f"{prefix}__init__.py"):
        if candidate in modules():
            return modules()[candidate]
    return None


def field_place(owner: type, name: str) -> str | None:
    """Return where a class, or the base class that has it, declares a field."""
    for base in _bases(owner):
        line = _fields(base).get(name)
        module = module_of(base)
        if line is not None and module is not None:
            return module.place(line)
    return None


def class_place(owner: type) -> str | None:
    """Return where a class is defined."""
    module = module_of(owner)
    node = _class(owner)
    return module.place(node.lineno) if module is not None and node is not None else None


def parameter_places(owner: type, method: str) -> dict[str, str]:
    """Return where each parameter of a method stands."""
    module, node = module_of(owner), _class(owner)
    if module is None or node is None:
        return {}
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and item.name == method:
            arguments = (*item.args.posonlyargs, *item.args.args, *item.args.kwonlyargs)
            return {argument.arg: module.place(argument.lineno) for argument in arguments}
    return {}


def variable_places(module: Module) -> dict[str, str]:
    """Return where a module assigns each of its variables first, whether at the top or in a branch."""
    places: dict[str, str] = {}
    for node in _top_level(module.tree.body):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name):
                places.setdefault(target.id, module.place(node.lineno))
    return places


def find(path: str) -> Any:
    """Return LiteLLM's `module:name`, or None where this version has none."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(f"litellm.{module}" if module else "litellm"), name, None)
    except ImportError:
        return None


def _bases(owner: type) -> Iterator[type]:
    """Yield a class and those it is made from; a TypedDict hides its own."""
    for base in owner.__mro__:
        yield base
    for base in getattr(owner, "__orig_bases__", ()):
        if isinstance(base, type) and base is not owner:
            yield from _bases(base)


def _top_level(body: list[ast.stmt]) -> Iterator[ast.Assign | ast.AnnAssign]:
    for node in body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield node
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _top_level(node.body)
            yield from _top_level(node.orelse)


def _roots(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(place) for place in spec.submodule_search_locations or ()] if spec else []


@cache
def _classes(module_name: str) -> dict[str, ast.ClassDef]:
    tree = modules()[module_name].tree
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _class(owner: type) -> ast.ClassDef | None:
    module = module_of(owner)
    return _classes(module.name).get(owner.__name__) if module is not None else None


@cache
def _fields(owner: type) -> dict[str, int]:
    node = _class(owner)
    if node is None:
        return {}
    return {
        item.target.id: item.lineno
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    }
