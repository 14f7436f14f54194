"""Hypothesis strategies for LiteLLM configurations of the kind people write by hand."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["SECRETS", "configs"]

NAMES = (
    "gpt-4o",
    "llama3.1:8b",
    "code",
    "default",
    "openai/gpt-4o",
    "fast chat",
    "4.6",
    "on",
    "x/y/z",
    "Müller",
)
WILDCARDS = ("openai/*", "*", "local/*", "*-mini")
UNSERVED = ("nobody", "nobody/home")
SECRETS = ("sk-live-AAAABBBB1111", "pw with spaces: #1", "sk-ant-CCCC2222dddd", "hf_EEEEffff3333")
PLACES = (
    "http://localhost:8000/v1",
    "http://127.0.0.1:8000",
    "http://127.0.0.1:11434",
    "http://gpu-box:8000/v1/",
    "http://10.0.0.7:8080/v1",
    "https://api.groq.com/openai/v1",
    "https://api.openai.com/v1",
    "http://user:pass@10.0.0.8/v1",
    "http://h:1/v1?x=1",
    "nonsense",
    "os.environ/SOME_BASE",
)
VARIABLES = ("os.environ/OPENAI_API_KEY", "os.environ/GROQ_API_KEY", "os.environ/LITELLM_MASTER_KEY")
PLACEHOLDERS = ("none", "EMPTY", "not-needed")
MODELS = (
    "openai/gpt-4o",
    "openai/local-model",
    "gpt-4o-mini",
    "anthropic/claude-3-5-sonnet",
    "claude-3-haiku",
    "ollama/llama3.1:8b",
    "ollama_chat/llama3.1:8b",
    "ollama/nomic-embed-text",
    "hosted_vllm/Qwen/Qwen2.5-7B",
    "azure/my-deployment",
    "bedrock/anthropic.claude",
    "mystery",
    "openai/",
)

plain = st.one_of(
    st.booleans(), st.integers(-3, 10**6), st.floats(0, 9), st.sampled_from(["a", "9", "", "20s", "null"])
)
anything = st.recursive(
    plain | st.none(),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["k", "x-y", "on"]), inner, max_size=2)
    ),
    max_leaves=4,
)
unknown_keys = st.dictionaries(
    st.sampled_from(["my_note", "drop_parms", "lab_extensions"]), anything, max_size=2
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


params = st.builds(
    lambda model, more, unknown: {"model": model, **unknown, **more},
    st.sampled_from(MODELS),
    optional(
        api_base=st.sampled_from(PLACES) | st.none(),
        base_url=st.sampled_from(PLACES[:3]),
        api_key=st.sampled_from([*VARIABLES, *SECRETS, *PLACEHOLDERS, None]),
        custom_llm_provider=st.sampled_from(["openai", "hosted_vllm", "ollama_chat"]),
        rpm=st.sampled_from([1, 100, 0, "60", None]),
        tpm=st.sampled_from([1000, 2.5]),
        timeout=st.sampled_from([30, 2.5, "20s", 0]),
        weight=st.sampled_from([1, 0.7, 0, "9", -1, True]),
        order=st.sampled_from([1, 2, 3]),
        max_parallel_requests=st.sampled_from([4, 0]),
        temperature=st.sampled_from([0, 0.2, 1.0]),
        num_ctx=st.just(4096),
        stream=st.booleans(),
        organization=st.just("org-1"),
        extra_headers=st.sampled_from([{"X-Team": "a"}, {"Authorization": f"Bearer {SECRETS[0]}"}]),
        tags=st.just(["free"]),
        input_cost_per_token=st.sampled_from([1e-06, "1e-06", 0]),
        litellm_credential_name=st.just("shared"),
    ),
    unknown_keys,
)
infos = optional(
    mode=st.sampled_from(["chat", "embedding", "nonsense", None]),
    id=st.sampled_from(["one", "two"]),
    base_model=st.just("azure/gpt-4"),
    max_input_tokens=st.sampled_from([4096, "8k"]),
    tags=st.just(["8b"]),
)


def entries(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda name, params, info, beside: {"model_name": name, "litellm_params": params, **info, **beside},
        names,
        params,
        st.just({}) | st.fixed_dictionaries({"model_info": infos | st.none()}),
        st.sampled_from([{}, {}, {}, {}, {"rpm": 5}]),
    )


# Most people's: a handful of names, providers that the sources know, the usual parameters.
FEW = ("gpt-4o", "llama3.1:8b", "code", "openai/gpt-4o")
USUAL = (
    {"model": "openai/gpt-4o"},
    {"model": "openai/gpt-4o", "api_key": SECRETS[0]},
    {"model": "anthropic/claude-3-5-sonnet", "api_key": "os.environ/ANTHROPIC_API_KEY"},
    {"model": "openai/local-model", "api_base": "http://localhost:8000/v1", "api_key": "none"},
    {"model": "openai/local-model", "api_base": "http://localhost:8000/v1"},
    {"model": "openai/local-model", "api_base": "http://127.0.0.1:8080", "api_key": "not-needed"},
    {"model": "openai/llama-3.3-70b", "api_base": "https://api.groq.com/openai/v1", "api_key": SECRETS[1]},
    {"model": "openai/llama-3.3-70b", "api_base": "https://api.groq.com/openai/v1", "api_key": SECRETS[2]},
    {"model": "ollama/llama3.1:8b", "api_base": "http://localhost:11434"},
    {"model": "ollama_chat/llama3.1:8b", "api_base": "http://localhost:11434"},
    {"model": "ollama_chat/llama3.1:8b", "api_base": "http://gpu-box:11434"},
    {"model": "hosted_vllm/Qwen/Qwen2.5-7B", "api_base": "http://10.0.0.7:8001/v1", "api_key": "EMPTY"},
    {
        "model": "local/*",
        "custom_llm_provider": "openai",
        "api_base": "http://127.0.0.1:8080/v1",
        "api_key": "x",
    },
)
usual_extras = optional(
    rpm=st.sampled_from([1, 100]),
    timeout=st.sampled_from([30, 2.5]),
    temperature=st.sampled_from([0, 0.2]),
    max_tokens=st.just(100),
    num_ctx=st.just(4096),
    stream=st.just(True),
    organization=st.just("org-1"),
)
shares = st.sampled_from([{}, {"weight": 1}, {"weight": 0.7}, {"order": 1}, {"order": 2}])
usual = st.builds(
    lambda name, params, extras, share, info: {
        "model_name": "local/*" if "*" in params["model"] else name,
        "litellm_params": {**params, **extras, **share},
        **info,
    },
    st.sampled_from(FEW),
    st.sampled_from(USUAL),
    st.just({}) | usual_extras,
    shares,
    st.just({})
    | st.builds(lambda mode: {"model_info": {"mode": mode}}, st.sampled_from(["chat", "embedding"])),
)
model_lists = st.lists(usual, min_size=1, max_size=8) | st.lists(
    usual | entries(st.sampled_from([*NAMES, *WILDCARDS])), min_size=1, max_size=6
)
anyone = st.sampled_from([*FEW, *FEW, *FEW, *NAMES, *UNSERVED, "alias", "hidden"])
targets = st.lists(anyone | st.builds(lambda name: {"model": name}, anyone), min_size=1, max_size=3)
fallbacks = st.lists(
    st.builds(
        lambda name, chain: {name: chain}, anyone | st.just("*"), st.lists(anyone, max_size=3) | targets
    ),
    max_size=4,
)
fallbacks = fallbacks | st.dictionaries(
    st.sampled_from(FEW), st.lists(st.sampled_from(FEW), min_size=1, max_size=2), max_size=3
).map(lambda chains: [{name: chain} for name, chain in chains.items()])
fallback_kinds = optional(
    fallbacks=fallbacks,
    context_window_fallbacks=fallbacks,
    content_policy_fallbacks=fallbacks,
    default_fallbacks=st.lists(anyone, max_size=3),
)
aliases = st.dictionaries(
    st.sampled_from(["alias", "hidden", "code", "other"]),
    anyone
    | st.builds(lambda name, hidden: {"model": name, "hidden": hidden}, anyone, st.booleans())
    | st.just(["gpt-4o"]),
    max_size=3,
)
merged = st.builds(
    lambda *parts: {k: v for part in parts for k, v in part.items()}, fallback_kinds, unknown_keys
)
router_settings = st.builds(
    lambda base, more: base | more,
    merged,
    optional(
        routing_strategy=st.sampled_from(["simple-shuffle", "least-busy"]),
        model_group_alias=aliases,
        optional_pre_call_checks=st.sampled_from([["enforce_model_rate_limits"], ["prompt_caching"], []]),
        enable_pre_call_checks=st.booleans(),
        enable_weighted_failover=st.booleans(),
        redis_host=st.just("localhost"),
        redis_port=st.sampled_from([6379, "6380", "os.environ/REDIS_PORT"]),
        redis_password=st.sampled_from(SECRETS),
        num_retries=st.just(2),
    ),
)
litellm_settings = st.builds(
    lambda base, more: base | more,
    merged,
    optional(
        cache=st.booleans(),
        cache_params=optional(
            type=st.sampled_from(["redis", "local"]),
            host=st.sampled_from(["localhost", "cache.example.com"]),
            port=st.sampled_from([6379, "6379"]),
            password=st.sampled_from(SECRETS),
            namespace=st.just("n"),
        ),
        callbacks=st.just(["prometheus"]),
        api_base=st.just("http://elsewhere/v1"),
        openai_key=st.sampled_from(SECRETS),
        request_timeout=st.just(60),
    ),
)
general_settings = optional(
    master_key=st.sampled_from([*SECRETS, "os.environ/LITELLM_MASTER_KEY", None, "sk-1234"]),
    database_url=st.just("postgresql://me:secret@db/litellm"),
    alerting=st.just(["slack"]),
    pass_through_endpoints=st.just(
        [
            {
                "path": "/x",
                "target": "https://x.example",
                "headers": {"Authorization": "bearer os.environ/COHERE_KEY"},
            }
        ]
    ),
)
variables = optional(
    OPENAI_API_KEY=st.sampled_from([*SECRETS, "os.environ/OTHER_KEY"]),
    LANGFUSE_SECRET_KEY=st.sampled_from(SECRETS),
    OPENAI_BASE_URL=st.just("https://x.example/v1"),
    REGION=st.sampled_from(["eu", "os.environ/REGION"]),
)
any_configs = st.fixed_dictionaries(
    {"model_list": model_lists},
    optional={
        "router_settings": router_settings | st.none(),
        "litellm_settings": litellm_settings,
        "general_settings": general_settings | st.none(),
        "environment_variables": variables,
        "guardrails": st.just(
            [
                {
                    "guardrail_name": "pii",
                    "litellm_params": {"guardrail": "x", "mode": "pre_call", "api_key": SECRETS[1]},
                }
            ]
        ),
        "credential_list": st.just(
            [
                {
                    "credential_name": "shared",
                    "credential_values": {"api_key": SECRETS[2], "api_base": "http://h/v1"},
                }
            ]
        ),
        "mcp_servers": st.just({"zapier": {"url": "https://z.example", "auth_value": SECRETS[3]}}),
        "unknown_section": anything,
    },
)
# What a careful person writes: each name is there, chains and aliases lead to them.
chains = st.lists(
    st.permutations(FEW).map(lambda names: {names[0]: list(names[1:3])}), max_size=3, unique_by=tuple
)
tidy = st.builds(
    lambda entries, more, router: {
        "model_list": [{**entry, "model_name": name} for name, entry in zip(FEW, entries, strict=True)]
        + more,
        **router,
    },
    st.lists(usual, min_size=len(FEW), max_size=len(FEW)),
    st.lists(usual, max_size=4),
    st.fixed_dictionaries(
        {
            "router_settings": optional(
                fallbacks=chains,
                default_fallbacks=st.just(["code"]),
                model_group_alias=st.dictionaries(st.sampled_from(["alias", "other"]), st.sampled_from(FEW)),
                optional_pre_call_checks=st.just(["enforce_model_rate_limits"]),
            )
        },
        optional={"litellm_settings": optional(fallbacks=chains, default_fallbacks=st.just(["gpt-4o"]))},
    ),
)
configs = tidy | any_configs
