"""Check 5, the gateway's own file: model groups, aliases, fallbacks and settings that LiteLLM can use.

What LiteLLM does with each was seen with the real proxy, 1.106.2; the place in its code stands with the rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pytest_aibackend.findings import Path, Problem, Severity, suggest
from pytest_aibackend.litellm.literal_secrets import literal_secrets
from pytest_aibackend.rules.registry import Group, declare_group, rule
from pytest_aibackend.sources.backend import Backend

__all__ = ["GATEWAY_SCHEMA", "MODEL_GROUPS", "SETTINGS"]

# Words for sections that people expect, and what LiteLLM has in their place.
_INSTEAD: Final = {
    "models": "did you mean 'model_list'?",
    "server_settings": "host and port are options of the command line: --host, --port",
    "rate_limit_settings": "write rpm and tpm into the litellm_params of each deployment",
    "debug": "use the option --debug, or set LITELLM_LOG=DEBUG",
}
# LiteLLM 1.106.2, proxy/proxy_server.py, load_config: every other key at the top is dropped without a word.
_SECTIONS: Final = frozenset(
    (
        *(
            "agents",
            "agent_list",
            "assistant_settings",
            "callback_settings",
            "credential_list",
            "default_vertex_config",
        ),
        *(
            "environment_variables",
            "files_settings",
            "finetune_settings",
            "general_settings",
            "guardrails",
            "include",
        ),
        *(
            "litellm_settings",
            "mcp_servers",
            "mcp_tools",
            "model_list",
            "policies",
            "policy_attachments",
            "prompts",
        ),
        *("router_settings", "sandbox_tools", "search_tools", "vector_store_registry", "worker_registry"),
    )
)
_FALLBACKS: Final = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_SHOWN: Final = 50  # suggestions are looked for in the first so many only: the search is linear


def _data(backend: Backend) -> Mapping[str, Any]:
    data = backend.sources["generated"].data
    return data if isinstance(data, dict) else {}


def _section(backend: Backend, name: str) -> Mapping[str, Any]:
    section = _data(backend).get(name)
    return section if isinstance(section, dict) else {}


def _deployments(backend: Backend) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    listed = _data(backend).get("model_list")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(entry, dict):
            params = entry.get("litellm_params")
            yield index, str(entry.get("model_name")), params if isinstance(params, dict) else {}


def _aliases(backend: Backend) -> Mapping[str, Any]:
    aliases = _section(backend, "router_settings").get("model_group_alias")
    return aliases if isinstance(aliases, dict) else {}


def _groups(backend: Backend) -> dict[str, None]:
    return {name: None for _, name, _ in _deployments(backend)}


def _names(backend: Backend) -> list[str]:
    return list(_groups(backend) | dict.fromkeys(str(alias) for alias in _aliases(backend)))


def _sections(backend: Backend) -> list[str]:
    return [str(section) for section in _data(backend) if section != "model_list"]


MODEL_GROUPS = declare_group(
    Group(id="model-group", check=5, noun="model group", needs=("generated",), subjects=_names)
)
SETTINGS = declare_group(
    Group(
        id="gateway-settings",
        check=5,
        noun="section",
        needs=("gateway", "generated"),
        subjects=_sections,
    )
)
GATEWAY_SCHEMA = declare_group(
    Group(
        id="gateway-schema",
        check=5,
        noun="file",
        needs=("gateway",),
        subjects=lambda backend: ["gateway.yaml"] if backend.sources["gateway"].exists else [],
        built_in=lambda backend: backend.schema_findings("gateway"),
    )
)


def _problem(path: Path, subject: str, message: str, hint: str) -> Problem:
    return Problem(source="generated", path=path, message=message, hint=hint, subject=subject)


@rule("model-list-empty", group=SETTINGS.id)
def model_list_empty(backend: Backend) -> Iterator[Problem]:
    """The gateway's file names no model: LiteLLM starts, says nothing, and serves nothing.

    Often `models:` was written for `model_list:`. LiteLLM 1.106.2, proxy/proxy_server.py, load_config.
    """
    if backend.sources["generated"].exists and not any(True for _ in _deployments(backend)):
        yield _problem(
            (), "model_list", "the file has no model_list with models in it", "run `aibackend generate`"
        )


@rule("unread-section", group=SETTINGS.id, severity=Severity.WARNING)
def unread_section(backend: Backend) -> Iterator[Problem]:
    """The gateway's file has a section at its top that LiteLLM never reads.

    It has no effect and looks as if it had. LiteLLM 1.106.2, proxy/proxy_server.py, load_config.
    """
    for section in _data(backend):
        if section not in _SECTIONS:
            near = suggest(section, _SECTIONS)
            hint = (
                f"did you mean {near!r}?" if near else "remove it; what LiteLLM reads is in its documentation"
            )
            hint = _INSTEAD.get(str(section), hint)
            yield _problem((section,), str(section), f"LiteLLM does not read {section!r}", hint)


@rule("router-setting-dropped", group=SETTINGS.id, severity=Severity.WARNING)
def router_setting_dropped(backend: Backend) -> Iterator[Problem]:
    """`lab_extensions` stands under router_settings, where LiteLLM drops what its router does not know.

    Routing rules kept there route nothing: describe them in the sources and generate the file.
    LiteLLM 1.106.2, proxy/proxy_server.py, load_config.
    """
    if "lab_extensions" in _section(backend, "router_settings"):
        path: Path = ("router_settings", "lab_extensions")
        yield _problem(
            path,
            "router_settings",
            "router_settings.lab_extensions is dropped by LiteLLM: nothing in it routes anything",
            "keep it out of the gateway's file; `aibackend generate` translates the sources",
        )


@rule("master-key-unnamed", group=SETTINGS.id, severity=Severity.WARNING)
def master_key_unnamed(backend: Backend) -> Iterator[Problem]:
    """The gateway's file names no master key.

    LiteLLM then takes LITELLM_MASTER_KEY from its environment and refuses to start without it (1.106.2,
    proxy/auth/master_key_boot_check.py). Name it, so that the file says what it needs.
    """
    if backend.sources["generated"].exists and not _section(backend, "general_settings").get("master_key"):
        yield _problem(
            ("general_settings",),
            "general_settings",
            "no master_key is named; without LITELLM_MASTER_KEY either, LiteLLM refuses to start",
            "add master_key: os.environ/LITELLM_MASTER_KEY",
        )


@rule("master-key-literal", group=SETTINGS.id)
def master_key_literal(backend: Backend) -> Iterator[Problem]:
    """The master key itself stands in a file, where everybody who reads the file has it.

    Write `os.environ/LITELLM_MASTER_KEY` and keep the key in the environment.
    """
    key = _section(backend, "general_settings").get("master_key")
    # Where it comes from gateway.yaml, literal-secret speaks of it there.
    is_from_source = key == backend.gateway.general_settings.get("master_key")
    if key is not None and not is_from_source and not str(key).startswith("os.environ/"):
        yield _problem(
            ("general_settings", "master_key"),
            "general_settings",
            "the master key stands in the file itself",
            "write master_key: os.environ/LITELLM_MASTER_KEY, and make a new key: this one is known",
        )


@rule("literal-secret", group=GATEWAY_SCHEMA.id)
def literal_secret(backend: Backend) -> Iterator[Problem]:
    """A key or password stands in gateway.yaml itself, or in what another source passes through.

    Everybody who reads the file or its history has it, and it would be copied into the gateway's file and
    into backups; `aibackend generate` refuses that. Write `os.environ/NAME` and keep the secret in the
    environment.
    """
    yield from literal_secrets(backend)


@rule("cache-without-namespace", group=SETTINGS.id, severity=Severity.WARNING)
def cache_without_namespace(backend: Backend) -> Iterator[Problem]:
    """The Redis cache has no namespace: the gateway's keys lie among everybody else's.

    They can then be neither counted nor cleared without touching other people's data.
    """
    params = _section(backend, "litellm_settings").get("cache_params")
    if isinstance(params, dict) and params.get("type") == "redis" and not params.get("namespace"):
        yield _problem(
            ("litellm_settings", "cache_params"),
            "litellm_settings",
            "the Redis cache has no namespace",
            'add namespace: "litellm:unified" under cache_params',
        )


@rule("deployment-without-model", group=MODEL_GROUPS.id)
def deployment_without_model(backend: Backend) -> Iterator[Problem]:
    """A deployment says not which model of which provider it is.

    LiteLLM drops it or does not start. Write `model: provider/model` under its
    `litellm_params`.
    """
    for index, name, params in _deployments(backend):
        if not isinstance(params.get("model"), str) or not params["model"]:
            yield _problem(
                ("model_list", index),
                name,
                f"a deployment of {name!r} has no litellm_params.model",
                "write model: provider/model under its litellm_params",
            )


@rule("api-base-missing", group=MODEL_GROUPS.id)
def api_base_missing(backend: Backend) -> Iterator[Problem]:
    """A deployment of a self-hosted provider names no `api_base`.

    LiteLLM then sends `hosted_vllm/` to OpenAI's cloud, and may start `ollama serve` for `ollama/` by itself
    (1.106.2, proxy/proxy_server.py).
    """
    for index, name, params in _deployments(backend):
        prefix = str(params.get("model", "")).partition("/")[0]
        has_base = params.get("api_base") or params.get("base_url")
        if prefix in ("ollama", "ollama_chat", "hosted_vllm") and not has_base:
            yield _problem(
                ("model_list", index, "litellm_params"),
                name,
                f"a deployment of {name!r} has no api_base",
                "name the provider's address as api_base",
            )


@rule("api-base-path", group=MODEL_GROUPS.id, severity=Severity.WARNING)
def api_base_path(backend: Backend) -> Iterator[Problem]:
    """An `api_base` ends in a path that does not fit its provider.

    OpenAI-like servers are asked at `api_base` + `/chat/completions`: without `/v1` llama-cpp-python and vLLM
    answer 404; only llama.cpp's own server takes both. Ollama is asked at `api_base` + `/api/chat`: with
    `/v1` it answers 404.
    """
    for index, name, params in _deployments(backend):
        base = str(params.get("api_base") or "").rstrip("/")
        prefix = str(params.get("custom_llm_provider") or str(params.get("model", "")).partition("/")[0])
        path: Path = ("model_list", index, "litellm_params", "api_base")
        is_local = base.startswith(("http://127.", "http://localhost", "http://[::1]"))
        if prefix in ("openai", "hosted_vllm") and is_local and not base.endswith("/v1"):
            yield _problem(
                path,
                name,
                f"{base} has no /v1 at its end; {prefix}/ is asked at {base}/chat/completions",
                f"write api_base: {base}/v1",
            )
        if prefix in ("ollama", "ollama_chat") and base.endswith("/v1"):
            yield _problem(
                path,
                name,
                f"{base} ends in /v1; Ollama is asked at {base}/api/chat",
                f"write api_base: {base.removesuffix('/v1')}",
            )


@rule("api-key-missing", group=MODEL_GROUPS.id, severity=Severity.WARNING)
def api_key_missing(backend: Backend) -> Iterator[Problem]:
    """A deployment with the prefix `openai/` names no `api_key`.

    The client refuses to start without one: every request fails with 500 "Missing credentials" unless
    OPENAI_API_KEY is set. A server that asks for none takes any text (LiteLLM 1.106.2, seen).
    """
    for index, name, params in _deployments(backend):
        if str(params.get("model", "")).startswith("openai/") and not params.get("api_key"):
            yield _problem(
                ("model_list", index, "litellm_params"),
                name,
                f"a deployment of {name!r} has no api_key;"
                " the OpenAI client needs one, even for servers that ask for none",
                "add api_key: os.environ/NAME, or any word for a server without keys",
            )


@rule("alias-shape", group=MODEL_GROUPS.id)
def alias_shape(backend: Backend) -> Iterator[Problem]:
    """An alias is a list, or a mapping that lacks a key: it loads and never routes, or stops LiteLLM.

    An alias is the name of one model group, or `{model: name, hidden: bool}` with both keys (LiteLLM 1.106.2,
    router.py and router_utils/common_utils.py).
    """
    for alias, target in _aliases(backend).items():
        if isinstance(target, str) or (isinstance(target, dict) and {"model", "hidden"} <= target.keys()):
            continue
        kind = "a list" if isinstance(target, list) else "a mapping without model and hidden"
        named = target[:1] if isinstance(target, list) else [target.get("model")]
        first = next((name for name in named if isinstance(name, str)), "NAME")
        yield _problem(
            ("router_settings", "model_group_alias", alias),
            str(alias),
            f"alias {alias!r} is {kind}; requests for it fail",
            f"write {alias}: {first}",
        )


@rule("alias-target-unknown", group=MODEL_GROUPS.id)
def alias_target_unknown(backend: Backend) -> Iterator[Problem]:
    """An alias leads to a name that no deployment has.

    Every request for it fails. Name one of the model groups.
    """
    groups = _groups(backend)
    for number, (alias, target) in enumerate(_aliases(backend).items()):
        name = target.get("model") if isinstance(target, dict) else target
        if isinstance(name, str) and name not in groups and not _wildcard(groups):
            near = suggest(name, groups) if number < _SHOWN else None
            yield _problem(
                ("router_settings", "model_group_alias", alias),
                str(alias),
                f"alias {alias!r} leads to {name!r}, which no deployment has",
                f"did you mean {near!r}?" if near else "name one of the model groups",
            )


def _wildcard(groups: Mapping[str, None]) -> bool:
    return any("*" in group for group in groups)


def _fallback_entries(backend: Backend) -> Iterator[tuple[Path, Any]]:
    for section in ("router_settings", "litellm_settings"):
        for kind in _FALLBACKS:
            listed = _section(backend, section).get(kind)
            for index, entry in enumerate(listed if isinstance(listed, list) else ()):
                yield (section, kind, index), entry


@rule("fallback-shape", group=SETTINGS.id)
def fallback_shape(backend: Backend) -> Iterator[Problem]:
    """A fallback is not a mapping of one name to a list of names.

    LiteLLM refuses an entry with two keys, and goes through a text letter by letter (1.106.2, router.py,
    validate_fallbacks).
    """
    for path, entry in _fallback_entries(backend):
        is_good = isinstance(entry, dict) and len(entry) == 1 and isinstance(next(iter(entry.values())), list)
        if not is_good:
            yield _problem(
                path,
                str(path[0]),
                "a fallback must be one name with a list of names",
                "write - name: [first, second]",
            )


@rule("fallback-member-unknown", group=SETTINGS.id)
def fallback_member_unknown(backend: Backend) -> Iterator[Problem]:
    """A fallback starts from, or leads to, a name that the gateway does not serve.

    LiteLLM checks no names: such an entry never helps. `default` is no catch-all; that is
    `default_fallbacks`, or the name `*` (1.106.2, router_utils/fallback_event_handlers.py).
    """
    known = _groups(backend) | dict.fromkeys(str(alias) for alias in _aliases(backend))
    if _wildcard(known):
        return
    upstream = {str(params.get("model")) for _, _, params in _deployments(backend)}
    reported = 0
    for path, entry in _fallback_entries(backend):
        if not isinstance(entry, dict):
            continue
        for source, targets in entry.items():
            names = [(source, (*path, source))]
            if isinstance(targets, list):
                names += [(target, (*path, source, index)) for index, target in enumerate(targets)]
            for name, place in names:
                if not isinstance(name, str) or name in known or name in upstream or name == "*":
                    continue
                reported += 1
                near = suggest(name, known) if reported < _SHOWN else None
                hint = f"did you mean {near!r}?" if near else "name a model group that is served"
                if name == "default":
                    hint = "write these names as default_fallbacks"
                yield _problem(
                    place, str(path[0]), f"{name!r} in {path[1]} is not served by this gateway", hint
                )
