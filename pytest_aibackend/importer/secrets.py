"""Literal secrets become variables: only their names are ever written or shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from pytest_aibackend.importer.document import ImportRefusedError, Locate, anywhere, told
from pytest_aibackend.litellm.words import deployments_of, kind_of
from pytest_aibackend.sources.references import REFERENCE
from pytest_aibackend.sources.secrets import is_key_shaped, is_placeholder, is_secret_key

__all__ = ["SecretMove", "move_secrets"]

Path = tuple[Any, ...]

_NAMED: Final[Mapping[Path, str]] = {
    ("general_settings", "master_key"): "LITELLM_MASTER_KEY",
    ("litellm_settings", "cache_params", "password"): "REDIS_PASSWORD",
    ("router_settings", "redis_password"): "REDIS_PASSWORD",
}
_VAGUE: Final = ("KEY", "API_KEY", "TOKEN", "SECRET", "PASSWORD", "AUTHORIZATION", "API_BASE")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN_LISTS: Final = f"LiteLLM resolves no {REFERENCE}NAME there"
_TAKE_OUT: Final = "take it out of the file first; what an import writes holds no secrets"
_MENTIONED: Final = re.compile(rf"{REFERENCE}([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretMove:
    """A secret that stood in the configuration, and the variable that has to hold it from now on."""

    path: Path  # in the configuration as LiteLLM sees it
    where: str  # the same in words
    variable: str


def move_secrets(
    config: Mapping[Any, Any], locate: Locate = anywhere
) -> tuple[dict[Any, Any], tuple[SecretMove, ...]]:
    """Return the configuration with references to the environment in place of secrets, and what was moved.

    One secret in several places becomes one variable. Raises ImportRefusedError for a secret in a place
    where LiteLLM resolves no reference: a plain text in a list (proxy_server.py, _resolved_config_value).
    """
    mover = _Mover(config)
    moved = mover.walk(config, ())
    if mover.stuck:
        raise ImportRefusedError(
            "\n".join(
                told(locate(path), f"{_where(config, path)} holds a secret in a list: {_IN_LISTS}", _TAKE_OUT)
                for path in mover.stuck
            )
        )
    return moved, tuple(mover.moves)


class _Mover:
    def __init__(self, config: Mapping[Any, Any]) -> None:
        self._config = config
        self._taken = set(_MENTIONED.findall(repr(config)))
        # A deployment without a key takes the variable of its provider: it must not meet another's key there.
        self._taken |= {
            f"{kind_of(entry['litellm_params']).upper()}_API_KEY"
            for entry in deployments_of(config)
            if not entry["litellm_params"].get("api_key")
        }
        variables = config.get("environment_variables")
        self._own = {str(name) for name in variables} if isinstance(variables, dict) else set()
        self._variables: dict[str, str] = {}
        self.moves: list[SecretMove] = []
        self.stuck: list[Path] = []

    def walk(self, value: Any, path: Path, *, resolved: bool = True) -> Any:
        if isinstance(value, dict):
            return {key: self._item(item, (*path, key), resolved=resolved) for key, item in value.items()}
        if isinstance(value, list):
            return [self._member(item, (*path, place), resolved=resolved) for place, item in enumerate(value)]
        return value

    def _item(self, value: Any, path: Path, *, resolved: bool) -> Any:
        if not isinstance(value, str):
            return self.walk(value, path, resolved=resolved)
        if not _is_secret(path, value):
            return value
        if not resolved:
            self.stuck.append(path)
            return value
        variable = self._variable(path, value)
        self.moves.append(SecretMove(path=path, where=_where(self._config, path), variable=variable))
        return f"{REFERENCE}{variable}"

    def _member(self, value: Any, path: Path, *, resolved: bool) -> Any:
        if isinstance(value, str):
            if is_key_shaped(value):
                self.stuck.append(path)
            return value
        # Of lists within lists LiteLLM resolves nothing.
        return self.walk(value, path, resolved=resolved and isinstance(value, dict))

    def _variable(self, path: Path, value: str) -> str:
        known = self._variables.get(value)
        if known is None:
            wanted = _suggestion(self._config, path)
            own = path[:1] == ("environment_variables",)
            known, number = wanted, 1
            while known in self._taken or (known in self._own and not own):
                number += 1
                known = f"{wanted}_{number}"
            self._taken.add(known)
            self._variables[value] = known
        return known


def _is_secret(path: Path, value: str) -> bool:
    key = path[-1]
    if not value.strip() or REFERENCE in value or (key == "api_key" and is_placeholder(value)):
        return False
    if path[0] == "litellm_settings" and str(key).endswith("_key"):
        return True  # openai_key, groq_key, ...: keys of accounts, as module variables of LiteLLM
    return is_secret_key(key) or (key != "model" and is_key_shaped(value))


def _suggestion(config: Mapping[Any, Any], path: Path) -> str:
    """Return a name for the variable that tells what it is for."""
    if path in _NAMED:
        return _NAMED[path]
    if path[0] == "environment_variables" and len(path) == 2 and _NAME.fullmatch(str(path[1])):
        return str(path[1])
    last = _upper(path[-1])
    if path[0] == "model_list" and len(path) > 2 and isinstance(path[1], int):
        params = config["model_list"][path[1]]["litellm_params"]
        host = urlsplit(str(params.get("api_base") or "")).hostname if last != "API_BASE" else None
        owner = _host_label(host) if host else kind_of(params) or "provider"
        return last if last not in _VAGUE else f"{_upper(owner)}_{last}"
    if last not in _VAGUE:
        return last
    parents = [step for step in path[:-1] if isinstance(step, str)]
    return f"{_upper(parents[-1])}_{last}" if parents else f"LITELLM_{last}"


def _host_label(host: str) -> str:
    """Return `groq` of api.groq.com, and the first label of a name that is not the internet's."""
    labels = host.split(".")
    if host.replace(".", "").isdigit() or ":" in host or len(labels) < 3:
        return labels[0] if not host.replace(".", "").isdigit() else f"host_{host}"
    return labels[-2]


def _upper(text: object) -> str:
    letters = re.sub(r"[^A-Za-z0-9]+", "_", str(text)).strip("_").upper() or "VALUE"
    return f"_{letters}" if letters[0].isdigit() else letters


def _where(config: Mapping[Any, Any], path: Path) -> str:
    shown = ""
    for step in path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}" if shown else str(step)
    if path[0] == "model_list" and len(path) > 1:
        name = config["model_list"][path[1]]["model_name"]
        shown = shown.replace(f"model_list[{path[1]}]", f"model_list[{path[1]}] ({name!r})", 1)
    return shown
