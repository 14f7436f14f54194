"""Configs of LiteLLM that are right, as strategies of hypothesis: their keys and values are the schema's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final, NamedTuple

import yaml
from hypothesis import strategies as st

from pytest_aibackend.litellm.schema import Schema
from tests.generated.consistency import settle
from tests.generated.meanings import BUILT, OMITTED, has_meaning, meaning_of
from tests.generated.values import VARIABLES, value_of

__all__ = ["ENVIRONMENT", "Generated", "configs", "drawn_keys", "render", "untyped_keys"]

ENVIRONMENT: Final = {
    "LITELLM_MASTER_KEY": "sk-6b0c9e1d4f7a8352",
    "LITELLM_ENVIRONMENT": "production",
    "REDIS_PORT": "6379",
    **VARIABLES,
}


class Provider(NamedTuple):
    """How one kind of server is named and asked."""

    prefix: str
    path: str | None = None  # at the end of its api_base; None for a cloud, which has none
    needs_key: bool = False
    embeds: bool = True


PROVIDERS: Final = (
    Provider("openai", "/v1", needs_key=True),
    Provider("ollama_chat", "", embeds=False),
    Provider("ollama", ""),
    Provider("hosted_vllm", "/v1"),
    Provider("lm_studio", "/v1"),
    Provider("llamafile", "/v1", embeds=False),
    Provider("anthropic", needs_key=True, embeds=False),
    Provider("groq", needs_key=True, embeds=False),
    Provider("mistral", needs_key=True),
)
HOSTS: Final = ("127.0.0.1", "localhost", "10.0.0.5", "gpu-1", "192.168.1.20")
MODELS: Final = ("llama3.1:8b", "qwen2.5-coder", "meta-llama/Llama-3.1-8B-Instruct", "mixtral", "tiny")
EMBEDDERS: Final = ("nomic-embed-text", "BAAI/bge-m3", "vectors")
GROUPS: Final = st.builds(
    "{}{}{}".format,
    st.sampled_from("abc"),
    st.sampled_from(["", "-", ".", "_", "/", ":"]),
    st.integers(1, 99),
)
# Types of caches with what they cannot do without; those that need nothing but this machine come first.
CACHES: Final[Mapping[str, Mapping[str, Any]]] = {
    "local": {},
    "redis": {"host": "127.0.0.1", "port": 6379, "namespace": "gateway"},
    "disk": {},
    "s3": {"s3_bucket_name": "answers"},
    "gcs": {"gcs_bucket_name": "answers"},
    "azure-blob": {"azure_account_url": "https://answers.blob.core.windows.net", "azure_blob_container": "a"},
}
FALLBACKS: Final = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")


@dataclass(frozen=True, kw_only=True)
class Generated:
    """A config, and the environment of the gateway that is to read it."""

    data: dict[str, Any]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(ENVIRONMENT))

    @cached_property
    def text(self) -> str:
        """Return it as YAML."""
        return render(self.data)

    def __repr__(self) -> str:
        return "\n" + self.text


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (the signature of PyYAML)
        return True


def render(data: Any) -> str:
    """Return data as YAML that is read again as it is, without anchors."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


@cache
def drawn_keys(schema: Schema, section: str) -> tuple[str, ...]:
    """Return the keys of a section that are drawn by chance."""
    left_out = BUILT.get(section, frozenset()) | untyped_keys(schema, section)
    known = sorted(schema.section(section).keys)
    return tuple(name for name in known if name not in left_out and (section, name) not in OMITTED)


def untyped_keys(schema: Schema, section: str) -> frozenset[str]:
    """Return the keys of a section of which nothing is known; what a provider is sent may be anything."""
    definition = schema.section(section)
    if definition.on_unknown in ("forwarded", "stored"):
        return frozenset()
    return frozenset(
        name
        for name, key in definition.keys.items()
        if not {"type", "anyOf", "enum", "$ref"} & set(key.schema) and not has_meaning((section, name))
    )


@st.composite
def configs(draw: st.DrawFn, schema: Schema, *, caches: tuple[str, ...] = tuple(CACHES)) -> Generated:
    """Draw configs that LiteLLM takes as they are; `caches` are the types of cache that may occur."""
    groups = tuple(draw(st.lists(GROUPS, min_size=1, max_size=3, unique=True)))
    strategy = draw(st.none() | st.sampled_from(sorted(schema.values("routing_strategy"))))
    modes = {group: draw(st.sampled_from(["chat", "embedding"])) for group in groups}
    data: dict[str, Any] = {
        "model_list": [
            deployment
            for group in groups
            for deployment in draw(_deployments(schema, groups, group, modes[group], weighs=strategy is None))
        ]
    }
    router = draw(_section(schema, "router_settings", groups))
    if strategy is not None:
        router["routing_strategy"] = strategy
    litellm = draw(_section(schema, "litellm_settings", groups))
    _add_names(draw, groups, router, draw(st.sampled_from([router, litellm])))
    kind = draw(st.none() | st.sampled_from(caches))
    if kind is not None:
        # Another type gives what it is not known to need to a client, which may refuse it.
        params = draw(_section(schema, "cache_params", groups)) if kind == "local" else {}
        litellm |= {"cache": True, "cache_params": {"type": kind, **CACHES[kind], **params}}
    general = {
        "master_key": "os.environ/LITELLM_MASTER_KEY",
        **draw(_section(schema, "general_settings", groups)),
    }
    settings = {"router_settings": router, "litellm_settings": litellm, "general_settings": general}
    data |= {name: section for name, section in settings.items() if section}
    settle(data)
    return Generated(data=data)


