"""`os.environ/NAME`: what LiteLLM replaces by a variable of its environment."""

from __future__ import annotations

from typing import Final, TypeGuard

__all__ = ["REFERENCE", "is_reference", "variable_of"]

REFERENCE: Final = "os.environ/"


def is_reference(value: object) -> TypeGuard[str]:
    """Say whether a value stands for a variable."""
    return isinstance(value, str) and value.startswith(REFERENCE)


def variable_of(value: object) -> str | None:
    """Return the name of the variable that a value stands for; None where it stands for none."""
    return value.removeprefix(REFERENCE) if is_reference(value) else None
