"""Settings that need something beside them: another key, a licence, a variable of the environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.schema import Schema
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.wording import listed

__all__ = [
    "licence_missing",
    "mcp_without_flow",
    "oauth2_proxy_incomplete",
    "one_key_needed",
    "unsupported_environment",
]

_GENERAL: Final = "general_settings"
# Keys of which a mapping needs one, and whether it bears a second.
_ONE_OF: Final = {
    "coordination_redis": (("host", "url", "startup_nodes", "sentinel_nodes"), True),
    "spend_logs_metadata_fields": (("include", "exclude"), False),
}
# What is refused without a licence, each with the line of LiteLLM that began it; the empty list is refused,
# too, where the last is true.
_LICENSED: Final = (
    ((_GENERAL, "allowed_ips"), (1, 85), True),
    ((_GENERAL, "enforced_params"), (1, 85), True),
    (("litellm_settings", "tag_budget_config"), (1, 85), True),
    (("worker_registry",), (1, 106), False),
)
_LICENCE: Final = "LITELLM_LICENSE"
_ENVIRONMENT: Final = "LITELLM_ENVIRONMENT"
_ENVIRONMENTS: Final = ("development", "production", "staging")
_FLOWS_SINCE: Final = (1, 96)


@lint_rule(
    "one-key-needed",
    where="proxy/proxy_server.py, coordination_redis; proxy/_types.py, SpendLogsMetadataFields (1.106.2)",
)
def one_key_needed(context: LintContext) -> Iterator[LintProblem]:
    """A mapping lacks all of the keys of which LiteLLM needs one, or has two where it takes one.

    `coordination_redis` needs an address, `spend_logs_metadata_fields` a list of what to keep or of what to
    leave out: LiteLLM refuses to start.
    """
    known = context.schema.section(_GENERAL).keys
    for name, (keys, may_be_more) in _ONE_OF.items():
        value = context.document.get(_GENERAL, name)
        if name not in known or not isinstance(value, dict):
            continue
        given = [key for key in keys if value.get(key) is not None]
        if not given:
            fact = f"has none of {listed(keys)}"
        elif len(given) > 1 and not may_be_more:
            fact = f"has {listed(given)}, of which it takes one"
        else:
            continue
        yield LintProblem(
            path=(_GENERAL, name),
            message=f"{name} {fact}: LiteLLM does not start",
            hint=f"give it one of {listed(keys)}, or remove {name}",
        )


@lint_rule(
    "licence-missing",
    severity=Severity.WARNING,
    where="proxy/proxy_server.py, load_config; router_strategy/budget_limiter.py (1.106.2)",
)
def licence_missing(context: LintContext) -> Iterator[LintProblem]:
    """A setting is used that LiteLLM sells.

    Without a licence in LITELLM_LICENSE it refuses to start because of `allowed_ips`, `enforced_params`,
    `tag_budget_config` or `worker_registry`: an error where the environment is known and has none.
    """
    if context.has_variable(_LICENCE) or context.document.get(_GENERAL, "litellm_license"):
        return
    is_known = context.environment is not None
    for path, since, also_empty in _LICENSED:
        value = context.document.get(*path)
        if value is None or _line(context.schema) < since or not (value or also_empty):
            continue
        yield LintProblem(
            path=path,
            message=f"{path[-1]} needs a licence"
            + (f", and {_LICENCE} is not set: " if is_known else f": without {_LICENCE} ")
            + "LiteLLM does not start",
            hint=f"remove {path[-1]}, or set {_LICENCE} where the gateway runs",
            severity=Severity.ERROR if is_known else None,
        )


@lint_rule("unsupported-environment", where="router.py, model_info_is_active_for_environment (1.106.2)")
def unsupported_environment(context: LintContext) -> Iterator[LintProblem]:
    """`supported_environments` names one that LiteLLM does not have, or the gateway does not say where it is.

    LiteLLM drops the deployment with a line in its log. It knows `development`, `staging` and `production`,
    and which one it is itself from LITELLM_ENVIRONMENT; that is judged only where the environment is known.
    """
    own = _own_environment(context)
    for deployment in context.document.deployments:
        named = deployment.info.get("supported_environments")
        if not isinstance(named, list):
            continue
        unknown = [each for each in named if each not in _ENVIRONMENTS]
        if unknown:
            fact = f"supported_environments names {show_value(None, unknown[0])}"
            hint = f"write {listed(_ENVIRONMENTS)}"
        elif own is not None and own not in _ENVIRONMENTS:
            fact = f"{_ENVIRONMENT} is " + (show_value(None, own) if own else "not set")
            hint = f"set {_ENVIRONMENT} to one of {listed(_ENVIRONMENTS)} where the gateway runs"
        else:
            continue
        yield LintProblem(
            path=(*deployment.path, "model_info", "supported_environments"),
            message=f"{fact}: LiteLLM drops the deployment of {deployment.label!r}",
            hint=hint,
        )


@lint_rule(
    "oauth2-proxy-incomplete", where="proxy/auth/oauth2_proxy_hook.py, handle_oauth2_proxy_request (1.106.2)"
)
def oauth2_proxy_incomplete(context: LintContext) -> Iterator[LintProblem]:
    """`enable_oauth2_proxy_auth` is on, and it is not said which proxy is trusted, or what its headers mean.

    LiteLLM starts, and answers every request with an error. Write the proxy's addresses as
    `trusted_proxy_ranges`, and the headers that it sends as `oauth2_config_mappings`.
    """
    settings = context.document.section(_GENERAL)
    if settings.get("enable_oauth2_proxy_auth") is not True:
        return
    for key in ("trusted_proxy_ranges", "oauth2_config_mappings"):
        if not settings.get(key):
            yield LintProblem(
                path=(_GENERAL, key),
                message=f"enable_oauth2_proxy_auth needs {key}: without it every request fails",
                hint=f"add {key} to general_settings",
            )


@lint_rule(
    "mcp-without-flow",
    where="proxy/_experimental/mcp_server/mcp_server_manager.py, load_servers_from_config (1.106.2)",
)
def mcp_without_flow(context: LintContext) -> Iterator[LintProblem]:
    """An MCP server has `auth_type: oauth2` and no `oauth2_flow`: LiteLLM refuses to start.

    Write `client_credentials` where the gateway logs in for everybody, `authorization_code` where each user
    does.
    """
    if _line(context.schema) < _FLOWS_SINCE:
        return
    for name, server in context.document.section("mcp_servers").items():
        is_oauth = isinstance(server, dict) and server.get("auth_type") == "oauth2"
        if is_oauth and server.get("oauth2_flow") is None:
            yield LintProblem(
                path=("mcp_servers", name, "oauth2_flow"),
                message=f"the MCP server {name!r} has auth_type oauth2 and no oauth2_flow:"
                " LiteLLM does not start",
                hint="add oauth2_flow: client_credentials, or authorization_code",
            )


def _line(schema: Schema) -> tuple[int, ...]:
    return tuple(int(part) for part in schema.line.split("."))


def _own_environment(context: LintContext) -> str | None:
    """Return what the gateway has in LITELLM_ENVIRONMENT, "" for nothing; None where that is not known."""
    own = context.document.section("environment_variables").get(_ENVIRONMENT)
    if context.environment is None or context.document.get(_GENERAL, "key_management_system"):
        return None
    if own is None:
        return context.environment.get(_ENVIRONMENT, "")
    return None if is_reference(own) else str(own)
