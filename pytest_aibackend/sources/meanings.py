"""What each field of the source files means: shown by editors and in CONFIG-SCHEMA.md.

A field that nothing reads is a note for people, and is said to be one.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MEANINGS", "NO_EFFECT", "meaning_of"]

_NOTE: Final = "A note for people; nothing reads it."
NO_EFFECT: Final = "LiteLLM has nothing like it: a warning says so."

_COMMON: Final[dict[str, str]] = {
    "description": "A sentence for people.",
    "notes": "Anything, for people.",
    "metadata": "Anything, for people and other tools.",
}

MEANINGS: Final[dict[str, dict[str, str]]] = {
    "ProvidersFile": {
        "providers": "By name: every server and account behind the gateway.",
        "health_checks": "Where other tools look for the health of the providers.",
    },
    "Provider": {
        "type": "The protocol that the provider speaks.",
        "base_url": "Where the provider answers, with port; without user name or password.",
        "status": "Only an active provider gets requests.",
        "required": "A required provider that is down fails check 7, another one warns.",
        "models": "The models, as the provider itself lists them; a bare name is enough.",
        "health_endpoint": "A path that is asked in addition to those of the protocol.",
        "requires_api_key": "Whether the provider refuses requests without a key.",
        "env_var": "The environment variable that holds the key; never the key itself.",
        "rate_limits": "Become rpm and tpm of each deployment.",
        "passthrough": "For each deployment of the provider, in LiteLLM's words.",
        "features": _NOTE,
        "configuration": _NOTE,
        "docs": _NOTE,
        "location": _NOTE,
        "service_file": _NOTE,
        "api_format": _NOTE,
        "gpu_memory_utilization": _NOTE,
        "max_model_len": "The longest context of the server; `aibackend diff` says when it shrinks.",
        "hardware_requirements": _NOTE,
        "cost_per_1k_tokens": _NOTE,
    },
    "Model": {
        "name": "The provider's own name for the model.",
        "size": "The number of parameters, as in 8B; capabilities compare it with min_model_size.",
        "quantization": _NOTE,
        "context_length": "The longest context; compared with min_context, and by LiteLLM where"
        " router_settings.enable_pre_call_checks is set.",
        "specialty": "What it is good at; tells which model is meant where a group names only the provider.",
        "mode": "What the model does, in LiteLLM's words.",
        "tags": _NOTE,
        "options": "Passed to the deployment's litellm_params.",
        "rpm": "Requests per minute of this deployment.",
        "tpm": "Tokens per minute of this deployment.",
        "max_parallel_requests": "What is more at the same moment is refused with 429.",
        "timeout_seconds": "Ends an attempt; then the next deployment or fallback is asked.",
        "passthrough": "For each deployment of the model, in LiteLLM's words.",
        "pulled_at": _NOTE,
        "model_size_gb": _NOTE,
        "kv_cache_available_gb": _NOTE,
    },
    "RateLimits": {
        "requests_per_minute": "Becomes rpm of each deployment, and is enforced.",
        "tokens_per_minute": "Becomes tpm of each deployment, and is enforced.",
        "details": _NOTE,
    },
    "Passthrough": {
        "litellm_params": "Goes into litellm_params as it is; null takes a key away.",
        "model_info": "Goes into model_info as it is; null takes a key away.",
    },
    "HealthChecks": {
        "enabled": _NOTE,
        "interval_seconds": _NOTE,
        "timeout_seconds": _NOTE,
        "retry_attempts": _NOTE,
        "endpoints": "By provider: a URL; check 5 compares it with the provider's base_url.",
    },
    "ModelMappingsFile": {
        "exact_matches": "Names that clients ask for, and the deployment behind each.",
        "patterns": "Names that no route has, by what they look like.",
        "capabilities": "Names for what a client wants; the first usable model answers.",
        "load_balancing": "Names that several deployments answer, by weight.",
        "fallback_chains": "By model group; the chain `default` is for all others.",
        "routing_rules": "What happens to a name that nothing else matches.",
        "special_cases": "error_based_routing becomes allowed_fails and cooldown_time; others have no"
        " effect.",
    },
    "ExactMatch": {
        "provider": "The provider's name in providers.yaml.",
        "backend_model": "The provider's name for the model, where clients use another one.",
        "priority": "primary; anything else orders nothing, and a warning says so.",
        "fallback": "The provider, or the model group, that answers when this one fails.",
        "passthrough": "For the deployment of this route, in LiteLLM's words.",
    },
    "Pattern": {
        "pattern": "A regular expression over the names that clients ask for.",
        "provider": "The provider's name in providers.yaml; it is asked for the name as it is.",
        "fallback": "The model group, or the provider, that answers when this one fails.",
    },
    "Capability": {
        "preferred_models": "Model groups, the first usable one answers.",
        "provider": "Its models come after the preferred ones.",
        "fallback": "The provider whose models come last.",
        "min_model_size": "Smaller models are left out, as in 7B.",
        "min_context": "Models with a shorter context are left out.",
        "routing_strategy": "direct and ordered mean the order of preferred_models; no other has an effect.",
        "complexity_thresholds": NO_EFFECT,
        "context_thresholds": NO_EFFECT,
    },
    "LoadBalancing": {
        "providers": "The members; requests are spread over them by weight.",
        "strategy": "LiteLLM draws by weight; any other strategy has no effect, and a warning says so.",
        "parameters": NO_EFFECT,
    },
    "LoadBalancingMember": {
        "provider": "The provider's name in providers.yaml.",
        "weight": "This member's share; only the proportion to the others matters.",
        "model": "Which model of the provider, where it has several.",
        "preferred_model": "The same as model, in older files.",
        "condition": NO_EFFECT,
        "passthrough": "For the deployment of this member, in LiteLLM's words.",
    },
    "Chain": {
        "chain": "Model groups, in the order in which they are tried.",
        "tier": _NOTE,
    },
    "RoutingRules": {
        "default_provider": "Is asked for every name that nothing else matches.",
        "default_fallback": "The provider that is asked when that one fails.",
        "request_metadata_routing": NO_EFFECT,
        "model_size_routing": NO_EFFECT,
    },
    "PortsFile": {
        "reserved": "Ports kept free for services to come.",
        "ranges": "Ranges by name, as in 8000-8999.",
    },
    "PortEntry": {
        "port": "1 to 65535.",
        "protocol": "What is spoken there.",
        "required": "A required service that does not listen fails check 6.",
        "service": "The service's unit, as in ollama.service.",
        "health_check": "A command for people; check 4 compares its port with this one.",
        "depends_on": "Services of this file that must run first.",
        "range": "The range, by its name under ranges, that the port belongs to.",
    },
    "ReservedPort": {
        "port": "1 to 65535; no service of this file may have it.",
    },
    "GatewayFile": {
        "litellm_settings": "Passed to LiteLLM as they are.",
        "router_settings": "Passed to LiteLLM as they are.",
        "general_settings": "Passed to LiteLLM; the master key as os.environ/NAME.",
        "environment_variables": "Passed to LiteLLM as they are; no secrets.",
        "passthrough": "What the sources have no place for.",
        "deploy": "Where the generated file goes, and how the gateway takes it up.",
    },
    "GatewayPassthrough": {
        "model_list": "Whole deployments, in LiteLLM's words.",
        "sections": "Whole sections, in LiteLLM's words: guardrails, mcp_servers, ...",
    },
    "Deploy": {
        "path": "The file that the gateway reads; relative to this one.",
        "backup_dir": "Where the backups go.",
        "state_dir": "Journal, lock, history and the last verified configuration; for one user alone.",
        "retention": "Which backups are kept.",
        "service": "Who starts and reloads the gateway.",
        "url": "Where the gateway answers.",
        "workers": "How many processes of LiteLLM `aibackend serve` runs.",
        "python": "The interpreter that LiteLLM is installed for, where that is not ours.",
    },
    "Retention": {
        "recent": "The newest backups, whatever their age.",
        "daily": "The newest backup of each of this many days.",
        "weekly": "The newest backup of each of this many ISO weeks.",
    },
    "ServiceManager": {
        "kind": "systemd-user and systemd signal a unit, pidfile a process; none signals nobody.",
        "name": "The unit, for systemd-user and systemd.",
        "pidfile": "The file with the process id, for pidfile.",
    },
}


def meaning_of(model: str, field: str) -> str | None:
    """Return the sentence for a field of a model, or None where its name says it all."""
    return MEANINGS.get(model, {}).get(field) or _COMMON.get(field)
