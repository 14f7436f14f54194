"""Values from the environment: how LiteLLM finds them, and what it takes for plain text instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Path, Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.departed import dotted
from pytest_aibackend.sources.references import REFERENCE, variable_of
from pytest_aibackend.sources.secrets import is_secret_key

__all__ = [
    "blocked_variable",
    "late_variable",
    "malformed_reference",
    "reference_in_list",
    "unexpanded_variable",
    "unset_variable",
]

_RESOLVING: Final = "proxy/proxy_server.py, _check_for_os_environ_vars (1.106.2)"
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
# ${NAME}, ${NAME:-default} anywhere; $NAME and %NAME% as the whole value.
_UNEXPANDED: Final = re.compile(rf"\$\{{({_NAME})(?::?[-?+=][^}}]*)?\}}|^\$({_NAME})$|^%({_NAME})%$")
# What people write for os.environ/NAME.
_NEARLY: Final = re.compile(
    rf"^\s*(?:os\.environ?|os\.environment|os\.env|os/environ|environ|env|os\.getenv|OS\.ENVIRON)"
    rf"(?:\.get|)\s*(?:[./:\\(\[]|//)+\s*[\"']?({_NAME})[\"']?\s*[)\]]?\s*$"
)
_BAD_NAME: Final = re.compile(r"[\s${}\"'()\[\]]|^$")
# Free text, in which anything may be said.
_PROSE: Final = frozenset(
    {
        "content",
        "prompt",
        "prompt_template",
        "template",
        "description",
        "system_message",
        "text",
        "examples",
        "message",
    }
)


@lint_rule("unset-variable", where=_RESOLVING)
def unset_variable(context: LintContext) -> Iterator[LintProblem]:
    """A value is taken from a variable that the gateway's environment lacks.

    LiteLLM puts nothing in its place and says nothing: a deployment goes without its key, the cache without
    its password. Looked for only where the environment is known (`--env-file`, `--environment`), and not
    where a secret manager may hold the value.
    """
    environment = context.environment
    if environment is None or context.document.section("general_settings").get("key_management_system"):
        return
    block = context.document.section("environment_variables")
    for reference in context.document.references:
        name = reference.name
        if environment.get(name) or _BAD_NAME.search(name) or _in_plain_list(reference.path):
            continue
        if block.get(name) is not None and reference.path[0] != "environment_variables":
            continue  # late-variable speaks of it, or this rule where the block is
        is_empty = name in environment
        state = "empty" if is_empty else "not set"
        yield LintProblem(
            path=reference.path,
            message=f"{dotted(reference.path)} is taken from {name}, which is {state}",
            hint=f"set {name} where the gateway runs",
            severity=Severity.WARNING if is_empty else None,
        )


@lint_rule("late-variable", severity=Severity.WARNING, where="proxy/proxy_server.py, load_config (1.106.2)")
def late_variable(context: LintContext) -> Iterator[LintProblem]:
    """A value is taken from a variable that only `environment_variables` of the same config sets.

    LiteLLM resolves `os.environ/` in the whole file before it sets those variables: unless the gateway's own
    environment has it, too, the value is nothing, which is an error where that is known. Set the variable
    where the gateway runs, or write the value where it is used.
    """
    block = context.document.section("environment_variables")
    known = context.environment or {}
    for reference in context.document.references:
        own = block.get(reference.name)
        is_set_by_block = own is not None and own != REFERENCE + reference.name
        if is_set_by_block and not known.get(reference.name) and reference.path[0] != "environment_variables":
            yield LintProblem(
                path=reference.path,
                message=f"environment_variables sets {reference.name} after LiteLLM has looked for it here",
                hint=f"set {reference.name} in the environment that LiteLLM is started with",
                severity=None if context.environment is None else Severity.ERROR,
            )


@lint_rule(
    "blocked-variable", severity=Severity.WARNING, where="proxy/proxy_server.py, _BLOCKED_ENV_KEYS (1.106.2)"
)
def blocked_variable(context: LintContext) -> Iterator[LintProblem]:
    """`environment_variables` names a variable that LiteLLM does not set from a config, such as PATH.

    It could change which programs run: LiteLLM passes over it with a line in its log. Set it where the
    gateway is started.
    """
    blocked = context.schema.values("blocked_environment")
    for name in context.document.section("environment_variables"):
        if name in blocked:
            yield LintProblem(
                path=("environment_variables", name),
                message=f"LiteLLM does not set {name} from a config",
                hint=f"set {name} in the environment that LiteLLM is started with",
            )


@lint_rule("unexpanded-variable", where=_RESOLVING)
def unexpanded_variable(context: LintContext) -> Iterator[LintProblem]:
    """A value holds `${NAME}`, `$NAME` or `%NAME%`, which LiteLLM does not expand.

    It is sent as it stands: as a key it is refused, as an address it is none. Write `os.environ/NAME` as the
    whole value.
    """
    for path, text in context.document.texts:
        if "$" not in text and "%" not in text:
            continue
        match = _UNEXPANDED.search(text)
        if match is None or _is_prose(path):
            continue
        name = match[1] or match[2] or match[3]
        whole = match[0] == text.strip()
        yield LintProblem(
            path=path,
            message=f"{dotted(path)} holds {match[0]!r}, which LiteLLM takes literally"
            if not is_secret_key(path[-1]) or match[1]
            else f"{dotted(path)} holds a variable as a shell writes it, which LiteLLM takes literally",
            hint=f"write os.environ/{name}" if whole else "put the whole value into one variable",
        )


@lint_rule("malformed-reference", where=_RESOLVING)
def malformed_reference(context: LintContext) -> Iterator[LintProblem]:
    """A value is meant to come from the environment, and is not written as `os.environ/NAME`.

    `os.environ.NAME`, `env/NAME`, a blank after the slash or text before it: LiteLLM takes it literally, or
    finds no variable of that name. Only headers of pass-through endpoints may have text before it.
    """
    for path, text in context.document.texts:
        if "env" not in text.lower() or _is_prose(path):
            continue
        name = _meant(text, path)
        if name is None:
            continue
        yield LintProblem(
            path=path,
            message=f"{dotted(path)} names a variable in a way that LiteLLM does not read: only a whole value"
            " os.environ/NAME is one",
            hint=f"write os.environ/{name}" if name else "write os.environ/ and the variable's name",
        )


@lint_rule("reference-in-list", where=_RESOLVING)
def reference_in_list(context: LintContext) -> Iterator[LintProblem]:
    """An item of a list is `os.environ/NAME`, which LiteLLM does not resolve there.

    It resolves values of mappings, at any depth; the items of a list it takes literally. Write the value, or
    a mapping where one may stand.
    """
    for reference in context.document.references:
        if _in_plain_list(reference.path):
            yield LintProblem(
                path=reference.path,
                message=f"os.environ/{reference.name} is an item of a list: LiteLLM takes it literally",
                hint="write the value itself",
            )


def _in_plain_list(path: Path) -> bool:
    return isinstance(path[-1], int) and not isinstance(path[-1], bool)


def _is_prose(path: Path) -> bool:
    return path[0] == "prompts" or any(step in _PROSE for step in path if isinstance(step, str))


def _meant(text: str, path: Path) -> str | None:
    """Return the variable that a text means, "" where that is not to be seen, None where it means none."""
    name = variable_of(text)
    if name is not None:
        return re.sub(r"[^A-Za-z0-9_]", "", name) if _BAD_NAME.search(name) else None
    if match := _NEARLY.match(text):
        return match[1]
    _, found, after = text.partition(REFERENCE)
    if not found or (path[:2] == ("general_settings", "pass_through_endpoints") and "headers" in path):
        return None
    named = re.match(_NAME, after)
    return named[0] if named else ""
