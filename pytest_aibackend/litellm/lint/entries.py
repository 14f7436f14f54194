"""The entries of a LiteLLM config that rules speak of: deployments, aliases, fallbacks, references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aibackend.findings import Path

__all__ = ["FALLBACK_KINDS", "MOMENTS", "Alias", "Deployment", "Fallback", "Reference"]

FALLBACK_KINDS: Final = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
MOMENTS: Final = ("created_at", "updated_at", "ptu_effective_from", "ptu_effective_to")  # in model_info


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """One entry of model_list that is a mapping."""

    index: int
    entry: Mapping[Any, Any] = field(repr=False)
    params: Mapping[Any, Any] = field(repr=False)  # litellm_params; empty where it is no mapping
    info: Mapping[Any, Any] = field(repr=False)  # model_info; the same

    @property
    def name(self) -> str | None:
        """Return the model group, None where model_name is no text."""
        name = self.entry.get("model_name")
        return name if isinstance(name, str) else None

    @property
    def model(self) -> str:
        """Return litellm_params.model, "" where it is no text."""
        model = self.params.get("model")
        return model if isinstance(model, str) else ""

    @property
    def label(self) -> str:
        """Return how messages call it: its model group, or else its number."""
        return self.name or f"model_list[{self.index}]"

    @property
    def path(self) -> Path:
        """Return the path of the entry."""
        return ("model_list", self.index)

    def at(self, *steps: str | int) -> Path:
        """Return the path of one of its litellm_params: `at("api_base")`."""
        return ("model_list", self.index, "litellm_params", *steps)


@dataclass(frozen=True, kw_only=True, slots=True)
class Alias:
    """One entry of router_settings.model_group_alias, whatever its value is."""

    name: Any
    value: Any
    path: Path

    @property
    def target(self) -> str | None:
        """Return the model group that it leads to, None where its shape is wrong."""
        target = self.value.get("model") if isinstance(self.value, dict) else self.value
        return target if isinstance(target, str) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fallback:
    """One source of one entry in a list of fallbacks, whatever its targets are."""

    section: str  # router_settings or litellm_settings
    kind: str  # one of FALLBACK_KINDS
    source: Any
    targets: Any
    path: Path  # of the source; that of a target has its index after it

    @property
    def names(self) -> list[tuple[str, Path]]:
        """Return the targets that are names of models, with their paths."""
        named = []
        for index, target in enumerate(self.targets if isinstance(self.targets, list) else ()):
            model = target.get("model") if isinstance(target, dict) else target
            if isinstance(model, str):
                named.append((model, (*self.path, index)))
        return named


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """A value that begins with os.environ/."""

    name: str  # of the variable
    path: Path
