"""Settings that LiteLLM makes into a class, or looks up in a table, only where it uses them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_aibackend.litellm.derive.annotations import Types
from pytest_aibackend.litellm.derive.fields import Section
from pytest_aibackend.litellm.derive.source import find

__all__ = ["apply"]

_CLASSES: Final[dict[str, dict[str, str]]] = {
    "general_settings": {
        "alerting_args": "types.integrations.slack_alerting:SlackAlertingArgs",
        "key_management_settings": "types.secret_managers.main:KeyManagementSettings",
    },
    "litellm_settings": {
        "code_interpreter_interception_params": (
            "types.integrations.code_interpreter_interception:CodeInterpreterInterceptionConfig"
        ),
        "compression_interception_params": (
            "types.integrations.compression_interception:CompressionInterceptionConfig"
        ),
        "default_team_params": "types.proxy.management_endpoints.ui_sso:DefaultTeamSSOParams",
        "key_generation_settings": "types.utils:StandardKeyGenerationConfig",
        "model_group_settings": "types.router:ModelGroupSettings",
        "priority_reservation_settings": "types.utils:PriorityReservationSettings",
        "prompt_injection_params": "proxy._types:LiteLLMPromptInjectionParams",
        "upperbound_key_generate_params": (
            "types.proxy.management_endpoints.ui_sso:LiteLLM_UpperboundKeyGenerateParams"
        ),
        "websearch_interception_params": (
            "types.integrations.websearch_interception:WebSearchInterceptionConfig"
        ),
    },
}
# The tables whose keys are the values that a setting may have.
_TABLES: Final = {
    ("prompt_params", "prompt_integration"): "proxy.prompts.prompt_registry:prompt_initializer_registry",
}


def apply(sections: Mapping[str, Section], types: Types) -> None:
    """Give these settings the type of their class, or their values, in versions that have both."""
    for section, classes in _CLASSES.items():
        for name, path in classes.items():
            key, owner = sections[section].keys.get(name), find(path)
            if key is not None and owner is not None:
                key.schema, key.inferred = types.schema(owner | None), False
    for (section, name), path in _TABLES.items():
        key, table = sections[section].keys.get(name), find(path)
        if key is not None and table:
            key.schema = {"anyOf": [{"enum": sorted(table)}, {"$ref": "#/$defs/reference"}]}
