"""Check 5: a pattern leads to a provider that has such models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Problem, Severity
from pytest_aibackend.rules.mappings_schema import compiled_pattern
from pytest_aibackend.rules.references import PATTERNS
from pytest_aibackend.rules.registry import rule
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.wording import listed

__all__: list[str] = []

_LISTED_ONLY: Final = ("vllm", "ollama")  # the others answer to any name, or have more models than are listed
_MAY_TAKE_LONG: Final = re.compile(r"\)[*+{]")  # a repeated group can take time without end on a short name
_COMPARISONS: Final = 200_000


@rule("pattern-without-model", group=PATTERNS.id, severity=Severity.WARNING)
def find_patterns_without_model(backend: Backend) -> Iterator[Problem]:
    """A pattern leads to a provider none of whose models it matches.

    vLLM and Ollama answer 404 to a name that they do not serve, so every request that takes this way
    fails. Lead the pattern to the provider that has such models, or list the model.
    """
    left = _COMPARISONS
    for index, each in enumerate(backend.mappings.patterns):
        provider = backend.providers.get(each.provider)
        if (
            provider is None
            or not provider.is_active
            or provider.type not in _LISTED_ONLY
            or not provider.models
        ):
            continue
        expression = compiled_pattern(each.pattern)
        left -= len(provider.models)
        if isinstance(expression, tuple) or _MAY_TAKE_LONG.search(each.pattern) or left < 0:
            continue
        if not any(expression.match(name) for name in provider.model_names):
            yield Problem(
                source="model-mappings",
                path=("patterns", index, "provider"),
                subject=each.pattern,
                message=f"pattern {each.pattern!r} matches no model that provider {each.provider!r} lists",
                hint=f"name the provider that serves such models; it lists {listed(provider.model_names)}",
            )
