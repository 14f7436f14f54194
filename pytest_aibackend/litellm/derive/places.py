"""Lists and mappings, most of them at the top of the file, whose entries are made into one class each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pytest_aibackend.litellm.derive.annotations import Types
from pytest_aibackend.litellm.derive.fields import Section
from pytest_aibackend.litellm.derive.source import find

__all__ = ["PLACES", "Place", "section_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One of them; the keys of a place without a class are in additions.yaml."""

    name: str  # of the section
    route: str
    on_unknown: str
    classes: tuple[str, ...] = ()  # the first one that this version has
    required: tuple[str, ...] = ()  # keys without which LiteLLM refuses to start, or passes over the entry
    instead: Mapping[str, Any] | None = None  # another shape that LiteLLM takes there


PLACES: Final = (
    Place(
        name="jwt_auth",
        route="general_settings.litellm_jwtauth",
        on_unknown="rejected",
        classes=("proxy._types:LiteLLM_JWTAuth",),
    ),
    Place(
        name="prompt",
        route="prompts[]",
        on_unknown="ignored",
        classes=("types.prompts.init_prompts:PromptSpec",),
        required=("prompt_id", "litellm_params"),
    ),
    Place(
        name="prompt_params",
        route="prompts[].litellm_params",
        on_unknown="stored",
        classes=("types.prompts.init_prompts:PromptLiteLLMParams",),
        required=("prompt_integration",),
    ),
    Place(
        name="policy",
        route="policies.*",
        on_unknown="ignored",
        classes=("types.proxy.policy_engine.policy_types:Policy",),
    ),
    Place(
        name="policy_guardrails",
        route="policies.*.guardrails",
        on_unknown="ignored",
        classes=("types.proxy.policy_engine.policy_types:PolicyGuardrails",),
        instead={"type": "array", "items": {"type": "string"}},
    ),
    Place(
        name="policy_condition",
        route="policies.*.condition",
        on_unknown="ignored",
        classes=("types.proxy.policy_engine.policy_types:PolicyCondition",),
    ),
    Place(
        name="policy_attachment",
        route="policy_attachments[]",
        on_unknown="ignored",
        classes=("types.proxy.policy_engine.policy_types:PolicyAttachment",),
        required=("policy",),
    ),
    Place(
        name="agent",
        route="agents[]",
        on_unknown="ignored",
        classes=("types.agents:AgentConfig",),
        required=("agent_name", "agent_card_params"),
    ),
    Place(
        name="agent_of_list",
        route="agent_list[]",
        on_unknown="ignored",
        classes=("types.agents:AgentConfig",),
        required=("agent_name", "agent_card_params"),
    ),
    Place(
        name="credential",
        route="credential_list[]",
        on_unknown="ignored",
        classes=("models.credentials:CredentialItem", "types.utils:CredentialItem"),
        required=("credential_name", "credential_values", "credential_info"),
    ),
    Place(
        name="search_tool",
        route="search_tools[]",
        on_unknown="stored",
        classes=("types.router:SearchToolTypedDict",),
    ),
    Place(
        name="search_tool_params",
        route="search_tools[].litellm_params",
        on_unknown="forwarded",
        classes=("types.router:SearchToolLiteLLMParams",),
    ),
    Place(
        name="vector_store",
        route="vector_store_registry[]",
        on_unknown="ignored",
        classes=("types.vector_stores:LiteLLM_VectorStoreConfig",),
        required=("litellm_params",),
    ),
    Place(
        name="vector_store_params",
        route="vector_store_registry[].litellm_params",
        on_unknown="forwarded",
        required=("vector_store_id", "custom_llm_provider"),
    ),
    Place(
        name="worker",
        route="worker_registry[]",
        on_unknown="ignored",
        classes=("types.proxy.control_plane_endpoints:WorkerRegistryEntry",),
        required=("worker_id", "name", "url"),
    ),
    Place(
        name="assistants",
        route="assistant_settings",
        on_unknown="stored",
        classes=("types.router:AssistantsTypedDict",),
        required=("litellm_params",),
    ),
    Place(
        name="vertex_config",
        route="default_vertex_config",
        on_unknown="ignored",
        classes=("types.passthrough_endpoints.vertex_ai:VertexPassThroughCredentials",),
    ),
    Place(name="sandbox_tool", route="sandbox_tools[]", on_unknown="ignored"),
    Place(name="sandbox_tool_params", route="sandbox_tools[].litellm_params", on_unknown="ignored"),
    Place(
        name="mcp_tool",
        route="mcp_tools[]",
        on_unknown="ignored",
        required=("name", "description", "handler"),
    ),
    Place(name="files_provider", route="files_settings[]", on_unknown="forwarded"),
    Place(name="finetune_provider", route="finetune_settings[]", on_unknown="forwarded"),
)


def section_of(place: Place, types: Types) -> Section:
    """Return the keys of its class."""
    section = Section(types, lax=True)
    section.add_class(next((owner for path in place.classes if (owner := find(path))), None))
    return section
