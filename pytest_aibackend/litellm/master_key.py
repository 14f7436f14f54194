"""The master key of a gateway: where LiteLLM takes it from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_aibackend.litellm.words import section_of
from pytest_aibackend.sources.references import variable_of

__all__ = ["MASTER_KEY", "master_key_of"]

MASTER_KEY: Final = "LITELLM_MASTER_KEY"


def master_key_of(config: object, environment: Mapping[str, str]) -> str | None:
    """Return the master key of a gateway with this config and environment; None where it has none.

    A config that has `master_key:`, even an empty one, has the last word. Else it is the variable, which
    `environment_variables` of the config sets before LiteLLM looks for it (proxy/proxy_server.py,
    load_config, 1.106.2).
    """
    sections = config if isinstance(config, dict) else {}
    settings = section_of(sections, "general_settings")
    if "master_key" in settings:
        key = settings["master_key"]
    else:
        own = section_of(sections, "environment_variables").get(MASTER_KEY)
        key = environment.get(MASTER_KEY) if own is None else str(own)
    variable = variable_of(key)
    if variable is not None:
        return environment.get(variable)
    return key if isinstance(key, str) else None
