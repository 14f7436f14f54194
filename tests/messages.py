"""The messages of the code that are no findings: what errors are raised with, and what is printed to stderr.

Read from the source, so that none is forgotten. A part that is only known at run time is shown as `...`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "pytest_aibackend"
# Findings of rules (docs/checks.md and docs/lint.md have them), and what only our own code can meet.
NOT_MESSAGES = {
    "sources/yaml_anchors.py": "findings of check 1",
    "sources/yaml_builder.py": "findings of check 1",
    "sources/yaml_problems.py": "findings of check 1",
    "sources/yaml_scalars.py": "findings of check 1",
    "sources/yaml_text.py": "findings of check 1",
    "sources/schema.py": "findings of checks 2 to 4",
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
_BUILT_IN = {"ValueError", "TypeError", "KeyError", "OSError", "RuntimeError", "AttributeError"}
_PRINTERS = {"error", "note", "_refuse", "_fail", "_say", "warning"}
# Which arguments of an error are its message; the others are an exit status and a hint.
_TEXT_AT = {"StopRun": slice(1, 2), "SwapError": slice(0, 1), "error": slice(0, 1)}


@dataclass(frozen=True, order=True)
class Message:
    """A text of the code, with `...` where a value comes in."""

    text: str
    place: str


def messages() -> list[Message]:
    """Return every message, sorted by text."""
    found: set[Message] = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        name = str(file.relative_to(PACKAGE))
        if name in NOT_MESSAGES:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = {each.name: each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}
        for function in [tree, *functions.values()]:
            for value in _told(function):
                for text in _texts(value, function, functions):
                    clean = _clean(text)
                    if not text.startswith("  hint:") and len(re.findall(r"[a-z]{2,}", clean)) > 1:
                        found.add(Message(text=clean, place=name))
    return sorted(found)


def _told(scope: ast.AST) -> Iterator[ast.expr]:
    """Yield what a function raises errors with, or prints to stderr."""
    for node in ast.walk(scope):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        is_error = name.endswith(("Error", "Refused", "StopRun", "Failed")) and name not in _BUILT_IN
        to_stderr = called == "print" and any(
            word.arg == "file" and "stderr" in ast.unparse(word.value) for word in node.keywords
        )
        if is_error or to_stderr or called.endswith(("err.print", "super().__init__")) or name in _PRINTERS:
            yield from node.args[_TEXT_AT.get(name, slice(None))]


def _texts(
    value: ast.AST, scope: ast.AST, functions: dict[str, ast.FunctionDef], depth: int = 3
) -> list[str]:
    """Return the texts that an expression can be, as far as the file itself says."""
    if isinstance(value, ast.Constant):
        return [value.value] if isinstance(value.value, str) else []
    if isinstance(value, ast.JoinedStr):
        return [
            "".join(str(each.value) if isinstance(each, ast.Constant) else "..." for each in value.values)
        ]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        left = _texts(value.left, scope, functions, depth) or ["..."]
        right = _texts(value.right, scope, functions, depth) or ["..."]
        return [one + other for one in left for other in right]
    if depth == 0:
        return []
    further: list[ast.AST] = []
    if isinstance(value, ast.IfExp):
        further = [value.body, value.orelse]
    elif isinstance(value, ast.BoolOp | ast.Dict):
        further = list(value.values)
    elif isinstance(value, ast.List | ast.Tuple):
        further = list(value.elts)
    elif isinstance(value, ast.ListComp | ast.GeneratorExp):
        further = [value.elt]
    elif isinstance(value, ast.Subscript | ast.Starred):
        further = [value.value]
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "join":
        further = list(value.args)
    elif isinstance(value, ast.Name):
        further = [
            node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign) and any(ast.unparse(each) == value.id for each in node.targets)
        ]
    elif isinstance(value, ast.Call):
        called = functions.get(ast.unparse(value.func).rpartition(".")[2])
        if called is not None:
            scope = called
            returned = [node.value for node in ast.walk(called) if isinstance(node, ast.Return)]
            further = [each for each in returned if each is not None]
    return [text for each in further for text in _texts(each, scope, functions, depth - 1)]


def _clean(text: str) -> str:
    text = re.sub(r"(?:%s|%r)", "...", text)
    text = re.sub(r"^(?:aibackend(?: \w+)?|error|review|check-docs|demo|note|  hint): ", "", text)
    text = text.partition("\n  hint: ")[0]
    return re.sub(r"\s+", " ", re.sub(r"(?:\.\.\.\s*){2,}", "... ", text)).strip()


def literals() -> set[str]:
    """Return all texts of the package: also those that reach the user by a longer way."""
    found: set[str] = set()
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
                found.update(_clean(text) for text in _texts(node, node, {}))
    return found
