"""The model list: whether there is one, and whether its entries say which models they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule

__all__ = ["deployment_without_model", "empty_model_info", "model_list_empty"]

# A gateway with one of these serves something without any model of its own.
_OTHER_SERVICES: Final = (
    "mcp_servers",
    "agents",
    "agent_list",
    "search_tools",
    "vector_store_registry",
    "sandbox_tools",
)


@lint_rule("model-list-empty", where="proxy/proxy_server.py, load_config (1.106.2)")
def model_list_empty(context: LintContext) -> Iterator[LintProblem]:
    """The config names no model: LiteLLM starts, says nothing, and serves nothing.

    Often `models:` was written for `model_list:`, or the list below it was commented out. Nothing is said
    where models are kept in the database (`store_model_in_db`), or where the gateway serves something else,
    such as MCP servers or pass-through endpoints.
    """
    document = context.document
    listed = document.get("model_list")
    if listed or isinstance(listed, (str, int, float)):  # of another type: wrong-type speaks of it
        return
    settings = document.section("general_settings")
    if (
        context.has_stored_models
        or settings.get("pass_through_endpoints")
        or any(document.get(name) for name in _OTHER_SERVICES)
    ):
        return
    yield LintProblem(
        path=("model_list",),
        message="model_list is empty: LiteLLM starts and serves no model"
        if "model_list" in document.data
        else "there is no model_list: LiteLLM starts and serves no model",
        hint="write model_list: with an entry for each deployment, or store_model_in_db: true for a database",
        subject="model_list",
    )


@lint_rule("empty-model-info", where="router.py, set_model_list (1.106.2)")
def empty_model_info(context: LintContext) -> Iterator[LintProblem]:
    """A deployment has `model_info:` with nothing below it.

    LiteLLM refuses to start: "'NoneType' object has no attribute 'get'". Often what stood there was commented
    out. Comment `model_info:` out, too.
    """
    for deployment in context.document.deployments:
        if "model_info" in deployment.entry and deployment.entry["model_info"] is None:
            yield LintProblem(
                path=(*deployment.path, "model_info"),
                message=f"the model_info of {deployment.label!r} is empty: LiteLLM refuses to start",
                hint="remove model_info:, or write {} behind it",
            )


@lint_rule(
    "deployment-without-model",
    where="router.py, set_model_list; proxy/proxy_server.py, load_config (1.106.2)",
)
def deployment_without_model(context: LintContext) -> Iterator[LintProblem]:
    """A deployment does not say which model of which provider it is.

    LiteLLM refuses to start without `litellm_params` or its `model`, or drops the deployment. Write
    `model: provider/model` under its `litellm_params`.
    """
    for deployment in context.document.deployments:
        params = deployment.entry.get("litellm_params")
        if params is None:
            yield LintProblem(
                path=deployment.path,
                message=f"{deployment.label!r} has no litellm_params",
                hint="write model: provider/model under litellm_params:",
            )
        elif isinstance(params, dict) and params.get("model") in (None, ""):
            yield LintProblem(
                path=deployment.at("model"),
                message=f"{deployment.label!r} has no litellm_params.model",
                hint="write model: provider/model under its litellm_params",
            )
        elif deployment.model.endswith("/"):
            yield LintProblem(
                path=deployment.at("model"),
                message=f"the model of {deployment.label!r} is {deployment.model!r}: a provider alone",
                hint=f"write {deployment.model} and the name that the server knows the model by",
                severity=Severity.WARNING,
            )
