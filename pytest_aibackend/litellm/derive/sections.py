"""The sections of config.yaml, one function each: which classes, signatures and reads make their keys."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from functools import cache
from typing import Any, Final

from pytest_aibackend.litellm.derive import source, values
from pytest_aibackend.litellm.derive.annotations import Types
from pytest_aibackend.litellm.derive.fields import Section, hints_of
from pytest_aibackend.litellm.derive.routes import ANY, ITEM, Read, Route
from pytest_aibackend.litellm.derive.source import find

__all__ = [
    "cache_params",
    "deployment",
    "general_settings",
    "guardrail",
    "guardrail_params",
    "litellm_params",
    "litellm_settings",
    "mcp_server",
    "model_info",
    "router_settings",
    "top_level",
]

Reads = dict[Route, Read]
_MODULE_READ: Final = re.compile(
    r"\blitellm\.([A-Za-z]\w*)\b(?!\s*[(.])|getattr\(\s*litellm,\s*[\"'](\w+)[\"']"
)
_PARAMETER_READ: Final = re.compile(r"\b(?:litellm|optional)_params\.(?:get|pop)\(\s*[\"']([a-z]\w*)[\"']")
# The calls that a deployment's parameters end in; what they take, a deployment may set.
_CALLS: Final = (
    "completion",
    "text_completion",
    "embedding",
    "image_generation",
    "image_edit",
    "transcription",
    "speech",
    "moderation",
    "rerank",
    "responses",
)
_TABLES: Final = ("model_list", "provider_list")  # empty in some versions when they are looked at


def top_level(types: Types, reads: Reads) -> Section:
    """Return the keys beside model_list."""
    section = Section(types)
    section.add_reads(reads, ())
    return section


def general_settings(types: Types, reads: Reads) -> Section:
    """Return the proxy's own settings: those of its documented class, and those that its code reads."""
    section = Section(types)
    section.add_class(find("proxy._types:ConfigGeneralSettings"))
    section.add_reads(reads, ("general_settings",))
    return section


def router_settings(types: Types, reads: Reads) -> Section:
    """Return the parameters of Router that the proxy passes on."""
    section = Section(types)
    router = find("router:Router")
    section.add_signature(router.__init__, source.parameter_places(router, "__init__"))
    outside = find("constants:ROUTER_SETTINGS_MANAGED_OUTSIDE_CONFIG") or {
        "model_list",
        "search_tools",
        "assistants_config",
        "router_general_settings",
        "ignore_invalid_deployments",
    }
    section.drop(outside)
    names = set(section.keys)
    section.add_reads(reads, ("router_settings",))
    section.drop(set(section.keys) - names)
    strategies = {"anyOf": [{"enum": values.routing_strategies()}, {"$ref": "#/$defs/reference"}]}
    section.keys["routing_strategy"].schema = strategies  # the declared ones lack some
    return section


def litellm_settings(types: Types, reads: Reads) -> Section:
    """Return the variables of the module `litellm`, which the proxy sets, and what it reads by name."""
    import litellm

    section = Section(types)
    main = source.modules()["__init__.py"]
    hints = hints_of(litellm)
    for name, place in source.variable_places(main).items():
        value = vars(litellm).get(name, ...)
        if not name.startswith("_") and name not in _TABLES and _is_plain(value):
            section.add(name, hints.get(name, _type_of(value)), value, place=place)
    for name, places in _module_reads().items():
        value = vars(litellm).get(name, ...)
        late = value is ... and name in _late_settings()
        if name not in section.keys and not name.startswith("_") and (late or _is_plain(value)):
            section.add(name, _type_of(value), value)
        if name in section.keys:
            section.keys[name].reads |= places
    section.add_reads(reads, ("litellm_settings",))
    return section


def cache_params(types: Types, reads: Reads) -> Section:
    """Return the parameters of Cache, and those of the Redis client that it passes on."""
    section = Section(types)
    cache_class = find("caching.caching:Cache")
    section.add_signature(cache_class.__init__, source.parameter_places(cache_class, "__init__"))
    for path in (
        "caching.redis_cache:RedisCache",
        "caching.redis_cluster_cache:RedisClusterCache",
        "caching.redis_semantic_cache:RedisSemanticCache",
        "caching.s3_cache:S3Cache",
    ):
        owner = find(path)
        if owner is not None:
            section.add_signature(owner.__init__, source.parameter_places(owner, "__init__"))
    redis_names = find("_redis:_get_redis_kwargs")
    module = source.modules()["_redis.py"]
    place = module.place(redis_names.__code__.co_firstlineno)
    import redis

    client = Section(types)
    client.add_signature(redis.Redis.__init__, {})
    for name in sorted({*redis_names(), *client.keys} - {"self", "connection_pool", "retry"}):
        known = client.keys.get(name)  # LiteLLM passes on more than it lists
        section.add(name, place=place)
        if known is not None and not section.keys[name].schema:
            section.keys[name].schema, section.keys[name].default = known.schema, known.default
    cluster = find("_redis:_get_redis_cluster_kwargs")
    if cluster is not None:
        section.add_names(sorted(cluster()), module.place(cluster.__code__.co_firstlineno))
    section.add_reads(reads, ("litellm_settings", "cache_params"))
    section.add_reads(reads, ("cache_params",))
    return section


def deployment(types: Types, reads: Reads) -> Section:
    """Return the keys of one entry of model_list."""
    section = Section(types, lax=True)
    section.add_class(find("types.router:Deployment"))
    section.add_class(find("types.router:DeploymentTypedDict"))
    section.add_reads(reads, ("model_list", ITEM))
    return section


