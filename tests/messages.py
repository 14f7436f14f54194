"""The messages of the code that are no findings: what errors are raised with, and what is printed to stderr.

Read from the source, so that none is forgotten. A part that is only known at run time is shown as `...`.

What tells is found, not listed: an exception class of ours by its bases, a function by handing what it is
given to something that tells.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parents[1] / "pytest_aibackend"
# Findings of rules (docs/checks.md and docs/lint.md have them), and what only our own code can meet.
NOT_MESSAGES: Final = {
    "sources/yaml_text.py": "findings of check 1",
    "sources/yaml_anchors.py": "findings of check 1",
    "sources/yaml_builder.py": "findings of check 1",
    "sources/yaml_problems.py": "findings of check 1",
    "sources/yaml_scalars.py": "findings of check 1",
    "sources/schema_words.py": "findings of checks 2 to 4",
    "litellm/plan/wildcards.py": "reasons within findings of check 5",
    "litellm/derive/annotations.py": "between our own functions",
    "litellm/yaml_emit.py": "between our own functions",
    "probes/__init__.py": "between our own functions",
    "probes/observations.py": "between our own functions",
    "probes/run.py": "between our own functions",
    "probes/redis_names.py": "between our own functions",
    "stack/load.py": "counted by the demonstration",
    "stack/demo.py": "the demonstration tells what it does",
    "importer/homes.py": "reasons within the report of an import",
    "review/command.py": "verdicts on a pull request",
}

# Fields of what a reload and `status` find, which are shown as they are.
_TOLD_FIELDS: Final = {"message", "problems", "reasons", "text"}
_TOLD_FIELDS_IN: Final = "deploy/"
_LOGGED: Final = {"critical", "error", "exception", "note", "warning"}
# What our own code raises for our own code; the other built-in errors are the system's words, and shown.
_INTERNAL: Final = {"AttributeError", "KeyError", "OSError", "RuntimeError", "TypeError", "ValueError"}
_NOT_TOLD: Final = {"end", "exc_info", "file", "flush", "hint", "sep", "style", "where"}  # beside a message
_HINT: Final = "  hint: "
_OF_ITSELF: Final = {
    "capitalize",
    "format",
    "get",
    "lstrip",
    "replace",
    "rstrip",
    "strip",
}  # gives what it is called on

Function = ast.FunctionDef | ast.AsyncFunctionDef
Places = tuple[frozenset[int], frozenset[str]]  # which arguments are told: by number, by name


@dataclass(frozen=True, order=True)
class Message:
    """A text of the code, with `...` where a value comes in."""

    text: str
    place: str


@dataclass
class Code:
    """A package, parsed: its modules, and which of its names tell what they are given."""

    modules: dict[str, ast.Module]
    errors: set[str] = field(default_factory=set)
    tellers: dict[str, Places] = field(default_factory=dict)

    @classmethod
    def of(cls, package: Path) -> Code:
        """Read a package."""
        code = cls(
            {
                file.relative_to(package).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
                for file in sorted(package.rglob("*.py"))
            }
        )
        code.errors = code._error_classes()
        while code._learn():
            pass
        return code

    def told(self, scope: ast.AST, module: str) -> Iterator[ast.expr]:
        """Yield what a piece of a module raises errors with, or shows as one."""
        consoles = _consoles(self.modules[module])
        for call in _calls(scope):
            yield from self._told_by(call, module, consoles)

    def _told_by(self, call: ast.Call, module: str, consoles: set[str]) -> Iterator[ast.expr]:
        called = _dotted(call.func)
        owner, _, name = called.rpartition(".")
        keywords = {word.arg: word.value for word in call.keywords if word.arg}
        if name in _LOGGED and owner.endswith("log"):
            yield from call.args
        elif name in self.tellers:
            numbers, names = self.tellers[name]
            yield from (each for number, each in enumerate(call.args) if number in numbers)
            yield from (value for word, value in keywords.items() if word in names)
        elif (
            name in self.errors
            or (name not in _INTERNAL and _is_error(name, set()))
            or (name in _LOGGED and owner)
            or called in ("sys.exit", "SystemExit", "super().__init__", "warnings.warn")
            or (called == "print" and _dotted(keywords.get("file")).endswith("stderr"))
            or (name in ("print", "write") and (owner in consoles or owner.endswith("stderr")))
        ):
            yield from call.args
            yield from (value for word, value in keywords.items() if word not in _NOT_TOLD)
        if module.startswith(_TOLD_FIELDS_IN):
            yield from (value for word, value in keywords.items() if word in _TOLD_FIELDS)

    def _error_classes(self) -> set[str]:
        found = {"ArgumentTypeError", "UsageError"}
        ours = [
            node for tree in self.modules.values() for node in _nodes(tree) if isinstance(node, ast.ClassDef)
        ]
        for _ in range(4):  # a class of a class of ...
            found |= {
                node.name for node in ours if any(_is_error(_dotted(base), found) for base in node.bases)
            }
        return found

    def _learn(self) -> bool:
        """Find functions that hand an argument to something that tells; say whether there was a new one."""
        known = dict(self.tellers)
        for module, tree in self.modules.items():
            for function, owner in _functions(tree):
                name = owner if owner and function.name == "__init__" else function.name
                if function.name == "__init__" and name not in self.errors:
                    continue
                is_bound = owner is not None and not _is_static(function)
                parameters = [*function.args.posonlyargs, *function.args.args][is_bound:]
                texts = {each.arg for each in (*parameters, *function.args.kwonlyargs) if _is_text(each)}
                handed = {name for value in self.told(function, module) for name in _handed_on(value)}
                if told := handed & texts - _NOT_TOLD:
                    numbers, names = self.tellers.get(name, (frozenset(), frozenset()))
                    more = {number for number, each in enumerate(parameters) if each.arg in told}
                    self.tellers[name] = (numbers | more, names | told)
        return self.tellers != known

    def texts(self, value: ast.AST, scope: ast.AST, module: str, depth: int = 4) -> list[str]:
        """Return the texts that an expression can be, as far as the source says."""
        if isinstance(value, ast.Constant):
            return [value.value] if isinstance(value.value, str) else []
        if isinstance(value, ast.JoinedStr):
            return [
                "".join(str(each.value) if isinstance(each, ast.Constant) else "..." for each in value.values)
            ]
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
            left = self.texts(value.left, scope, module, depth) or ["..."]
            right = self.texts(value.right, scope, module, depth) or ["..."]
            return [one + other for one in left for other in right]
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
            return self.texts(value.left, scope, module, depth)
        if depth == 0:
            return []
        return [
            text
            for each, place in self._further(value, scope, module)
            for text in self.texts(each, place, module, depth - 1)
        ]

    def _further(self, value: ast.AST, scope: ast.AST, module: str) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Yield what an expression may be instead, and where the names in it have a meaning."""
        if isinstance(value, ast.IfExp):
            yield from ((each, scope) for each in (value.body, value.orelse))
        elif isinstance(value, ast.BoolOp | ast.Dict):
            yield from ((each, scope) for each in value.values)
        elif isinstance(value, ast.List | ast.Tuple | ast.Set):
            yield from ((each, scope) for each in value.elts)
        elif isinstance(value, ast.ListComp | ast.GeneratorExp):
            yield value.elt, scope
        elif isinstance(value, ast.Subscript | ast.Starred | ast.NamedExpr | ast.Await):
            yield value.value, scope
        elif isinstance(value, ast.Name | ast.Attribute):
            for place in (scope, self.modules[module], *self._imported(_dotted(value), module)):
                yield from ((each, place) for each in _assignments(place).get(_dotted(value), ()))
        elif isinstance(value, ast.Call):
            name = _dotted(value.func).rpartition(".")[2]
            if isinstance(value.func, ast.Attribute) and name == "join":
                yield from ((each, scope) for each in value.args)
            elif isinstance(value.func, ast.Attribute) and name in _OF_ITSELF:
                yield from ((each, scope) for each in (value.func.value, *value.args[1:]))
            for function in self._named(name, module):
                yield from (
                    (node.value, function)
                    for node in ast.walk(function)
                    if isinstance(node, ast.Return | ast.Yield) and node.value is not None
                )

    def _named(self, name: str, module: str) -> list[Function]:
        """Return the functions of this name: of the module, or those that it imports."""
        here = [each for each, _ in _functions(self.modules[module]) if each.name == name]
        there = (pair for tree in self._imported(name, module) for pair in _functions(tree))
        return here or [each for each, owner in there if each.name == name and owner is None]

    def _imported(self, name: str, module: str) -> list[ast.Module]:
        """Return the modules of ours from which a module has this name."""
        places = [
            _path_of(node.module, self.modules)
            for node in _nodes(self.modules[module])
            if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}
        ]
        return [self.modules[place] for place in places if place in self.modules]


