"""`model_list` becomes providers, their models, and the routes that lead to them.

A deployment is split into what the sources have fields for and the rest. The rest is not guessed: the
generator's own `DeploymentMaker` makes the deployment from the fields, and what differs from the original is
passed through, at the provider where all its deployments share it, else at the model, else at the route.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_aibackend.importer.concepts import Member, find_ordered, find_pattern, sort_patterns
from pytest_aibackend.importer.fields import common, fields_of, residual
from pytest_aibackend.importer.homes import Home, NoPlaceError, home_of, name_homes, upstream_of
from pytest_aibackend.importer.notes import Notes
from pytest_aibackend.importer.words import Defaults, deployments_of, section_of
from pytest_aibackend.litellm.plan.deployments import DeploymentMaker
from pytest_aibackend.litellm.plan.types import Problems
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.models import Provider

__all__ = ["Translated", "translate_deployments"]

_ADDRESSING: Final = ("api_base", "base_url", "api_key", "custom_llm_provider")
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
_WILDCARD: Final = "its name is a wildcard for which the sources have no pattern"
_NO_FIELD: Final = "the sources have no field for it"
_KEY: Final = (
    "provider {!r} has no key of its own: LiteLLM sends it {}, as before; remove env_var and requires_api_key"
    " where it needs none"
)
_ADDRESS: Final = (
    "the address of provider {!r} is written down now: no variable of the gateway's environment, such as"
    " OPENAI_BASE_URL, changes it any longer"
)
_ALONE: Final = "not all deployments of the model have it"
_NO_ADDRESS: Final = (
    "the original has none: LiteLLM looks for one in its environment, and may start Ollama itself"
)


@dataclass(slots=True)
class _Placed:
    """A deployment and where it went."""

    group: str
    provider: str
    model: str
    params: dict[str, Any]  # as LiteLLM means them
    info: dict[str, Any]
    weight: int | float | None = None
    rest: dict[str, dict[str, Any]] = field(default_factory=dict)  # passed through, for this one alone

    @property
    def member(self) -> Member:
        """Return what makes it the deployment that it is."""
        return self.provider, self.model, self.params, self.info


@dataclass(frozen=True, slots=True)
class Translated:
    """What `model_list` became."""

    providers: dict[str, dict[str, Any]]
    exact_matches: dict[str, dict[str, Any]]
    patterns: list[dict[str, Any]]
    capabilities: dict[str, dict[str, Any]]
    load_balancing: dict[str, dict[str, Any]]
    carried: list[Mapping[str, Any]]  # entries for passthrough.model_list


def translate_deployments(config: Mapping[Any, Any], notes: Notes) -> Translated:
    """Translate every model group that the sources can say; the others are carried whole."""
    defaults = Defaults(config)
    homes: dict[str, list[Home]] = {}
    reasons: dict[str, str] = {}
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for entry in deployments_of(config):
        groups.setdefault(entry["model_name"], []).append(entry)
    for name, entries in groups.items():
        try:
            homes[name] = [home_of(entry, defaults) for entry in entries]
        except NoPlaceError as reason:
            reasons[name] = str(reason)
    placed, names, patterns = _settle_homes(homes, groups, reasons, defaults)
    ordered = find_ordered(
        {name: [each.member for each in found] for name, found in _by_group(placed).items()}
    )
    placed = [each for each in placed if each.group not in ordered]
    _weigh(placed)
    providers = {name: _provider(home) for home, name in names.items()}
    _Residues(config, providers, placed, notes).settle()
    _note_implied(groups, homes, names, notes)
    for name, why in reasons.items():
        notes.carry("gateway.yaml", "passthrough.model_list", _counted(len(groups[name]), name), why)
    return Translated(
        providers=providers,
        exact_matches=_routes(placed, notes),
        patterns=sort_patterns(patterns),
        capabilities={name: {"preferred_models": turns} for name, turns in ordered.items()},
        load_balancing=_balanced(placed, notes),
        carried=[entry for name in reasons for entry in groups[name]],
    )


def _note_implied(
    groups: Mapping[str, list[Mapping[str, Any]]],
    homes: Mapping[str, list[Home]],
    names: Mapping[Home, str],
    notes: Notes,
) -> None:
    """Tell what LiteLLM took of itself and the sources now say."""
    for group, found in homes.items():
        for entry, home in zip(groups[group], found, strict=True):
            params = entry["litellm_params"]
            address = address_of(home.base_url)
            if home.env_var and not params.get("api_key") and address is not None and address.is_private:
                notes.say(_KEY.format(names[home], home.env_var))
            named = params.get("api_base") or params.get("base_url")
            if home.type in ("openai", "anthropic") and not named:
                notes.say(_ADDRESS.format(names[home]))


def _settle_homes(
    homes: dict[str, list[Home]],
    groups: Mapping[str, list[Mapping[str, Any]]],
    reasons: dict[str, str],
    defaults: Defaults,
) -> tuple[list[_Placed], dict[Home, str], list[dict[str, Any]]]:
    """Return the deployments at their providers, the providers' names, and the patterns.

    A wildcard that no pattern becomes gives its provider up again, and is carried whole.
    """
    while True:
        names = name_homes([home for found in homes.values() for home in found])
        placed = [
            _place(name, entry, names[home], defaults)
            for name, found in homes.items()
            for entry, home in zip(groups[name], found, strict=True)
        ]
        providers = {name: _provider(home) for home, name in names.items()}
        wild = {name: found for name, found in _by_group(placed).items() if "*" in name}
        patterns = {
            name: find_pattern(name, [each.member for each in found], providers)
            for name, found in wild.items()
        }
        lost = [name for name, pattern in patterns.items() if pattern is None]
        if not lost:
            kept = [each for each in placed if each.group not in wild]
            return kept, names, [pattern for pattern in patterns.values() if pattern]
        for name in lost:
            del homes[name]
            reasons[name] = _WILDCARD


def _place(name: str, entry: Mapping[str, Any], provider: str, defaults: Defaults) -> _Placed:
    info = {key: value for key, value in (entry.get("model_info") or {}).items() if value is not None}
    params = entry["litellm_params"]
    return _Placed(name, provider, upstream_of(params), defaults.filled(params), info)


def _weigh(placed: list[_Placed]) -> None:
    """Give the members of a group their weights, where each has one that is a number."""
    groups = _by_group(placed)
    for members in groups.values():
        weights = [member.params.get("weight") for member in members]
        if len(members) > 1 and all(_is_weight(weight) for weight in weights):
            for member, weight in zip(members, weights, strict=True):
                member.weight = weight


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value < float("inf")


def _provider(home: Home) -> dict[str, Any]:
    provider: dict[str, Any] = {"type": home.type, "base_url": home.base_url}
    if home.env_var:
        provider |= {"requires_api_key": True, "env_var": home.env_var}
    elif home.needs_no_key:
        provider["requires_api_key"] = False
    return provider


class _Residues:
    """Settles what is a field of the model, and at which level the rest is passed through."""

    def __init__(
        self,
        config: Mapping[Any, Any],
        providers: dict[str, dict[str, Any]],
        placed: list[_Placed],
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
        for provider in self._providers.values():
            provider["models"] = []  # until one leads to it
        for name, members in _grouped(self._placed, lambda each: each.provider).items():
            models = _grouped(members, lambda each: each.model)
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

    def _fields(self, provider: str, model: str, members: list[_Placed]) -> dict[str, Any]:
        fields = fields_of(
            self._providers[provider]["type"],
            common([member.params for member in members]),
            common([member.info for member in members]),
            limits=self._limits,
            context=self._context,
        )
        return {"name": model, **fields}

    def _made(self, name: str, members: list[_Placed]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
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
        self, members: list[_Placed], owner: dict[str, Any], where: str, *, only: tuple[str, ...] | None
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
        _attach(owner, lifted, "providers.yaml", where, self._notes)


def _shared(models: int) -> tuple[str, ...] | None:
    """Return which keys of the rest belong to a provider; None for all but what names the model."""
    return (
        _ADDRESSING
        if models == 1
        else (*_ADDRESSING, "stream", "extra_headers", "organization", "api_version")
    )


def _attach(
    owner: dict[str, Any], rest: Mapping[str, dict[str, Any]], file: str, where: str, notes: Notes
) -> None:
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


def _routes(placed: list[_Placed], notes: Notes) -> dict[str, dict[str, Any]]:
    routes: dict[str, dict[str, Any]] = {}
    for name, members in _by_group(placed).items():
        if len(members) == 1:
            only = members[0]
            routes[name] = {"provider": only.provider}
            if only.model != name:
                routes[name]["backend_model"] = only.model
            _attach(routes[name], only.rest, "model-mappings.yaml", f"exact_matches, {name!r}", notes)
    return routes


def _balanced(placed: list[_Placed], notes: Notes) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for name, members in _by_group(placed).items():
        listed: list[dict[str, Any]] = []
        for place, member in enumerate(members if len(members) > 1 else ()):
            entry = {"provider": member.provider, "model": member.model, "weight": member.weight}
            where = f"load_balancing, {name!r}, member {place + 1}"
            _attach(entry, member.rest, "model-mappings.yaml", where, notes)
            listed.append(entry)
        if listed:
            groups[name] = {"providers": listed}
    return groups


def _by_group(placed: list[_Placed]) -> dict[str, list[_Placed]]:
    return _grouped(placed, lambda each: each.group)


def _grouped(placed: list[_Placed], key: Any) -> dict[str, list[_Placed]]:
    groups: dict[str, list[_Placed]] = {}
    for each in placed:
        groups.setdefault(key(each), []).append(each)
    return groups


def _counted(number: int, name: str) -> str:
    return f"{name!r}" if number == 1 else f"{name!r} ({number} deployments)"
