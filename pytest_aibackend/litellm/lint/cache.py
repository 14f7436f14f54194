"""The cache of answers: whether there is one, where it is, and whether it is the gateway's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.findings import Severity
from pytest_aibackend.litellm.lint.catalogue import LintContext, LintProblem, lint_rule
from pytest_aibackend.litellm.lint.served import served_by
from pytest_aibackend.sources.references import is_reference
from pytest_aibackend.sources.secrets import show_value
from pytest_aibackend.sources.wording import listed

__all__ = [
    "cache_incomplete",
    "cache_off",
    "cache_without_address",
    "cache_without_namespace",
    "cache_without_type",
    "malformed_cache_address",
    "semantic_cache_model",
    "transaction_buffer_without_redis",
]

_SETTINGS: Final = "litellm_settings"
_PARAMS: Final = ("litellm_settings", "cache_params")
_READ: Final = "proxy/proxy_server.py, load_config: litellm_settings.cache (1.106.2)"
_MADE: Final = "caching/caching.py, Cache.__init__ (1.106.2)"
_BUFFER: Final = "proxy/proxy_server.py, use_redis_transaction_buffer at startup (1.106.2)"
_REDIS: Final = ("redis", "redis-semantic")
_ADDRESSES: Final = ("host", "url", "redis_url", "redis_startup_nodes", "startup_nodes", "sentinel_nodes")
_VARIABLES: Final = ("REDIS_HOST", "REDIS_URL", "REDIS_CLUSTER_NODES", "REDIS_SENTINEL_NODES")
# What a type of cache cannot do without, each with the variables that serve in its place.
_NEEDED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "redis-semantic": {"similarity_threshold": ()},
    "valkey-semantic": {"similarity_threshold": ()},
    "qdrant-semantic": {
        "similarity_threshold": (),
        "qdrant_collection_name": (),
        "qdrant_api_base": ("QDRANT_URL", "QDRANT_API_BASE"),
    },
    "s3": {"s3_bucket_name": ()},
    "gcs": {"gcs_bucket_name": ("GCS_BUCKET_NAME",)},
    "azure-blob": {"azure_account_url": (), "azure_blob_container": ()},
}
_ADDRESS_TROUBLES: Final[Mapping[str, Callable[[str], bool]]] = {
    "host": lambda host: "/" in host or host.count(":") == 1 or not host.strip(),
    "port": lambda port: not port.strip().isdecimal(),
    "url": lambda url: not url.startswith(("redis://", "rediss://", "unix://")),
}
_EMBEDDING: Final = {
    "redis-semantic": "redis_semantic_cache_embedding_model",
    "valkey-semantic": "valkey_semantic_cache_embedding_model",
    "qdrant-semantic": "qdrant_semantic_cache_embedding_model",
}


def _params(context: LintContext) -> Mapping[Any, Any]:
    return context.document.section(*_PARAMS)


def _is_on(context: LintContext) -> bool:
    return context.document.get(_SETTINGS, "cache") is True


def _type(context: LintContext) -> str | None:
    """Return the type of the cache that is on: LiteLLM makes it a Redis when there are no parameters."""
    params = _params(context)
    if not _is_on(context):
        return None
    kind = params.get("type") if params else "redis"
    return kind if isinstance(kind, str) else None


@lint_rule("cache-without-namespace", severity=Severity.WARNING, where="caching/redis_cache.py (1.106.2)")
def cache_without_namespace(context: LintContext) -> Iterator[LintProblem]:
    """The Redis cache has no namespace: the gateway's keys lie among everybody else's.

    They can then be neither counted nor cleared without touching other people's data. Mind also that
    LiteLLM caches no conversation of more than 4 messages, unless `max_messages` says so.
    """
    if _type(context) == "redis" and not _params(context).get("namespace"):
        yield LintProblem(
            path=_PARAMS,
            message="the Redis cache has no namespace: its keys lie among everybody else's",
            hint='add namespace: "litellm:unified" under cache_params',
        )


@lint_rule("cache-off", severity=Severity.WARNING, where=_READ)
def cache_off(context: LintContext) -> Iterator[LintProblem]:
    """There are `cache_params`, and no `cache: true`; or `cache` is 1 or 0.

    LiteLLM then makes no cache and does not look at them. A number it takes for the cache itself, and each
    request fails. Write `cache: true` beside them.
    """
    switch = context.document.get(_SETTINGS, "cache")
    if switch in (0, 1) and not isinstance(switch, bool):  # any other number is a wrong-type
        yield LintProblem(
            path=(_SETTINGS, "cache"),
            message=f"cache is {switch}, and not true or false: every request fails",
            hint="write cache: true" if switch else "write cache: false",
            severity=Severity.ERROR,
        )
    elif _params(context) and switch is None:
        yield LintProblem(
            path=_PARAMS,
            message="cache_params are not read: there is no cache: true beside them",
            hint="write cache: true under litellm_settings, or remove cache_params",
        )


@lint_rule("cache-without-type", severity=Severity.WARNING, where=_MADE)
def cache_without_type(context: LintContext) -> Iterator[LintProblem]:
    """The cache has parameters and no type: LiteLLM keeps it in the memory of each of its processes.

    What stands there for a Redis is not used. Write `type: redis`, or `type: local` if that is meant.
    """
    params = _params(context)
    if _is_on(context) and params and params.get("type") is None:
        unused = [key for key in params if key in (*_ADDRESSES, "port", "password", "namespace", "ssl")]
        fate = f"; {listed(unused)} {'has' if len(unused) == 1 else 'have'} no effect" if unused else ""
        yield LintProblem(
            path=(*_PARAMS, "type"),
            message=f"cache_params names no type: LiteLLM caches in memory{fate}",
            hint="write type: redis" if unused else "write type: local, or the type that is meant",
        )


@lint_rule(
    "cache-without-address", severity=Severity.WARNING, where="_redis.py, _get_redis_client_logic (1.106.2)"
)
def cache_without_address(context: LintContext) -> Iterator[LintProblem]:
    """The Redis cache has no address.

    LiteLLM then needs REDIS_HOST or REDIS_URL in its environment, and does not start without: an error where
    the environment is known and has neither. Name `host` and `port` under `cache_params`.
    """
    if _type(context) not in _REDIS or any(_params(context).get(key) for key in _ADDRESSES):
        return
    if context.has_variable(*_VARIABLES):
        return
    is_known = context.environment is not None
    fact = "cache_params names no host" if _params(context) else "the cache is on and has no cache_params"
    yield LintProblem(
        path=(*_PARAMS, "host") if _params(context) else (_SETTINGS, "cache"),
        message=f"{fact}, and REDIS_HOST is not set: LiteLLM does not start"
        if is_known
        else f"{fact}: without REDIS_HOST or REDIS_URL LiteLLM does not start",
        hint="write host: os.environ/REDIS_HOST, or the address, under cache_params",
        severity=Severity.ERROR if is_known else None,
    )


@lint_rule("malformed-cache-address", where="_redis.py, _get_redis_client_logic (1.106.2)")
def malformed_cache_address(context: LintContext) -> Iterator[LintProblem]:
    """The address of the Redis cache is none: a `host` with a scheme or a port, a `port` that is no number.

    LiteLLM starts, slowly, and caches nothing; there are only lines in its log. Write the name of the host
    alone and the port as a number, or `url: redis://host:6379`.
    """
    if _type(context) not in _REDIS:
        return
    for key, is_wrong in _ADDRESS_TROUBLES.items():
        value = _params(context).get(key)
        if isinstance(value, str) and not is_reference(value) and is_wrong(value):
            yield LintProblem(
                path=(*_PARAMS, key),
                message=f"{key} of the cache is {show_value(None, value)}: LiteLLM caches nothing",
                hint="write host: name and port: 6379, or url: redis://name:6379",
            )


@lint_rule("cache-incomplete", where=_MADE)
def cache_incomplete(context: LintContext) -> Iterator[LintProblem]:
    """The cache lacks a parameter that its type cannot do without.

    LiteLLM does not start, or nothing is ever cached: a semantic cache needs its `similarity_threshold`,
    one in a bucket the bucket's name, one behind Redis sentinels the `service_name`. What may come from a
    variable is looked for only where the environment is known.
    """
    kind, params = _type(context) or "", _params(context)
    needed = dict(_NEEDED.get(kind, {}))
    if kind == "redis" and params.get("sentinel_nodes") and not params.get("url"):
        needed["service_name"] = ("REDIS_SERVICE_NAME",)
    for key, variables in needed.items():
        may_be_set = variables and (context.environment is None or context.has_variable(*variables))
        if params.get(key) is None and not may_be_set:
            yield LintProblem(
                path=(*_PARAMS, key),
                message=f"a cache of type {kind} needs {key}: without it nothing is cached",
                hint=f"add {key} to cache_params",
            )


@lint_rule(
    "semantic-cache-model",
    severity=Severity.WARNING,
    where="caching/redis_semantic_cache.py, _get_async_embedding (1.106.2)",
)
def semantic_cache_model(context: LintContext) -> Iterator[LintProblem]:
    """The semantic cache is to make embeddings with a model that the gateway does not serve.

    LiteLLM then asks the model's provider without the settings of any deployment: text-embedding-ada-002, the
    default, is asked of OpenAI, with every prompt. Name a model group of yours.
    """
    kind = _type(context) or ""
    if kind not in _EMBEDDING:
        return
    key = _EMBEDDING[kind]
    model = _params(context).get(key, "text-embedding-ada-002")
    served = served_by(context)
    if isinstance(model, str) and served.is_known and not served.has(model):
        yield LintProblem(
            path=(*_PARAMS, key),
            message=f"the cache makes embeddings with {model!r}, which is no model group here",
            hint=f"write {key}: and the model_name of a deployment",
        )


@lint_rule("transaction-buffer-without-redis", severity=Severity.WARNING, where=_BUFFER)
def transaction_buffer_without_redis(context: LintContext) -> Iterator[LintProblem]:
    """`use_redis_transaction_buffer` is on, and no Redis is named.

    LiteLLM then needs REDIS_HOST or REDIS_URL in its environment, and refuses to start without: an error
    where the environment is known and has neither. Name one: `cache: true` with a Redis under `cache_params`,
    or `coordination_redis` under `general_settings`.
    """
    settings = context.document.section("general_settings")
    wanted = settings.get("use_redis_transaction_buffer")
    if str(wanted).lower() != "true" or settings.get("coordination_redis") or _type(context) == "redis":
        return
    if context.has_variable(*_VARIABLES):
        return
    is_known = context.environment is not None
    yield LintProblem(
        path=("general_settings", "use_redis_transaction_buffer"),
        message="use_redis_transaction_buffer needs a Redis"
        + (", and REDIS_HOST is not set: " if is_known else ": without REDIS_HOST or REDIS_URL ")
        + "LiteLLM does not start",
        hint="write cache: true and a Redis under cache_params in litellm_settings",
        severity=Severity.ERROR if is_known else None,
    )
