"""What pages repeat of the configuration, as Markdown tables: the same text for the same sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.checklist import CHECKS
from pytest_aibackend.litellm.plan import Deployment
from pytest_aibackend.reporting.markdown import code, plain
from pytest_aibackend.rules.translation import plan_of
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.secrets import redact_url, show_value

__all__ = ["TABLES"]

Row = tuple[str, ...]


def _ports(backend: Backend) -> Iterator[Row]:
    yield "port", "service", ""
    for name, entry in backend.ports.items():
        told = f"`{code(name)}`{f': {plain(entry.description)}' if entry.description else ''}"
        yield str(entry.port), told, "required" if entry.required else ""


def _providers(backend: Backend) -> Iterator[Row]:
    yield "provider", "type", "address", "status", "models"
    for name, provider in backend.providers.items():
        status = f"{provider.status}, required" if provider.required else provider.status
        address = f"`{code(redact_url(provider.base_url))}`"
        yield f"`{code(name)}`", provider.type, address, status, _names(provider.model_names)


def _model_groups(backend: Backend) -> Iterator[Row]:
    plan = plan_of(backend)
    yield "asked for", "answered by"
    for name, deployments in (*plan.model_groups.items(), *plan.wildcards.items()):
        yield f"`{code(name)}`", "; ".join(_deployment(one) for one in deployments)
    for name, target in plan.aliases.items():
        yield f"`{code(name)}`", f"the model group `{code(target)}`"


def _fallbacks(backend: Backend) -> Iterator[Row]:
    plan = plan_of(backend)
    yield "when this fails", "these are asked, in order"
    for name, targets in plan.fallbacks.items():
        yield f"`{code(name)}`", _names(targets)
    if plan.default_fallbacks:
        yield "anything else", _names(plan.default_fallbacks)


def _settings(backend: Backend) -> Iterator[Row]:
    yield "setting of `gateway.yaml`", "value"
    for section in ("router_settings", "litellm_settings", "general_settings"):
        yield from _flat(section, getattr(backend.gateway, section))


def _checks(_backend: Backend) -> Iterator[Row]:
    yield "check", "slug", "critical", "asks services"
    for check in CHECKS.values():
        live = "all of it" if check.live else "a part" if check.number == 6 else ""
        yield str(check.number), f"`{check.slug}`", "yes" if check.critical else "", live


def _deployment(one: Deployment) -> str:
    told = f"`{code(one.model)}` of `{code(one.provider)}`"
    details = [
        f"{name} {one.litellm_params[name]}" for name in ("order", "weight") if name in one.litellm_params
    ]
    return f"{told} ({', '.join(details)})" if details else told


def _flat(place: str, settings: Mapping[str, Any]) -> Iterator[Row]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(f"{place}.{key}", value)
        else:
            shown = show_value(key, value).strip("'")
            yield f"`{code(f'{place}.{key}')}`", f"`{code(shown)}`"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{code(name)}`" for name in names)


def _table(rows: Iterable[Row]) -> str:
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    columns = head.count(" | ") + 1
    lines = (head, "|" + "---|" * columns, *others)
    return "\n".join(line.replace("|  |", "| |") for line in lines)


def _maker(rows: Callable[[Backend], Iterator[Row]]) -> Callable[[Backend], str]:
    return lambda backend: _table(rows(backend))


TABLES: Final[Mapping[str, Callable[[Backend], str]]] = {
    "checks": _maker(_checks),
    "fallbacks": _maker(_fallbacks),
    "model-groups": _maker(_model_groups),
    "ports": _maker(_ports),
    "providers": _maker(_providers),
    "settings": _maker(_settings),
}
