"""What a lint rule is, and which there are.

A rule is a generator function in a module of this package that `RULE_MODULES` names. It takes a
`LintContext` and yields `LintProblem`s; its docstring is its section in docs/lint.md: a first line that
states the trouble, then why it hurts and how to mend it. `where` is the place in LiteLLM that makes it true.

    @lint_rule(
        "cache-without-namespace",
        severity=Severity.WARNING,
        where="caching/redis_cache.py, RedisCache.__init__ (1.106.2)",
    )
    def cache_without_namespace(context: LintContext) -> Iterator[LintProblem]:
        '''The Redis cache has no namespace: the gateway's keys lie among everybody else's.

        They can then be neither counted nor cleared without touching other people's data.
        Write `namespace: "litellm:unified"` under `cache_params`.
        '''
        params = context.document.section("litellm_settings", "cache_params")
        if params.get("type") == "redis" and not params.get("namespace"):
            yield LintProblem(
                path=("litellm_settings", "cache_params"),
                message="the Redis cache has no namespace",
                hint='add namespace: "litellm:unified" under cache_params',
            )

The path leads to the value or to the key that is missing: its place, also in an included file or behind an
anchor, and the subject are found from it. A file that is no YAML mapping is given to the rules about
reading alone, so `context.document.data` is a mapping. A rule's examples are
`tests/examples/lint/<rule-id>/{bad,good}*.yaml`.

An id is one trouble: it may be an id of the eleven checks only where that is the same trouble.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

from pytest_aibackend.findings import Location, Path, Severity
from pytest_aibackend.litellm.lint.document import LintDocument
from pytest_aibackend.litellm.schema import Schema
from pytest_aibackend.sources.wording import Suggester

__all__ = [
    "RULE_MODULES",
    "LintContext",
    "LintProblem",
    "LintRule",
    "declare_lint_rule",
    "lint_rule",
    "lint_rules",
]

# One subject each; the order is that of docs/lint.md.
RULE_MODULES: Final = (
    "reading",
    "including",
    "key_rules",
    "value_rules",
    "model_list",
    "master_key",
    "environment",
    "providers",
    "endpoints",
    "provider_keys",
    "headers",
    "aliases",
    "fallbacks",
    "groups",
    "weights",
    "router",
    "routing_groups",
    "cache",
    "budgets",
    "callbacks",
    "modules",
    "guardrails",
    "database",
    "times",
    "needs",
    "health_checks",
    "exposure",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LintProblem:
    """What a rule yields: the trouble and where it is."""

    path: Path  # in the config as LiteLLM has it after `include:`; () is the file
    message: str  # the fact, with the values; never a secret: sources.secrets.show_value
    hint: str  # the next act
    subject: str | None = None  # None: the model group, or the section, that the path leads to
    severity: Severity | None = None  # None: the rule's
    location: Location | None = None  # None: where the path stands


@dataclass(frozen=True, kw_only=True, eq=False)
class LintContext:
    """All that a rule may look at."""

    document: LintDocument
    schema: Schema
    environment: Mapping[str, str] | None = (
        None  # variables of the gateway; None: unknown, so none is missing
    )
    suggester: Suggester = field(default_factory=Suggester)  # finds the name that was meant, while affordable

    def has_variable(self, *names: str) -> bool:
        """Say whether the gateway will have one of these variables, from its environment or the config."""
        own = self.document.section("environment_variables")
        return any((self.environment or {}).get(name) or own.get(name) for name in names)

    @property
    def has_stored_models(self) -> bool:
        """Say whether the gateway may have models that the config does not name: those of a database."""
        stored = self.document.get("general_settings", "store_model_in_db")
        return bool(stored) or self.has_variable("STORE_MODEL_IN_DB")


RuleFunction = Callable[[LintContext], Iterator[LintProblem]]


@dataclass(frozen=True, kw_only=True, slots=True)
class LintRule:
    """One rule: what it is called, how bad its trouble is, why it is one, and how it is found."""

    id: str
    severity: Severity
    where: str  # in LiteLLM
    documentation: str
    module: str  # of this package
    reads_broken: bool  # whether it looks at files that cannot be read, too
    find: RuleFunction

    @property
    def summary(self) -> str:
        """Return the first line of the documentation."""
        return self.documentation.partition("\n")[0]


_RULES: Final[dict[str, LintRule]] = {}


def lint_rule(
    rule_id: str, *, where: str, severity: Severity = Severity.ERROR, reads_broken: bool = False
) -> Callable[[RuleFunction], RuleFunction]:
    """Register the function that finds a trouble, under the trouble's id."""

    def register(function: RuleFunction) -> RuleFunction:
        _add(rule_id, where, severity, inspect.getdoc(function) or "", function, reads_broken=reads_broken)
        return function

    return register


def declare_lint_rule(
    rule_id: str,
    documentation: str,
    *,
    where: str,
    find: RuleFunction,
    severity: Severity = Severity.ERROR,
    reads_broken: bool = False,
) -> None:
    """Register a rule whose function is made for it, with its documentation."""
    _add(rule_id, where, severity, inspect.cleandoc(documentation), find, reads_broken=reads_broken)


def _add(
    rule_id: str, where: str, severity: Severity, documentation: str, find: Any, *, reads_broken: bool
) -> None:
    assert rule_id not in _RULES, f"lint rule {rule_id} is registered twice"
    _RULES[rule_id] = LintRule(
        id=rule_id,
        severity=severity,
        where=where,
        documentation=documentation,
        module=find.__module__.rpartition(".")[2],
        reads_broken=reads_broken,
        find=find,
    )


def lint_rules() -> Mapping[str, LintRule]:
    """Return every rule by id, in the order of the modules."""
    for module in RULE_MODULES:
        import_module(f"pytest_aibackend.litellm.lint.{module}")
    return _RULES