@cache
def code() -> Code:
    """Return the package, read once."""
    return Code.of(PACKAGE)


def messages(found_in: Code | None = None) -> list[Message]:
    """Return every message, sorted by text."""
    read = found_in or code()
    found: set[Message] = set()
    for module, tree in read.modules.items():
        if module in NOT_MESSAGES:
            continue
        for scope in (tree, *(function for function, _ in _functions(tree))):
            for value in read.told(scope, module):
                found.update(
                    Message(text=clean, place=module)
                    for text in read.texts(value, scope, module)
                    if not text.startswith(_HINT) and len(re.findall(r"[a-z]{2,}", clean := _clean(text))) > 1
                )
    return sorted(found)


def literals(found_in: Code | None = None) -> set[str]:
    """Return all texts of the package: also those that reach the user by a longer way."""
    read = found_in or code()
    return {
        _clean(text)
        for module, tree in read.modules.items()
        for node in _nodes(tree)
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp)
        for text in read.texts(node, node, module, 1)
    }


@cache
def _functions(tree: ast.Module) -> tuple[tuple[Function, str | None], ...]:
    """Return the functions of a module, methods with the name of their class."""
    methods = {
        each: node.name
        for node in _nodes(tree)
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, Function)
    }
    return tuple((node, methods.get(node)) for node in _nodes(tree) if isinstance(node, Function))


