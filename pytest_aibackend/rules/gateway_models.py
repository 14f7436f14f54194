"""Check 8: the gateway serves the model groups that its file names, and no others; each answers."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_aibackend.findings import Path, Problem, Severity
from pytest_aibackend.litellm.served import expected_groups, is_expansion
from pytest_aibackend.rules.gateway_health import detail_of, gateways_seen
from pytest_aibackend.rules.registry import Group, LiveBackend, declare_group, rule
from pytest_aibackend.sources.backend import Backend

__all__ = ["MODEL_GROUPS"]


def _groups(backend: Backend) -> list[str]:
    groups = expected_groups(backend.deployed.data)
    return list(groups.names) if groups else []


MODEL_GROUPS = declare_group(
    Group(
        id="gateway-model-group",
        check=8,
        noun="model group",
        needs=("gateway", "deployed"),
        subjects=_groups,
        live=True,
    )
)


def _group_path(backend: Backend, group: str) -> Path:
    listed = backend.deployed.data.get("model_list", [])
    for index, entry in enumerate(listed):
        if isinstance(entry, dict) and entry.get("model_name") == group:
            return ("model_list", index)
    return ("router_settings", "model_group_alias", group)


def _problem(
    backend: Backend, group: str, message: str, hint: str, severity: Severity | None = None
) -> Problem:
    path = _group_path(backend, group)
    return Problem(source="deployed", path=path, message=message, hint=hint, subject=group, severity=severity)


@rule("model-group-not-served", group=MODEL_GROUPS.id)
def model_group_not_served(live: LiveBackend) -> Iterator[Problem]:
    """The gateway does not serve a model group that its file names.

    Either it runs an older file, or LiteLLM dropped the deployment without a word, as it does with
    a provider it does not know (1.106.2, router.py, ignore_invalid_deployments).
    """
    for seen in gateways_seen(live):
        if seen.served_groups is None:
            why = detail_of(seen.models) if seen.liveness.state.is_healthy else "the gateway does not answer"
            for group in _groups(live.backend):
                yield _problem(
                    live.backend,
                    group,
                    f"whether {group!r} is served could not be seen: {why}",
                    "mend the gateway first",
                    Severity.WARNING,
                )
            continue
        for group in seen.missing_groups:
            is_partial = group in seen.served_groups
            yield _problem(
                live.backend,
                group,
                f"the gateway serves {group!r} with some of its workers only"
                if is_partial
                else f"the gateway does not serve {group!r}",
                "reload the gateway; if it stays away, look for the dropped deployment in its log",
            )


@rule("ghost-model-group", group=MODEL_GROUPS.id)
def ghost_model_group(live: LiveBackend) -> Iterator[Problem]:
    """The gateway serves a model group that its file does not name.

    It runs another configuration than the one on disk. Reload it.
    """
    groups = expected_groups(live.backend.deployed.data)
    named = groups.wildcards if groups else ()
    for seen in gateways_seen(live):
        served = [group for group in seen.served_groups or () if "*" in group]
        for group in seen.ghost_groups:
            # LiteLLM lists a wildcard as every model it knows of that provider: a ghost is the wildcard.
            if not is_expansion(group, [*named, *served]):
                yield Problem(
                    source="deployed",
                    path=(),
                    message=f"the gateway serves {group!r}, which its file does not name",
                    hint="reload the gateway, or find out which file it was started with",
                    subject=group,
                )


@rule("completion-fails", group=MODEL_GROUPS.id)
def completion_fails(live: LiveBackend) -> Iterator[Problem]:
    """A tiny completion through the gateway fails for a model group (only with --aibackend-completions).

    The name is listed, and whoever asks for it gets this error. Look at the providers behind it.
    """
    for seen in gateways_seen(live):
        for completion in seen.completions:
            if not completion.state.is_healthy:
                yield _problem(
                    live.backend,
                    completion.group,
                    f"a completion of {completion.group!r} fails: {completion.detail}",
                    "look at the provider of this model group (check 7)",
                )
            elif completion.fallbacks:
                yield _problem(
                    live.backend,
                    completion.group,
                    f"{completion.group!r} was answered by {completion.model} after {completion.fallbacks}"
                    f" fallback{'s' if completion.fallbacks > 1 else ''}",
                    "look at the first provider of this model group (check 7)",
                    Severity.WARNING,
                )