@st.composite
def _section(
    draw: st.DrawFn, schema: Schema, section: str, groups: tuple[str, ...], most: int = 4
) -> dict[str, Any]:
    """Draw some keys of a section, with values."""
    found = {}
    for name in draw(_some_keys(schema, section, most)):
        meaning = meaning_of((section, name), groups)
        found[name] = draw(_value_of(schema, section, name) if meaning is None else meaning)
    return found


@cache
def _some_keys(schema: Schema, section: str, most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(drawn_keys(schema, section)), unique=True, max_size=most)


@cache
def _value_of(schema: Schema, section: str, name: str) -> st.SearchStrategy[Any]:
    return value_of(schema, schema.section(section).keys[name].schema, name)


@st.composite
def _deployments(
    draw: st.DrawFn, schema: Schema, groups: tuple[str, ...], group: str, mode: str, *, weighs: bool
) -> list[dict[str, Any]]:
    """Draw the deployments of one model group: all do the same, and all have what they are chosen by."""
    count = draw(st.integers(1, 3))
    measured = draw(st.lists(st.sampled_from(["rpm", "tpm"]), unique=True, max_size=2))
    chosen_by = draw(st.sampled_from(["", "order", *(["weight"] if weighs else [])])) if count > 1 else ""
    found = []
    for place in range(1, count + 1):
        able = [each for each in PROVIDERS if each.embeds or mode == "chat"]
        params = draw(_params(draw(st.sampled_from(able)), mode, place))
        params |= {name: draw(st.integers(1, 9)) for name in measured}
        params |= {chosen_by: place} if chosen_by else {}
        params |= draw(_section(schema, "litellm_params", groups))
        info = draw(_section(schema, "model_info", groups))
        info |= {"mode": mode} if mode != "chat" or draw(st.booleans()) else {}
        entry = {"model_name": group, "litellm_params": params, **({"model_info": info} if info else {})}
        found.append(entry | draw(_section(schema, "deployment", groups, 1)))
    return found


@st.composite
def _params(draw: st.DrawFn, provider: Provider, mode: str, place: int) -> dict[str, Any]:
    """Draw what a deployment cannot do without; those of one group are different."""
    model = draw(st.sampled_from(MODELS if mode == "chat" else EMBEDDERS))
    params = {"model": f"{provider.prefix}/{model}{place}"}
    if provider.path is not None:
        host, port = draw(st.sampled_from(HOSTS)), draw(st.integers(8000, 8100))
        params[draw(st.sampled_from(["api_base", "base_url"]))] = f"http://{host}:{port}{provider.path}"
    if provider.needs_key or draw(st.booleans()):
        params["api_key"] = draw(
            st.sampled_from(
                ["os.environ/BACKEND_KEY", *(["not-needed"] if provider.path is not None else [])]
            )
        )
    return params


def _add_names(
    draw: st.DrawFn, groups: tuple[str, ...], router: dict[str, Any], home: dict[str, Any]
) -> None:
    """Add aliases, and fallbacks that lead from a name to later ones, so that none lead in a circle."""
    aliases = {
        f"alias-{index}": target
        for index, target in enumerate(draw(st.lists(st.sampled_from(groups), max_size=2)))
    }
    if aliases:
        router["model_group_alias"] = {
            name: {"model": target, "hidden": draw(st.booleans())} if draw(st.booleans()) else target
            for name, target in aliases.items()
        }
    order = [*aliases, *groups]
    for kind in draw(st.lists(st.sampled_from(FALLBACKS), unique=True, max_size=2)):
        sources = (
            draw(st.lists(st.sampled_from(order[:-1]), unique=True, max_size=2)) if len(order) > 1 else []
        )
        if kind == "fallbacks":  # an alias does not inherit those of its model
            sources += [name for name, target in aliases.items() if target in sources and name not in sources]
        entries = [{name: draw(_targets(order[order.index(name) + 1 :]))} for name in sources]
        if entries:
            home[kind] = entries
    if draw(st.booleans()):
        home["default_fallbacks"] = draw(
            st.lists(st.sampled_from(order), min_size=1, max_size=2, unique=True)
        )


def _targets(names: list[str]) -> st.SearchStrategy[list[Any]]:
    named = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    return named | st.sampled_from(names).map(lambda name: [{"model": name}])