def litellm_params(types: Types, reads: Reads) -> Section:
    """Return what a deployment's parameters may be: declared, or taken by a call that it serves."""
    section = Section(types, lax=True)
    section.add_class(find("types.router:LiteLLM_Params"))
    section.add_class(find("types.router:LiteLLMParamsTypedDict"))
    loose = Section(types)
    for call in _CALLS:
        function = find(f":{call}")
        if callable(function):
            loose.add_signature(function, _function_places(function))
    for name, key in loose.keys.items():
        section.add_unenforced(name, key)
    section.add_names(
        find("types.utils:all_litellm_params") or (), _name_place("types/utils.py", "all_litellm_params")
    )
    for names in ("OPENAI_CHAT_COMPLETION_PARAMS", "OPENAI_TRANSCRIPTION_PARAMS", "OPENAI_EMBEDDING_PARAMS"):
        section.add_names(find(f"constants:{names}") or (), _name_place("constants.py", names))
    section.add_reads(reads, ("model_list", ITEM, "litellm_params"))
    for name, places in _provider_reads().items():
        section.add(name)
        section.keys[name].reads |= places
    section.drop({"self", "params", "messages", "input", "prompt"})
    section.drop([name for name in section.keys if name.isupper()])  # names of LiteLLM's own constants
    return section


def model_info(types: Types, reads: Reads) -> Section:
    """Return what is known about a model: ModelInfo, and the fields of LiteLLM's own model table."""
    section = Section(types, lax=True)
    section.add_class(find("types.router:ModelInfo"), without=("id",))
    section.add("id", str | int, place=source.field_place(find("types.router:ModelInfo"), "id"))
    section.lax = False  # what follows is no class of pydantic's
    section.add_class(find("types.utils:ModelInfo"))
    section.add_class(find("types.utils:ModelInfoBase"))
    section.add_reads(reads, ("model_list", ITEM, "model_info"))
    section.keys["mode"].schema = {"anyOf": [{"enum": values.modes()}, {"$ref": "#/$defs/reference"}]}
    return section


def guardrail(types: Types, reads: Reads) -> Section:
    """Return the keys of one entry of guardrails."""
    section = Section(types)
    section.add_class(find("types.guardrails:Guardrail"))
    section.add_reads(reads, ("guardrails", ITEM))
    return section


def guardrail_params(types: Types, reads: Reads) -> Section:
    """Return the parameters of guardrails of all kinds."""
    section = Section(types, lax=True)
    section.add_class(find("types.guardrails:LitellmParams"))
    section.add_reads(reads, ("guardrails", ITEM, "litellm_params"))
    return section


def mcp_server(types: Types, reads: Reads) -> Section:
    """Return the keys of one MCP server: what is read by name, with the types of the class it ends in."""
    section, known = Section(types), Section(types, lax=True)
    section.add_reads(reads, ("mcp_servers", ANY))
    known.add_class(find("types.mcp_server.mcp_server_manager:MCPServer"))
    for name in section.keys.keys() & known.keys.keys():
        section.keys[name].schema = known.keys[name].schema
        section.keys[name].inferred = False
        section.keys[name].declared = known.keys[name].declared
    return section


def _is_plain(value: Any) -> bool:
    """Whether a variable holds a setting: nothing, a scalar, or an empty list or mapping to be filled.

    What is filled already is a table of LiteLLM's own, and everything else is code or an object.
    """
    return value is None or isinstance(value, bool | int | float | str) or value in ([], {})


def _type_of(value: Any) -> Any:
    return type(value) if isinstance(value, bool | int | float) else Any


@cache
def _module_reads() -> dict[str, set[str]]:
    """Return where each variable of the module `litellm` is read as `litellm.name`."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in source.modules().values():
        if "litellm" not in module.text or module.name == "__init__.py":
            continue
        for number, line in enumerate(module.text.splitlines(), start=1):
            if "litellm" in line and not line.lstrip().startswith(("from ", "import ", "#")):
                for match in _MODULE_READ.finditer(line):
                    found[match[1] or match[2]].add(module.place(number))
    return found


@cache
def _provider_reads() -> dict[str, set[str]]:
    """Return which parameters of a deployment the providers' own code takes by name."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in source.modules().values():
        if "_params" in module.text and module.name.startswith(
            ("llms/", "main.py", "images/", "files/", "batches/")
        ):
            for match in _PARAMETER_READ.finditer(module.text):
                found[match[1]].add(module.place(module.text.count("\n", 0, match.start()) + 1))
    return found


@cache
def _late_settings() -> frozenset[str]:
    """Return the names that LiteLLM asks its own module for by getattr, with a default."""
    found = set()
    for module in source.modules().values():
        if "getattr(" not in module.text:
            continue
        for node in ast.walk(module.tree) if re.search(r"getattr\(\s*litellm,", module.text) else ():
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "getattr"
                and getattr(node.args[0], "id", "") == "litellm"
                and len(node.args) == 3
                and isinstance(node.args[1], ast.Constant)
            ):
                found.add(str(node.args[1].value))
    return frozenset(found)


def _function_places(function: Any) -> dict[str, str]:
    plain = inspect.unwrap(function)
    module = source.module_of(plain)
    if module is None:
        return {}
    for node in module.tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == plain.__name__:
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            return {argument.arg: module.place(argument.lineno) for argument in arguments}
    return {}


def _name_place(file: str, name: str) -> str | None:
    module = source.modules().get(file)
    return source.variable_places(module).get(name) if module is not None else None
