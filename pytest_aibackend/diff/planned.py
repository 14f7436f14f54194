"""What the sources of a directory mean: the plan that the gateway would run, and what stands beside it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_aibackend.diff.deployment import Windows, smallest, windows_of
from pytest_aibackend.diff.meaning import Meaning, Sources
from pytest_aibackend.litellm.generate import render_body
from pytest_aibackend.litellm.plan import Deployment, GatewayPlan, plan_gateway
from pytest_aibackend.sources import yaml_text
from pytest_aibackend.sources.backend import Backend
from pytest_aibackend.sources.models import Model

__all__ = ["meaning_of_backend"]


def meaning_of_backend(backend: Backend) -> Meaning:
    """Return the meaning of sources that could be read."""
    plan = plan_gateway(backend)
    document, problems = yaml_text.parse(render_body(backend, plan).encode("utf-8"))
    assert document is not None, f"what we generate is YAML: {problems}"
    sources = Sources(
        providers=backend.providers,
        ports=backend.ports,
        deploy=backend.gateway.deploy,
        contexts=_contexts(backend, plan),
    )
    return Meaning(document=document.data, sources=sources)


def _contexts(backend: Backend, plan: GatewayPlan) -> dict[str, Windows]:
    models = {name: {model.name: model for model in each.models} for name, each in backend.providers.items()}
    found = {}
    for groups in (plan.model_groups, plan.wildcards):
        for group, deployments in groups.items():
            windows = windows_of(
                (deployment.litellm_params.get("order"), _window(backend, models, deployment))
                for deployment in deployments
            )
            if windows is not None:
                found[group] = windows
    return found


def _window(
    backend: Backend, models: Mapping[str, Mapping[str, Model]], deployment: Deployment
) -> int | None:
    provider = backend.providers.get(deployment.provider)
    model = models.get(deployment.provider, {}).get(deployment.model)
    return smallest(
        model.context_length if model else None,
        provider.max_model_len if provider else None,
        deployment.litellm_params.get("num_ctx"),
        deployment.model_info.get("max_input_tokens"),
    )
