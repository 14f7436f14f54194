"""A deployment in two parts: what the sources have fields for, and the rest.

The rest is not guessed: the generator's own `DeploymentMaker` makes the deployment from the fields, and what
differs from the original is passed through, at the provider where all its deployments share it, else at the
model, else at the route.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pytest_aibackend.importer.fields import common, fields_of, residual
from pytest_aibackend.importer.notes import Notes
from pytest_aibackend.importer.placed import Placed, grouped
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.types import Problems
from pytest_aibackend.litellm.words import section_of
from pytest_aibackend.sources.models import Provider

__all__ = ["Residues", "attach"]

_ADDRESSING: Final = ("api_base", "base_url", "api_key", "custom_llm_provider")
_OF_ACCOUNTS: Final = ("stream", "extra_headers", "organization", "api_version")
_WHY: Final[Mapping[str, str]] = {
    "model": "another prefix than the sources write for this type of provider",
    "api_base": "written otherwise than the sources write it",
    "base_url": "LiteLLM's other word for api_base",
    "custom_llm_provider": "the provider stands beside the model, not in front of it",
    "api_key": "another key than the provider's",
    "rpm": "no limit as it is, only a weight: the router does not enforce it",
    "tpm": "no limit as it is, only a weight: the router does not enforce it",
    "order": "deployments that are tried in turn, in a group of one's own making",
    "weight": "a weight where there is nothing to weigh against, or that is no number",
}
_NO_FIELD: Final = "the sources have no field for it"
_ALONE: Final = "not all deployments of the model have it"
_NO_ADDRESS: Final = (
    "the original has none: LiteLLM looks for one in its environment, and may start Ollama itself"
)


class Residues:
    """Settles what is a field of the model, and at which level the rest is passed through."""

    def __init__(
        self,
        config: Mapping[Any, Any],
        providers: dict[str, dict[str, Any]],
        placed: list[Placed],
        notes: Notes,
    ) -> None:
        router = section_of(config, "router_settings")
        checks = router.get("optional_pre_call_checks")
        self._limits = isinstance(checks, list) and "enforce_model_rate_limits" in checks
        self._context = router.get("enable_pre_call_checks") is True
        self._providers = providers
        self._placed = placed
        self._notes = notes

    def settle(self) -> None:
        """Fill the models of the providers, and leave with each deployment what is its own alone."""
        for provider in self._providers.values():
            provider["models"] = []  # until one leads to it
        for name, members in grouped(self._placed, lambda each: each.provider).items():
            models = grouped(members, lambda each: each.model)
            fields = {model: self._fields(name, model, found) for model, found in models.items()}
            self._providers[name]["models"] = list(fields.values())
            made = self._made(name, members)
            for member, (params, info) in zip(members, made, strict=True):
                member.rest = {
                    "litellm_params": residual(params, member.params),
                    "model_info": residual(info, member.info),
                }
            self._lift(members, self._providers[name], f"providers.{name}", only=_shared(len(models)))
            for model, found in models.items():
                self._lift(found, fields[model], f"providers.{name}.models, {model!r}", only=None)

    def _fields(self, provider: str, model: str, members: list[Placed]) -> dict[str, Any]:
        fields = fields_of(
            self._providers[provider]["type"],
            common([member.params for member in members]),
            common([member.info for member in members]),
            limits=self._limits,
            context=self._context,
        )
        return {"name": model, **fields}

    def _made(self, name: str, members: list[Placed]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Return what the generator makes of each, with nothing passed through yet."""
        provider = Provider.model_validate(self._providers[name])
        maker = DeploymentMaker({name: provider}, Problems(), context_is_checked=self._context)
        made = []
        for member in members:
            weight: dict[str, Any] = {} if member.weight is None else {"weight": member.weight}
            found = maker.make(name, member.model, "", (), **weight)
            made.append((found.litellm_params, found.model_info))
        return made

    def _lift(
        self, members: list[Placed], owner: dict[str, Any], where: str, *, only: tuple[str, ...] | None
    ) -> None:
        """Pass through at the owner what the rests of all its members have in common."""
        lifted: dict[str, dict[str, Any]] = {}
        for part in ("litellm_params", "model_info"):
            shared = common([member.rest[part] for member in members])
            shared = {
                key: value
                for key, value in shared.items()
                if key != "order" and (only is None or key in only)
            }
            for member in members:
                member.rest[part] = {k: v for k, v in member.rest[part].items() if k not in shared}
            lifted[part] = shared
        attach(owner, lifted, "providers.yaml", where, self._notes)


def _shared(models: int) -> tuple[str, ...]:
    """Return which keys of the rest belong to a provider with so many models."""
    return _ADDRESSING if models == 1 else (*_ADDRESSING, *_OF_ACCOUNTS)


def attach(
    owner: dict[str, Any], rest: Mapping[str, dict[str, Any]], file: str, where: str, notes: Notes
) -> None:
    """Pass something through at a provider, a model or a route, and note it."""
    kept = {part: values for part, values in rest.items() if values}
    if kept:
        owner["passthrough"] = kept
    for part, values in kept.items():
        for key, value in values.items():
            otherwise = _NO_FIELD if file == "providers.yaml" else _ALONE
            why = _WHY.get(key, otherwise) if part == "litellm_params" else otherwise
            if key == "api_base" and value is None and "base_url" not in values:
                why = _NO_ADDRESS
            what = f"{part}.{key}" + (" left out" if value is None else "")
            notes.carry(file, where, what, why)