@cache
def _nodes(scope: ast.AST) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(scope))


@cache
def _calls(scope: ast.AST) -> tuple[ast.Call, ...]:
    return tuple(node for node in _nodes(scope) if isinstance(node, ast.Call))


@cache
def _assignments(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """Return what each name of a piece of code may hold, attributes included."""
    found: dict[str, list[ast.expr]] = {}
    for node in _nodes(scope):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            found.setdefault(_dotted(target), []).append(value)
    return found


def _dotted(node: ast.AST | None) -> str:
    """Return a name as it is written, with a ? for what is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Call):
        return f"{_dotted(node.func)}()"
    return "?"


@cache
def _consoles(tree: ast.Module) -> set[str]:
    """Return the names of what writes to stderr."""
    return {"err"} | {
        name
        for name, values in _assignments(tree).items()
        if any("stderr" in ast.unparse(value) for value in values)
    }


def _path_of(module: str | None, modules: dict[str, ast.Module]) -> str:
    inside = "/".join((module or "").split(".")[1:])
    return f"{inside}.py" if f"{inside}.py" in modules else f"{inside}/__init__.py"


def _is_error(name: str, known: set[str]) -> bool:
    built_in = getattr(builtins, name, None)
    return name in known or (isinstance(built_in, type) and issubclass(built_in, BaseException))


def _is_text(parameter: ast.arg) -> bool:
    annotation = "" if parameter.annotation is None else ast.unparse(parameter.annotation)
    return annotation in ("str", "str | None", "object") or annotation.endswith(("[str]", "[str, ...]"))


def _handed_on(value: ast.AST) -> Iterator[str]:
    """Yield the names that stand for all that is told; within a sentence a name is only a part of it."""
    if isinstance(value, ast.Name):
        yield value.id
    elif isinstance(value, ast.IfExp):
        yield from (*_handed_on(value.body), *_handed_on(value.orelse))
    elif isinstance(value, ast.Starred | ast.FormattedValue):
        yield from _handed_on(value.value)
    elif isinstance(value, ast.Call):
        yield from (name for each in value.args for name in _handed_on(each))
    elif isinstance(value, ast.JoinedStr):
        words = "".join(str(each.value) for each in value.values if isinstance(each, ast.Constant))
        if len(re.findall(r"[a-z]{2,}", _clean(words))) < 2:
            yield from (name for each in value.values for name in _handed_on(each))
    elif isinstance(value, ast.Tuple | ast.List):
        yield from (name for each in value.elts for name in _handed_on(each))


def _is_static(function: Function) -> bool:
    return any(_dotted(each) == "staticmethod" for each in function.decorator_list)


def _clean(text: str) -> str:
    text = re.sub(r"(?:%s|%r)", "...", text)
    text = re.sub(r"^(?:aibackend(?: \w+)?|error|review|check-docs|demo|note|  hint): ", "", text)
    text = text.partition("\n  hint: ")[0]
    return re.sub(r"\s+", " ", re.sub(r"(?:\.\.\.\s*){2,}", "... ", text)).strip()
