"""Health checks that LiteLLM makes by itself: what they cost, and settings without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.document import Deployment
from pytest_aibackend.litellm.lint.endpoints import address_in_deployment
from pytest_aibackend.litellm.lint.providers import provider_of
from pytest_aibackend.sources.addresses import address_of
from pytest_aibackend.sources.wording import listed

__all__ = ["health_checks_billed", "health_checks_off"]

_SETTINGS: Final = "general_settings"
_LOOP: Final = "proxy/proxy_server.py, _run_background_health_check (1.106.2)"
_DEFAULT_S: Final = 300
# These ask a server of one's own when nothing else is said.
_OWN: Final = (
    *("", "ollama", "ollama_chat", "hosted_vllm", "vllm", "lm_studio", "llamafile", "xinference", "infinity"),
    *("docker_model_runner", "lemonade", "triton", "oobabooga", "custom", "auto_router"),
)
_NEEDING: Final = ("health_check_interval", "use_shared_health_check", "enable_health_check_routing")


@lint_rule("health-checks-billed", severity=Severity.WARNING, where=_LOOP)
def health_checks_billed(context: LintContext) -> Iterator[LintProblem]:
    """Background health checks ask models that are paid for.

    Each check is a real request to each deployment, every `health_check_interval` seconds, by every worker.
    Write `disable_background_health_check: true` under the `model_info` of those that cost money, or a long
    interval.
    """
    settings = context.document.section(_SETTINGS)
    if settings.get("background_health_checks") is not True:
        return
    paid = [each for each in context.document.deployments if _is_paid(context, each)]
    only = settings.get("background_health_check_model_groups")
    if isinstance(only, list):
        paid = [each for each in paid if each.name in only]
    if not paid:
        return
    interval = settings.get("health_check_interval", _DEFAULT_S)
    yield LintProblem(
        path=(_SETTINGS, "background_health_checks"),
        message=f"background health checks send paid requests, {len(paid)} every {interval} s:"
        f" {listed(dict.fromkeys(each.label for each in paid), shown=4)}",
        hint="write disable_background_health_check: true under the model_info of these",
    )


@lint_rule("health-checks-off", severity=Severity.WARNING, where=_LOOP)
def health_checks_off(context: LintContext) -> Iterator[LintProblem]:
    """Settings for background health checks stand without `background_health_checks: true`, or undo it.

    LiteLLM makes none without, nor with a `health_check_interval` that is no whole number above 0, and
    routing by health (`enable_health_check_routing`) knows nothing to go by.
    """
    settings = context.document.section(_SETTINGS)
    interval = settings.get("health_check_interval")
    if settings.get("background_health_checks"):
        if isinstance(interval, (int, float)) and (interval <= 0 or isinstance(interval, float)):
            yield LintProblem(
                path=(_SETTINGS, "health_check_interval"),
                message=f"health_check_interval is {interval}: then LiteLLM makes no health checks",
                hint="write a whole number of seconds above 0",
            )
        return
    for key in _NEEDING:
        if settings.get(key):
            yield LintProblem(
                path=(_SETTINGS, key),
                message=f"{key} has no effect without background_health_checks: true",
                hint=f"write background_health_checks: true, or remove {key}",
            )


def _is_paid(context: LintContext, deployment: Deployment) -> bool:
    if deployment.info.get("disable_background_health_check") or (
        "*" in deployment.model and not deployment.info.get("health_check_model")
    ):
        return False
    named = address_in_deployment(context, deployment)
    if named is not None:
        address = address_of(named[1])
        return address is not None and not address.is_private
    return (provider_of(context, deployment) or "") not in _OWN
