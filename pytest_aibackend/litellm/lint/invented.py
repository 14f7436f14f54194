"""Keys that people expect LiteLLM to have, and what it has in their place."""

from __future__ import annotations

from typing import Final

__all__ = ["instead_of"]

_SETTINGS: Final = ("general_settings", "litellm_settings")
_COMMAND_LINE: Final = "host and port are options of the command line: --host, --port"
_LIMITS: Final = "write rpm and tpm into the litellm_params of each deployment"
_INSTEAD: Final = {
    "budgets": "write provider_budget_config under router_settings, or max_budget under litellm_params",
    "cache_type": "write type under cache_params",
    "cache_ttl": "write ttl under cache_params",
    "debug": "use the option --debug, or set LITELLM_LOG=DEBUG",
    "ui_username": "set UI_USERNAME",
    "ui_password": "set UI_PASSWORD",
    **dict.fromkeys(("server", "server_settings"), _COMMAND_LINE),
    **dict.fromkeys(("rate_limit_settings", "rate_limits", "rate_limiting"), _LIMITS),
    **dict.fromkeys(("log_level", "log_verbose", "logging", "verbose"), "set LITELLM_LOG=DEBUG"),
    **dict.fromkeys(
        ("allowed_origins", "cors_allow_origins", "cors_allowed_origins", "cors_origins", "enable_cors"),
        "set LITELLM_CORS_ORIGINS",
    ),
}
# LiteLLM takes these from its command line alone.
_OPTIONS: Final = {
    **{name: name for name in ("host", "port", "num_workers", "debug", "detailed_debug")},
    **{name: name for name in ("ssl_certfile_path", "ssl_keyfile_path", "run_gunicorn", "keepalive_timeout")},
    "workers": "num_workers",
}


def instead_of(key: str, section: str) -> str | None:
    """Return what to do in place of a key that LiteLLM does not have; None where that is not known."""
    if section in _SETTINGS and key in _OPTIONS:
        return f"it is an option of the command line: --{_OPTIONS[key]}"
    return _INSTEAD.get(key)
