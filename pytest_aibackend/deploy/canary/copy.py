"""What the canary's LiteLLM is given: a copy of the candidate that cannot reach what production uses.

Settings stay as they are where they decide whether LiteLLM starts. What is taken out is what reaches out by
itself: the database, alerts, health checks in the background, metrics shared between processes, and the
Redis namespace, which becomes one of the canary's own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.findings import Path
from pytest_aibackend.sources.references import variable_of

__all__ = [
    "REDIS_PREFIX",
    "canary_environment",
    "canary_namespace",
    "has_namespaced_redis",
    "named_variables",
    "private_copy",
    "show_path",
    "walk",
]

REDIS_PREFIX: Final = "REDIS_"

# Set for the gateway, these would lead the canary to another file, port, database or peer.
_REMOVED: Final = frozenset(
    {
        *("CONFIG_FILE_PATH", "WORKER_CONFIG", "SERVER_ROOT_PATH", "SSL_KEYFILE_PATH", "SSL_CERTFILE_PATH"),
        *(f"LITELLM_CONFIG_BUCKET_{name}" for name in ("NAME", "OBJECT_KEY", "TYPE")),
        *(f"DATABASE_{name}" for name in ("URL", "URL_READ_REPLICA", "HOST", "USERNAME", "PASSWORD", "NAME")),
        *("DIRECT_URL", "DATABASE_SCHEMA", "IAM_TOKEN_DB_AUTH", "AZURE_POSTGRESQL_AUTH"),
        *("LITELLM_PGBOUNCER_ENABLED", "STORE_MODEL_IN_DB", "SLACK_WEBHOOK_URL"),
        *("PROMETHEUS_MULTIPROC_DIR", "PROMETHEUS_METRICS_PORT", "USE_DDTRACE", "LITELLM_ENABLE_PYROSCOPE"),
        *("MAX_REQUESTS_BEFORE_RESTART", "MAX_REQUESTS_BEFORE_RESTART_JITTER", "LIMIT_CONCURRENCY"),
        *("DEBUG", "DETAILED_DEBUG", "LITELLM_LOG", "JSON_LOGS"),  # its log is read here
        *("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"),
    }
)
_HOOKS: Final = "LITELLM_WORKER_STARTUP_HOOKS"
_ADDED: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise the start waits for a download
    "LITELLM_DONT_SHOW_FEEDBACK_BOX": "true",
    "OTEL_SDK_DISABLED": "true",
    "DD_TRACE_ENABLED": "false",
}
_DEFAULTS: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/"}

_GENERAL_REMOVED: Final = (
    *("alerting", "alerting_threshold", "alerting_args", "alert_types", "alert_to_webhook_url"),
    *("store_model_in_db", "use_redis_transaction_buffer", "use_shared_health_check"),
)
_LITELLM_REMOVED: Final = (
    "enable_redis_auth_cache",
    "service_callback",
    "service_callbacks",
    "json_logs",
    "set_verbose",
    "telemetry",
)
_OWN_CACHES: Final = (None, "local", "redis")  # any other would make an index, a bucket entry or a file


def canary_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the gateway's environment without what leads elsewhere."""
    kept = {name: value for name, value in environment.items() if name not in _REMOVED}
    # Our own hook would make LiteLLM load the deployed file, not the candidate.
    hooks = [hook for hook in kept.pop(_HOOKS, "").split(",") if hook and "pytest_aibackend" not in hook]
    if hooks:
        kept[_HOOKS] = ",".join(hooks)
    return {**_DEFAULTS, **kept, **_ADDED}


def canary_namespace(token: str) -> str:
    """Return a Redis namespace that no gateway uses."""
    return f"aibackend-canary:{token}"


def named_variables(data: Any) -> dict[str, list[Path]]:
    """Return the variables that a configuration names, with the places that name them."""
    found: dict[str, list[Path]] = {}
    for path, value in walk(data):
        variable = variable_of(value)
        if variable is not None:
            found.setdefault(variable, []).append(path)
    return found


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield what stands at the ends of a tree of mappings and lists, with its place."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))
    else:
        yield path, value


def show_path(path: Path) -> str:
    """Return a place as people write it: `model_list[2].litellm_params.api_key`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def has_namespaced_redis(data: Mapping[str, Any]) -> bool:
    """Say whether the candidate names a Redis that takes a namespace.

    Where it does not, LiteLLM uses the Redis of its environment without one (1.106.2, proxy/proxy_server.py:
    _init_coordination_redis_env_fallback).
    """
    general, settings = data.get("general_settings"), data.get("litellm_settings")
    if isinstance(general, dict) and isinstance(general.get("coordination_redis"), dict):
        return True
    if not isinstance(settings, dict) or settings.get("cache") is not True:
        return False
    parameters = settings.get("cache_params")
    return not parameters or (isinstance(parameters, dict) and parameters.get("type") == "redis")


def private_copy(data: dict[str, Any], namespace: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the candidate as the canary boots it; the candidate itself is left as it is."""
    changed = copy.deepcopy(data)
    _quieten_general(changed, namespace)
    _quieten_litellm(changed.get("litellm_settings"), namespace)
    router = changed.get("router_settings")
    if isinstance(router, dict) and any(str(key).startswith("redis") for key in router):
        given = router.get("cache_kwargs")
        router["cache_kwargs"] = {**(given if isinstance(given, dict) else {}), "namespace": namespace}
    hidden = () if has_namespaced_redis(data) else (REDIS_PREFIX,)
    variables = changed.get("environment_variables")
    if isinstance(variables, dict):
        for name in [*variables]:
            if name in _REMOVED or str(name).startswith(hidden):
                del variables[name]
    if hidden:
        _resolve_redis(changed, environment)
    return changed


def _resolve_redis(value: Any, environment: Mapping[str, str]) -> None:
    """Put the values of REDIS_ variables, which LiteLLM will not see, in place of their names."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, (dict, list)):
            _resolve_redis(item, environment)
        elif (variable := variable_of(item)) is not None and variable.startswith(REDIS_PREFIX):
            value[key] = environment.get(variable)


def _quieten_general(changed: dict[str, Any], namespace: str) -> None:
    general = changed.setdefault("general_settings", {})
    if general is None:
        general = changed["general_settings"] = {}
    if not isinstance(general, dict):
        return  # LiteLLM's to refuse
    for name in [*general]:
        if name in _GENERAL_REMOVED or str(name).startswith("database_"):
            del general[name]
    general["background_health_checks"] = False
    general["disable_model_info_refresh"] = True  # it asks providers for their models
    coordination = general.get("coordination_redis")
    if isinstance(coordination, dict):
        coordination["namespace"] = namespace


def _quieten_litellm(settings: Any, namespace: str) -> None:
    if not isinstance(settings, dict):
        return
    for name in _LITELLM_REMOVED:
        settings.pop(name, None)
    if settings.get("cache") is not True:
        return
    # Without parameters the cache is the Redis of the environment; with some, but no type, it is in memory.
    parameters = settings.get("cache_params") or {"type": "redis"}
    if isinstance(parameters, dict):
        known = parameters.get("type") in _OWN_CACHES
        settings["cache_params"] = {**parameters, "namespace": namespace} if known else {"type": "local"}
