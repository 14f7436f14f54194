"""What the oracle reads in a config itself: the names to ask for, what comments point at, the key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.oracle.cases import CORPUS, MASTER_KEY, Case

__all__ = ["Name", "master_key", "names_of", "overruled", "secrets_of", "stores_in_redis", "without_pointed"]

POINTER: Final = re.compile(r"\s+# <- (effect|no effect|overruled)$")
SECRET: Final = re.compile(r"^(.*?):\s*[\"']?([^\s\"']+)[\"']?\s+# <- secret$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name that a client may use."""

    kind: str = "chat"  # of the request that it takes
    deployments: int = 1


def names_of(text: str) -> dict[str, Name]:
    """Return the model groups and aliases of a config, also of what it includes."""
    data = _data(text)
    named: dict[str, Name] = {}
    for path in data["include"] if isinstance(data.get("include"), list) else ():
        part = CORPUS.parent / "included" / str(path)
        named |= names_of(part.read_text(encoding="utf-8")) if part.exists() else {}
    for entry in data["model_list"] if isinstance(data.get("model_list"), list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("model_name"), str):
            name = entry["model_name"].replace("*", "some-model")
            before = named.get(name)
            named[name] = Name(
                kind=before.kind if before else _kind(entry),
                deployments=before.deployments + 1 if before else 1,
            )
    aliases = _section(data, "router_settings").get("model_group_alias")
    for alias, target in aliases.items() if isinstance(aliases, dict) else ():
        name = target.get("model") if isinstance(target, dict) else target
        named[str(alias)] = named.get(name, Name()) if isinstance(name, str) else Name()
    return named


def without_pointed(text: str) -> str:
    """Return a config without what its comments point at; the same text if there is none."""
    kept: list[str] = []
    depth: int | None = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if depth is not None and (not line.strip() or indent > depth):
            continue
        depth = indent if POINTER.search(line) else None
        if depth is None:
            kept.append(line)
    return text if len(kept) == len(text.splitlines()) else "\n".join(kept) + "\n"


def overruled(text: str) -> bool:
    """Tell whether a case only says that requests and answers stay the same."""
    return "# <- overruled" in text


def secrets_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the keys that are said to hold a credential, with what they hold."""
    for found in SECRET.finditer(text):
        yield found[1].strip(" -"), found[2]


def master_key(case: Case) -> str:
    """Return the key with which the gateway is to be asked."""
    given = _section(_data(case.text), "general_settings").get("master_key")
    if isinstance(given, str) and given.startswith("os.environ/"):
        return case.environment.get(given.removeprefix("os.environ/"), "")
    return str(given) if given else case.environment.get("LITELLM_MASTER_KEY", MASTER_KEY)


def stores_in_redis(text: str) -> bool:
    """Tell whether a config wants answers to be kept in Redis."""
    settings = _section(_data(text), "litellm_settings")
    parameters = settings.get("cache_params")
    kind = parameters.get("type", "redis") if isinstance(parameters, dict) else None
    return settings.get("cache") is True and kind == "redis"


def _kind(entry: Mapping[str, Any]) -> str:
    info, params = entry.get("model_info"), entry.get("litellm_params")
    mode = info.get("mode") if isinstance(info, dict) else None
    model = str(params.get("model")) if isinstance(params, dict) else ""
    return str(mode) if isinstance(mode, str) else "embedding" if "embed" in model else "chat"


def _data(text: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):  # a date that is none is a ValueError
        return {}
    return data if isinstance(data, dict) else {}


def _section(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = data.get(name)
    return section if isinstance(section, dict) else {}
