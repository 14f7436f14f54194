"""Code of one's own that a config names: callbacks, guardrails, authentication, handlers of providers."""

from __future__ import annotations

import ast
import warnings
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import dotted
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.sources.references import REFERENCE
from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.wording import written

__all__ = ["ELSEWHERE", "callback_is_class", "is_code", "module_missing", "module_without_name", "not_code"]

_IMPORTED: Final = "proxy/types_utils/utils.py, get_instance_fn (1.106.2)"
_FUNCTIONS: Final = (
    *("custom_auth", "custom_key_generate", "custom_key_update", "custom_key_policy", "custom_sso"),
    *("custom_team_metadata_validate", "custom_ui_sso_sign_in_handler"),
)
_CALLBACKS: Final = ("callbacks", "success_callback", "failure_callback", "audit_log_callbacks")
ELSEWHERE: Final = (REFERENCE, "s3://", "gcs://")
_Names: TypeAlias = Mapping[str, type[ast.stmt]]
_modules: Final[weakref.WeakKeyDictionary[LintDocument, dict[str, _Names | None]]] = (
    weakref.WeakKeyDictionary()
)
_OF_LITELLM: Final = ("litellm", "litellm_enterprise", "enterprise")


def is_code(value: str) -> bool:
    """Say whether LiteLLM takes the name of a callback, or of a guardrail, for module.name."""
    return "." in value and not value.startswith(ELSEWHERE)


@lint_rule("not-code", where=_IMPORTED)
def not_code(context: LintContext) -> Iterator[LintProblem]:
    """A setting that names code of one's own is not written as `module.name`.

    LiteLLM imports the module, a file `module.py` beside the config, and takes the name from it. It refuses
    to start with a module alone, or with the name of the file. Write `custom_auth: my_auth.check_key`.
    """
    for path, value in _named(context.document):
        parts = value.split(".")
        is_file = parts[-1] == "py"
        if is_file or len(parts) == 1 or not all(part.isidentifier() for part in parts):
            module = parts[-2] if is_file and len(parts) > 1 else parts[0]
            yield LintProblem(
                path=path,
                message=f"{dotted(path)} is {show_value(None, value)}, and should be module.name:"
                " LiteLLM refuses to start",
                hint=f"write {module if module.isidentifier() else 'module'}.NAME, with what NAME is called"
                " in that file",
            )


@lint_rule("module-missing", severity=Severity.WARNING, where=_IMPORTED)
def module_missing(context: LintContext) -> Iterator[LintProblem]:
    """A config names code of one's own, and the file does not lie beside the config.

    LiteLLM looks for `my_callbacks.py` in the config's directory, then for an installed package of that name,
    and refuses to start with neither. Put the file beside the config, in the image, too. Nothing is said of a
    config that comes from standard input.
    """
    for path, module, _ in _wanted(context.document):
        if module.partition(".")[0] not in _OF_LITELLM and not _exists(context.document, module):
            file = module.replace(".", "/") + ".py"
            yield LintProblem(
                path=path,
                message=f"{dotted(path)} needs {file}, which is not beside the config: unless a package"
                f" {module.partition('.')[0]!r} is installed, LiteLLM refuses to start",
                hint=f"put {file} into the config's directory",
            )


@lint_rule("module-without-name", where=_IMPORTED)
def module_without_name(context: LintContext) -> Iterator[LintProblem]:
    """A config names something in a file beside it that the file does not define.

    LiteLLM refuses to start: "module has no attribute". Write a name that stands at the file's top level.
    """
    for path, module, name in _wanted(context.document):
        defined = _defined(context.document, module)
        if defined is not None and name not in defined:
            file = module.replace(".", "/") + ".py"
            yield LintProblem(
                path=path,
                message=f"{dotted(path)} needs {name!r}, which {file} does not define:"
                " LiteLLM refuses to start",
                hint=context.suggester.hint(
                    name, sorted(defined), otherwise=f"write {written(module)}. and a name that {file} has"
                ),
            )


@lint_rule(
    "callback-is-class", where="proxy/common_utils/callback_utils.py, _classify_loaded_callback (1.106.2)"
)
def callback_is_class(context: LintContext) -> Iterator[LintProblem]:
    """A callback of one's own is a class, where LiteLLM wants an instance of it.

    Under `callbacks` LiteLLM refuses to start; under `success_callback` and `failure_callback` it starts, and
    the class is never asked. Write `handler = MyCallback()` below the class, and `module.handler` here.
    """
    for path, value in _callbacks(context.document):
        module, _, name = value.rpartition(".")
        if (_defined(context.document, module) or {}).get(name) is ast.ClassDef:
            fate = "LiteLLM refuses to start" if path[1] == "callbacks" else "it is never asked"
            yield LintProblem(
                path=path,
                message=f"{value} is a class, and a callback is an instance of one: {fate}",
                hint=f"write handler = {name}() at the end of that file, and {module}.handler here",
            )


def _named(document: LintDocument) -> Iterator[tuple[Path, str]]:
    """Yield every setting that names code and nothing else."""
    candidates: list[tuple[Path, Any]] = [
        (("general_settings", key), document.get("general_settings", key)) for key in _FUNCTIONS
    ]
    candidates.append(
        (("litellm_settings", "post_call_rules"), document.get("litellm_settings", "post_call_rules"))
    )
    handlers = document.get("litellm_settings", "custom_provider_map")
    for index, each in enumerate(handlers if isinstance(handlers, list) else ()):
        handler = each.get("custom_handler") if isinstance(each, dict) else None
        candidates.append((("litellm_settings", "custom_provider_map", index, "custom_handler"), handler))
    for path, value in candidates:
        if isinstance(value, str) and value and not value.startswith(ELSEWHERE):
            yield path, value


def _wanted(document: LintDocument) -> Iterator[tuple[Path, str, str]]:
    """Yield the modules that LiteLLM imports for a config, each with the name that it takes from it."""
    for path, value in [*_named(document), *_callbacks(document), *_guardrails(document)]:
        module, _, name = value.rpartition(".")
        if all(part.isidentifier() for part in value.split(".")) and module and name != "py":
            yield path, module, name


def _callbacks(document: LintDocument) -> Iterator[tuple[Path, str]]:
    for key in _CALLBACKS:
        value = document.get("litellm_settings", key)
        if key == "callbacks" and isinstance(value, str) and is_code(value):
            yield ("litellm_settings", key), value
        for index, each in enumerate(value if isinstance(value, list) else ()):
            if isinstance(each, str) and is_code(each):
                yield ("litellm_settings", key, index), each


def _guardrails(document: LintDocument) -> Iterator[tuple[Path, str]]:
    listed = document.get("guardrails")
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        params = each.get("litellm_params") if isinstance(each, dict) else None
        kind = params.get("guardrail") if isinstance(params, dict) else None
        if isinstance(kind, str) and is_code(kind):
            yield ("guardrails", index, "litellm_params", "guardrail"), kind


def _exists(document: LintDocument, module: str) -> bool:
    """Say whether a module lies beside the config, or a package of its name; also where none can look."""
    parts = module.split(".")
    packages = ["/".join([*parts[:length], "__init__.py"]) for length in range(1, len(parts) + 1)]
    return any(document.has_beside(file) for file in ("/".join(parts) + ".py", *packages))


def _defined(document: LintDocument, module: str) -> _Names | None:
    """Return what a module beside the config defines, by what; None where that is not to be seen."""
    known = _modules.setdefault(document, {})
    if module not in known:
        known[module] = _parsed(document, module)
    return known[module]


def _parsed(document: LintDocument, module: str) -> _Names | None:
    text = document.read_beside(module.replace(".", "/") + ".py")
    if text is None:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # of its own escapes
            body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not all(isinstance(each, _SIMPLE) for each in body):
        return None  # an `if`, a `try`: what it defines depends
    names = {name: type(each) for each in body for name in _names(each)}
    return None if names.keys() & {"*", "__getattr__"} else names


_SIMPLE: Final = (
    *(ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.Import, ast.ImportFrom, ast.Expr, ast.Pass),
)


def _names(statement: ast.stmt) -> Iterator[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            for each in names:
                yield each.asname or each.name.partition(".")[0]
        case _:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id
